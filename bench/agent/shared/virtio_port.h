#pragma once
#include <stdbool.h>

enum { PORT_PATH_BYTES = 512 };

/* Finds the device (/dev/vport0p1) of a virtio-serial port by the port's name. False while there is none. */
bool find_virtio_port(const char *name, char path[PORT_PATH_BYTES]);
