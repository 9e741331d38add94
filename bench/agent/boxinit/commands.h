#pragma once
#include <poll.h>
#include <stdint.h>

/* Commands from the host: one line each. */

/* The channel's end; -1 until it is open. */
extern int command_fd;

void arm_commands(struct pollfd *slot);
void serve_commands(const struct pollfd *slot);

/* When to poll the channel again after the host has closed its end; 0 when it is being polled. */
int64_t commands_deadline_ns(void);
void commands_tick(int64_t now);
