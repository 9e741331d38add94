#define _GNU_SOURCE
#include "ports.h"

#include <fcntl.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/virtio_port.h"

int open_port(const char *name)
{
    char path[PORT_PATH_BYTES];
    return find_virtio_port(name, path) ? open(path, O_RDWR | O_CLOEXEC) : -1;
}

int wait_for_port(const char *name, int limit_ms)
{
    int fd = open_port(name);
    for (int waited = 0; fd < 0 && waited < limit_ms; waited++) {
        sleep_ms(1);
        fd = open_port(name);
    }
    return fd;
}
