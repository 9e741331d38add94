#pragma once
#include <stdbool.h>

/* How this agent was started. Set before the workload starts, and only read from then on. */
struct mode {
    bool is_pid1; /* of a VM: the machine ends with the workload */
    bool inherit; /* an engine has applied environment, directory and user already */
    int host_root; /* the root before --chroot, where /proc and /sys still are; -1 without --chroot */
};

extern struct mode mode;
