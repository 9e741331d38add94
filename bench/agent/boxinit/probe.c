#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "fatal.h"
#include "protocol.h"
#include "readiness.h"
#include "shared/clock.h"

enum { REPLY_BYTES = 64 * 1024 };     /* of an HTTP reply that are examined */
#define ATTEMPT_LIMIT_NS 2000000000LL /* for a connection, and for a reply */

enum probe_state { PROBE_OFF, PROBE_WAITING, PROBE_CONNECTING, PROBE_READING };

static struct {
    enum probe_state state;
    int fd;
    int64_t next_ns, limit_ns;
    bool listening;
    char reply[REPLY_BYTES + 1];
    size_t used;
} probe = {.fd = -1};

void begin_probe(void) { probe.state = PROBE_WAITING; }

static void end_attempt(void)
{
    close(probe.fd);
    probe.fd = -1;
    probe.state = PROBE_WAITING;
}

static void end_probe(void)
{
    end_attempt();
    probe.state = PROBE_OFF;
}

static void send_request(void)
{
    char request[LINE_BYTES];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nUser-Agent: boxinit\r\nConnection: close\r\n\r\n",
                          conf.ready.path);
    probe.used = 0;
    probe.state = PROBE_READING;
    probe.limit_ns = now_ns() + ATTEMPT_LIMIT_NS;
    if (send(probe.fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        end_attempt();
}

/* While no server listens, a connection to a port of the ephemeral range can be one to itself. */
static bool is_connected_to_itself(void)
{
    struct sockaddr_in local = {0};
    socklen_t size = sizeof local;
    return getsockname(probe.fd, (struct sockaddr *)&local, &size) == 0 && ntohs(local.sin_port) == conf.ready.port;
}

static void on_connected(void)
{
    if (is_connected_to_itself()) {
        end_attempt();
        return;
    }
    if (!probe.listening)
        send_mark("listening");
    probe.listening = true;
    if (conf.ready.kind == READY_TCP) {
        become_ready();
        end_probe();
    } else {
        send_request();
    }
}

static void start_attempt(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)conf.ready.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int64_t now = now_ns();
    probe.next_ns = now + conf.poll_us * 1000;
    probe.limit_ns = now + ATTEMPT_LIMIT_NS;
    probe.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe.fd < 0)
        fatal("socket: %s", strerror(errno));
    if (connect(probe.fd, (struct sockaddr *)&address, sizeof address) == 0)
        on_connected();
    else if (errno == EINPROGRESS)
        probe.state = PROBE_CONNECTING;
    else
        end_attempt();
}

/* Examines what has arrived so far. The expected status makes the workload ready; true when the body has the expected
 * text too. */
static bool is_expected_reply(void)
{
    const struct ready *ready = &conf.ready;
    int status = 0;
    probe.reply[probe.used] = 0;
    if (memchr(probe.reply, '\n', probe.used) == NULL)
        return false;
    if (sscanf(probe.reply, "HTTP/%*d.%*d %d", &status) != 1 || status != ready->code)
        return false;
    become_ready();
    if (*ready->text == 0)
        return true;
    const char *body = memmem(probe.reply, probe.used, "\r\n\r\n", 4);
    if (body == NULL)
        return false;
    size_t size = probe.used - (size_t)(body - probe.reply);
    return memmem(body, size, ready->text, strlen(ready->text)) != NULL;
}

static void read_reply(void)
{
    ssize_t got = read(probe.fd, probe.reply + probe.used, REPLY_BYTES - probe.used);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        probe.used += (size_t)got;
    if (got > 0 && is_expected_reply()) {
        send_mark("replied");
        end_probe();
    } else if (got <= 0 || probe.used == REPLY_BYTES) {
        end_attempt();
    }
}

void arm_probe(struct pollfd *slot)
{
    slot->fd = probe.state >= PROBE_CONNECTING ? probe.fd : -1;
    slot->events = probe.state == PROBE_CONNECTING ? POLLOUT : POLLIN;
}

void serve_probe(const struct pollfd *slot)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (slot->revents == 0)
        return;
    if (probe.state == PROBE_READING) {
        read_reply();
    } else if (probe.state == PROBE_CONNECTING) {
        getsockopt(probe.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error == 0)
            on_connected();
        else
            end_attempt();
    }
}

int64_t probe_deadline_ns(void)
{
    if (probe.state == PROBE_OFF)
        return INT64_MAX;
    return probe.state == PROBE_WAITING ? probe.next_ns : probe.limit_ns;
}

void probe_tick(int64_t now)
{
    if (probe.state == PROBE_WAITING && now >= probe.next_ns)
        start_attempt();
    else if (probe.state >= PROBE_CONNECTING && now >= probe.limit_ns)
        end_attempt();
}
