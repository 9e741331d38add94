#pragma once
#include <stdbool.h>

/* Requests to the kernel that several programs make. Each returns false on an error, with errno set. */

/* Moves this process into the control group whose file `cgroup.procs` or `tasks` is named. */
bool join_cgroup(const char *file);

/* Loads a module from a file. A module that is loaded already is no error. */
bool load_kernel_module(const char *path);

/* Brings up `lo` in this network namespace; the kernel itself adds 127.0.0.1. */
bool bring_up_loopback(void);
