#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Readiness by the image's health check: a command that runs in the box again and again until it exits with 0. */

/* Runs the first check at a random time within one poll interval of box.conf. */
void begin_health(void);

/* Kills a check that runs; there is no other one. */
void end_health(void);

/* Whether this is the process of the check that runs. */
bool is_health(pid_t pid);

/* The workload is ready when this check passed; otherwise the next one follows after box.conf's poll interval. */
void health_exited(int status, const struct rusage *usage);

void arm_health(struct pollfd *slot);
void serve_health(const struct pollfd *slot);

/* When health_tick() has something to do; 0 when it has nothing. */
int64_t health_deadline_ns(void);
void health_tick(int64_t now);
