#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "conf.h"
#include "fatal.h"
#include "mode.h"
#include "ports.h"
#include "process.h"
#include "protocol.h"
#include "serve.h"
#include "shared/kernel.h"
#include "workload.h"

static void open_channel(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/events", directory);
    event_fd = open(path, O_WRONLY | O_CLOEXEC);
    if (event_fd < 0)
        fatal("%s: %s", path, strerror(errno));
    send_mark("init");
    never_block();
    snprintf(path, sizeof path, "%s/commands", directory);
    command_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (command_fd < 0)
        fatal("%s: %s", path, strerror(errno));
}

static void enter_tree(const char *tree)
{
    mode.host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (chroot(tree) != 0 || chdir("/") != 0)
        fatal("--chroot %s: %s", tree, strerror(errno));
}

/* Obeys the flags before the verb, and returns what follows them. */
static char **launcher_flags(char **argument)
{
    for (; argument[0] != NULL && argument[1] != NULL; argument += 2) {
        if (strcmp(argument[0], "--cgroup") == 0) {
            if (!join_cgroup(argument[1]))
                fatal("--cgroup %s: %s", argument[1], strerror(errno));
        } else if (strcmp(argument[0], "--chroot") == 0) {
            enter_tree(argument[1]);
        } else {
            break;
        }
    }
    return argument;
}

static char **inherit_flag(char **argument)
{
    mode.inherit = argument[0] != NULL && strcmp(argument[0], "--inherit") == 0;
    return argument + mode.inherit;
}

int run_in_box(char **argument)
{
    char path[4096];
    argument = launcher_flags(argument);
    if (argument[0] == NULL || strcmp(argument[0], "run") != 0)
        fatal("usage: boxinit [--cgroup FILE]... [--chroot TREE] run [--inherit] DIR");
    argument = inherit_flag(argument + 1);
    if (argument[0] == NULL || argument[1] != NULL)
        fatal("run: give one directory");
    default_signals();
    open_channel(argument[0]);
    snprintf(path, sizeof path, "%s/box.conf", argument[0]);
    read_conf(path);
    run_workload(STDOUT_FILENO, STDERR_FILENO);
    return workload.exit_code;
}

int run_attached(char **argument)
{
    argument = inherit_flag(argument);
    if (argument[0] == NULL || argument[1] == NULL || argument[2] != NULL)
        fatal("usage: boxinit attach [--inherit] PORT CONF");
    bool is_path = argument[0][0] == '/';
    event_fd = is_path ? open(argument[0], O_RDWR | O_CLOEXEC) : wait_for_port(argument[0], DEVICE_WAIT_MS);
    if (event_fd < 0)
        fatal("%s: %s", argument[0], strerror(errno));
    command_fd = event_fd;
    send_mark("init");
    never_block();
    read_conf(argument[1]);
    /* A systemd unit has these two ports. The output of a container goes where its engine forwards it to. */
    int stdout_fd = open_port("boxbench.stdout");
    int stderr_fd = open_port("boxbench.stderr");
    run_workload(stdout_fd >= 0 ? stdout_fd : STDOUT_FILENO, stderr_fd >= 0 ? stderr_fd : STDERR_FILENO);
    return workload.exit_code;
}
