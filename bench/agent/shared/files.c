#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

size_t read_file_at(int directory, const char *path, char *buffer, size_t room)
{
    size_t used = 0;
    buffer[0] = 0;
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    for (ssize_t got; used + 1 < room && (got = read(fd, buffer + used, room - 1 - used)) > 0;)
        used += (size_t)got;
    close(fd);
    buffer[used] = 0;
    return used;
}

bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, data, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        data += put;
        length -= (size_t)put;
    }
    return true;
}

int queued_bytes(int fd)
{
    int bytes = 0;
    return fd >= 0 && ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : 0;
}
