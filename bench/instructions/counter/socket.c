#define _GNU_SOURCE
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "console.h"
#include "shared/clock.h"
#include "shared/files.h"

/* A connected socket, or -1 when no daemon listens on the path. */
static int try_to_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        fatal("socket %s: %s", path, strerror(errno));
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

int connect_to(const char *path)
{
    int fd = try_to_connect(path);
    if (fd < 0)
        fatal("connect to %s: %s", path, strerror(errno));
    return fd;
}

void await_socket(const char *path)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        int fd = try_to_connect(path);
        if (fd >= 0) {
            close(fd);
            return;
        }
        sleep_ms(10);
    }
    fatal("no daemon listens on %s", path);
}

void send_all(int fd, const char *data, size_t length)
{
    if (!write_all(fd, data, length))
        fatal("write: %s", strerror(errno));
}

static void send_file(int fd, const char *path)
{
    static char chunk[65536];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        fatal("%s: %s", path, strerror(errno));
    for (ssize_t got; (got = read(from, chunk, sizeof chunk)) > 0;)
        send_all(fd, chunk, (size_t)got);
    close(from);
}

void http_call(const char *socket_path, const char *method, const char *url, const char *file)
{
    static char reply[REPLY_BYTES];
    char head[1024];
    struct stat body = {.st_size = 0};
    size_t used = 0;
    int fd = connect_to(socket_path), status = 0;
    if (file != NULL && stat(file, &body) != 0)
        fatal("%s: %s", file, strerror(errno));
    const char *type = file != NULL && strstr(file, ".tar") != NULL ? "application/x-tar" : "application/json";
    int length = snprintf(head, sizeof head,
                          "%s %s HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Type: %s\r\n"
                          "Content-Length: %lld\r\n\r\n",
                          method, url, type, (long long)body.st_size);
    if (length < 0 || (size_t)length >= sizeof head)
        fatal("%s %.300s: the request is longer than %zu bytes", method, url, sizeof head - 1);
    send_all(fd, head, (size_t)length);
    if (file != NULL)
        send_file(fd, file);
    for (ssize_t got; used + 1 < sizeof reply && (got = read(fd, reply + used, sizeof reply - 1 - used)) > 0;)
        used += (size_t)got;
    reply[used] = 0;
    close(fd);
    if (sscanf(reply, "HTTP/1.1 %d", &status) != 1 || status / 100 != 2)
        fatal("%s %s: %.300s", method, url, reply);
}
