#define _GNU_SOURCE
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clocks.h"
#include "console.h"
#include "place.h"
#include "process.h"
#include "shared/clock.h"
#include "socket.h"
#include "system.h"

enum { HEARD_BYTES = 64 * 1024, LONGEST_LINE_BYTES = 4096 };

static struct {
    int events, commands;
    pid_t listener;
    unsigned long long idle_before;
} box = {.events = -1, .commands = -1};

/* Written by the listener, a process of its own, so that this one can meanwhile start the box. */
static struct {
    char heard[HEARD_BYTES];
    size_t used;
    bool ready;
    unsigned long long idle;
} *shared;

void prepare_listening(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fatal("no memory");
}

static void copy_conf(const char *directory)
{
    static char conf[SCRIPT_BYTES];
    char path[512];
    size_t length = read_file(CONF_FILE, conf, sizeof conf);
    snprintf(path, sizeof path, "%s/box.conf", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        fatal("%s: %s", path, strerror(errno));
    send_all(fd, conf, length);
    close(fd);
}

/* Makes a FIFO that any user of the box may open, and opens it. */
static int make_fifo(const char *directory, const char *name, int flags)
{
    char path[512];
    int fd;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if ((mkfifo(path, 0666) != 0 && errno != EEXIST) || chmod(path, 0666) != 0 ||
        (fd = open(path, flags | O_CLOEXEC)) < 0)
        fatal("%s: %s", path, strerror(errno));
    return fd;
}

void make_channel(const char *directory)
{
    make_dir(directory);
    copy_conf(directory);
    box.commands = make_fifo(directory, "commands", O_RDWR);
    box.events = make_fifo(directory, "events", O_RDONLY | O_NONBLOCK);
}

/* Waits for more from the agent. False when the agent has ended. */
static bool listen_on(void)
{
    struct pollfd set = {.fd = box.events, .events = POLLIN};
    int found = poll(&set, 1, PATIENCE_MS);
    if (found < 0 && errno == EINTR)
        return true;
    if (found <= 0)
        fatal("the box reported nothing for %d s", PATIENCE_MS / 1000);
    ssize_t got = read(box.events, shared->heard + shared->used, sizeof shared->heard - 1 - shared->used);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    shared->used += (size_t)got;
    shared->heard[shared->used] = 0;
    return got > 0;
}

/* Listens in a process of its own: a call that starts a box may return long after the box is ready, and the processor
 * may have been idle in between. */
static void start_listener(void)
{
    shared->used = 0;
    shared->heard[0] = 0;
    shared->ready = false;
    box.listener = fork();
    if (box.listener < 0)
        fatal("fork: %s", strerror(errno));
    if (box.listener > 0)
        return;
    for (bool open = true; open && !shared->ready && shared->used < sizeof shared->heard - LONGEST_LINE_BYTES;) {
        open = listen_on();
        shared->ready = strstr(shared->heard, " mark ready ") != NULL;
    }
    shared->idle = idle_ns();
    _exit(0);
}

void request_box(const char *label)
{
    report("request %s", label);
    start_listener();
    sleep_ms(1); /* so that the listener reaches its poll() */
    box.idle_before = idle_ns();
    unsigned long long zero = time_stamp();
    /* Reported afterwards: the line itself takes some hundred instructions. */
    report("mark requested %llu", zero);
}

void request_by_poweron(void)
{
    report("request first");
    start_listener();
    report("mark requested 0");
}

static void report_heard(void)
{
    for (char *line = shared->heard, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        report("agent %s", line);
    }
    shared->used = 0;
}

void await_ready(void)
{
    report("mark start_returned %llu", time_stamp());
    await_child(box.listener);
    bool ready = shared->ready;
    report_heard();
    report("waited %llu", shared->idle - box.idle_before);
    report_clocks();
    if (!ready)
        fatal("the box ended without being ready");
}

void stop_box(void)
{
    send_all(box.commands, "stop\n", strlen("stop\n"));
    for (bool open = true; open; shared->used = 0)
        open = listen_on();
    close(box.events);
    close(box.commands);
    await_held();
}
