#define _GNU_SOURCE
#include "ports.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/virtio_port.h"

/* The serial line that stands for a port in a machine without virtio. The kernel passes words of its command line that
 * it does not know to PID 1 as variables. */
static const char *serial_line(const char *name)
{
    static const char *const lines[][2] = {
        {"boxbench.events", "/dev/ttyS0"},
        {"boxbench.stdout", "/dev/ttyS1"},
        {"boxbench.stderr", "/dev/ttyS2"},
    };
    for (size_t i = 0; getenv("BOXBENCH_SERIAL") != NULL && i < sizeof lines / sizeof *lines; i++)
        if (strcmp(lines[i][0], name) == 0)
            return lines[i][1];
    return NULL;
}

/* A serial line for bytes: by default it would echo what it receives and change newlines. */
static int open_serial(const char *path)
{
    struct termios settings;
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && tcgetattr(fd, &settings) == 0) {
        cfmakeraw(&settings);
        tcsetattr(fd, TCSANOW, &settings);
    }
    return fd;
}

int open_port(const char *name)
{
    char path[PORT_PATH_BYTES];
    const char *line = serial_line(name);
    if (line != NULL)
        return open_serial(line);
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
