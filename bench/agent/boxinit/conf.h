#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* box.conf: what the host configures. bench/agent/boxconf.py writes it, one directive per line. */

enum {
    CONF_BYTES = 256 * 1024,
    TEXT_BYTES = 1024, /* longest text to search for in the output */
    MAX_ARGV = 1024,
    MAX_ENV = 2048,
    MAX_GROUPS = 256,
};

#define MOST_NUMBER 1000000000000LL /* of a time in ms, which is computed with in ns */

enum ready_kind { READY_STARTED, READY_FIRST_LINE, READY_LOG, READY_EXIT, READY_TCP, READY_HTTP, READY_HEALTH };

struct ready {
    enum ready_kind kind;
    char *text; /* log: to search for; http: the body contains it */
    char *path;
    int code; /* exit code or HTTP status */
    int port;
};

struct conf {
    char *argv[MAX_ARGV + 1];
    size_t argc;
    char *env[MAX_ENV + 1];
    size_t envc;
    char *cwd;
    char *hostname;
    char *root_device, *root_type; /* NULL: the initramfs stays the root */
    bool has_user, reboot, probe;
    uid_t uid;
    gid_t gid;
    gid_t groups[MAX_GROUPS];
    size_t groupc;
    int stop_signal;
    int64_t stop_timeout_ms, poll_us;
    struct ready ready;
    char *health_argv[MAX_ARGV + 1]; /* the health check */
    size_t health_argc;
    int64_t health_timeout_ms;
};

/* All zero until read_conf() has returned. */
extern struct conf conf;

/* Reads and checks a box.conf; any mistake in it is fatal. */
void read_conf(const char *path);
