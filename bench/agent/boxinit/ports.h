#pragma once

/* The virtio-serial ports through which a VM's agent and the host talk. */

enum { DEVICE_WAIT_MS = 10000 }; /* for a device that the kernel is still discovering */

/* Opens a port by its name; -1 while there is none. */
int open_port(const char *name);

/* The same, tried for `limit_ms`: ports appear one by one while the device answers its driver. */
int wait_for_port(const char *name, int limit_ms);
