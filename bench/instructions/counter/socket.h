#pragma once
#include <stddef.h>

/* Unix sockets of the daemons, and calls of the Docker Engine's HTTP API. Every failure is fatal. */

enum {
    REPLY_BYTES = 1024 * 1024,
    PATIENCE_MS = 120000, /* of the guest's time, for a daemon or a box */
};

int connect_to(const char *path);

/* Returns once a daemon accepts connections. */
void await_socket(const char *path);

void send_all(int fd, const char *data, size_t length);

/* One request; any status but 2xx is fatal. `file` is its body; NULL for none. */
void http_call(const char *socket_path, const char *method, const char *url, const char *file);
