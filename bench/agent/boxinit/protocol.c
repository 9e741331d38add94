#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/percent.h"

enum { HOST_PATIENCE_MS = 5000 }; /* for a host that reads no line */

int event_fd = -1;

void never_block(void)
{
    int flags = fcntl(event_fd, F_GETFL);
    fcntl(event_fd, F_SETFL, flags | O_NONBLOCK);
}

/* Waits until the channel takes a line. False when it takes none for HOST_PATIENCE_MS. */
static bool wait_for_host(void)
{
    int64_t deadline = now_ns() + HOST_PATIENCE_MS * 1000000LL;
    for (int64_t left; (left = deadline - now_ns()) > 0;) {
        struct pollfd set = {.fd = event_fd, .events = POLLOUT};
        int count = poll(&set, 1, (int)(left / 1000000) + 1);
        if (count > 0 && (set.revents & (POLLOUT | POLLERR)) != 0)
            return true;
        if (count > 0)
            sleep_ms(1); /* the host has closed its end of a port, and poll() returns at once */
    }
    return false;
}

void write_line(const char *line, size_t length)
{
    /* A pipe or port takes a line whole or not at all, a serial line as much as it has room for. */
    while (event_fd >= 0 && length > 0) {
        ssize_t put = write(event_fd, line, length);
        if (put > 0) {
            line += put;
            length -= (size_t)put;
        } else if (put == 0 || (errno != EINTR && errno != EAGAIN)) {
            return;
        } else if (errno == EAGAIN && !wait_for_host()) {
            event_fd = -1; /* the host has cut this box off: further lines must not delay its stop */
        }
    }
}

void send_line(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    if ((size_t)length > sizeof line - 2)
        length = sizeof line - 2;
    line[length] = '\n';
    write_line(line, (size_t)length + 1);
}

void send_mark(const char *endpoint) { send_line("BB1 mark %s %lld", endpoint, (long long)now_ns()); }

void send_error(const char *text)
{
    char encoded[LINE_BYTES - 32];
    percent_encode(text, encoded, sizeof encoded);
    send_line("BB1 error %s", encoded);
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

void format_outcome(char text[OUTCOME_BYTES], int status, const struct rusage *usage)
{
    snprintf(text, OUTCOME_BYTES, "%d %d %lld %lld %ld", exit_code_of(status),
             WIFSIGNALED(status) ? WTERMSIG(status) : 0, microseconds(usage->ru_utime), microseconds(usage->ru_stime),
             usage->ru_maxrss);
}
