#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The workload's process: its start, its stop, its end. */

struct workload {
    pid_t pid;
    bool stopping, exited;
    int exit_code; /* 128 + signal when a signal ended it */
    int64_t kill_at_ns; /* 0: it is not being stopped, or has been killed */
};

extern struct workload workload;

/* Starts it; its output goes to these descriptors. A workload that cannot be executed is fatal. */
void start_workload(int stdout_fd, int stderr_fd);

/* Sends the stop signal; SIGKILL follows after the time that box.conf gives. */
void stop_workload(void);

/* Reports its end and forwards the rest of its output. */
void workload_exited(int status, const struct rusage *usage);

/* Kills it when its time to stop is over. */
void workload_tick(int64_t now);
