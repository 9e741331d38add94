#pragma once
#include <poll.h>
#include <stdint.h>

/* Readiness that is asked for: connects to the workload's port on loopback, one attempt at a time. */

/* Starts probing; the first attempt is made at once. */
void begin_probe(void);

void arm_probe(struct pollfd *slot);
void serve_probe(const struct pollfd *slot);

/* When probe_tick() has something to do; INT64_MAX when it has nothing. */
int64_t probe_deadline_ns(void);
void probe_tick(int64_t now);
