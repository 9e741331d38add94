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
    int family; /* of the address that is tried: a server on `localhost` may have one of the two only */
    int64_t next_ns, limit_ns;
    bool listening;
    char reply[REPLY_BYTES + 1];
    size_t used;
} probe = {.fd = -1};

void begin_probe(void) { probe.state = PROBE_WAITING; }

static void end_attempt(void)
{
    if (probe.fd >= 0)
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
                          "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: boxinit\r\nConnection: close\r\n\r\n",
                          conf.ready.path, probe.family == AF_INET ? "127.0.0.1" : "[::1]");
    probe.used = 0;
    probe.state = PROBE_READING;
    probe.limit_ns = now_ns() + ATTEMPT_LIMIT_NS;
    if (send(probe.fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        end_attempt();
}

/* While no server listens, a connection to a port of the ephemeral range can be one to itself. */
static bool is_connected_to_itself(void)
{
    struct sockaddr_in6 local = {0}; /* the port of an IPv4 address lies in the same place */
    socklen_t size = sizeof local;
    return getsockname(probe.fd, (struct sockaddr *)&local, &size) == 0 && ntohs(local.sin6_port) == conf.ready.port;
}

static void try_address(int family);

/* Nobody listens on this address. */
static void on_refused(void)
{
    end_attempt();
    if (probe.family == AF_INET)
        try_address(AF_INET6);
}

static void on_connected(void)
{
    if (is_connected_to_itself()) {
        on_refused();
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

static int connect_to(int family)
{
    in_port_t port = htons((uint16_t)conf.ready.port);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (family == AF_INET)
        return connect(probe.fd, (struct sockaddr *)&v4, sizeof v4);
    return connect(probe.fd, (struct sockaddr *)&v6, sizeof v6);
}

static void try_address(int family)
{
    probe.family = family;
    probe.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe.fd < 0 && family == AF_INET)
        fatal("socket: %s", strerror(errno));
    if (probe.fd < 0) /* a kernel without IPv6 */
        end_attempt();
    else if (connect_to(family) == 0)
        on_connected();
    else if (errno == EINPROGRESS)
        probe.state = PROBE_CONNECTING;
    else
        on_refused();
}

static void start_attempt(void)
{
    int64_t now = now_ns();
    probe.next_ns = now + conf.poll_us * 1000;
    probe.limit_ns = now + ATTEMPT_LIMIT_NS;
    try_address(AF_INET);
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
            on_refused();
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
