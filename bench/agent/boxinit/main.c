/* boxinit: the agent in every box. One static binary, some ways to start.
 *
 *   boxinit [--cgroup FILE]... [--chroot TREE] run [--inherit] DIR
 *       Containers, namespaces, bare processes. DIR holds box.conf and the FIFOs `events` (we write) and
 *       `commands` (we read). --inherit: the engine has applied environment, directory and user already.
 *   boxinit attach [--inherit] PORT CONF
 *       In a VM that has another init: a systemd unit, or a container inside. PORT is a virtio-serial port by its
 *       name, or a device by its path; CONF is a file or a device that holds the box.conf, newlines after it.
 *   boxinit idle [WORD]...
 *       A workload that says one line and sleeps; the words are there to be seen in its command line.
 *   boxinit (PID 1, no such argument)
 *       A VM's initramfs: loads modules, finds the virtio-serial ports, mounts the image's disk as root.
 *
 * Both then run the workload, forward its output, watch for readiness and end with its exit code.
 * Host and agent exchange text lines of at most LINE_BYTES, one write() each, so that no line is ever split.
 * All memory is static: a start costs no allocation, and an absurd configuration is refused, not swapped.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_BYTES = 4096,       /* longest protocol line; also PIPE_BUF, so a write that fits a pipe is one piece */
    CHUNK_BYTES = 4096,      /* forwarded at once: a pipe that polls writable takes this much without blocking */
    CONF_BYTES = 256 * 1024,
    REPLY_BYTES = 64 * 1024, /* of an HTTP reply, looked at */
    TEXT_BYTES = 1024,       /* longest text to look for */
    MAX_ARGV = 1024,
    MAX_ENV = 2048,
    MAX_GROUPS = 256,
    MAX_LEFT_OUT = 32,             /* paths that a digest leaves out */
    MAX_DIRECTORY = 1024 * 1024,   /* entries of one directory: a digest sorts them in memory */
    PATH_BYTES = 4096,
    DEVICE_WAIT_MS = 10000,
    STREAMS = 2,
    EXERCISE_BYTES = 1024 * 1024, /* of an exercise's output that is sent; the rest is counted and thrown away */
};
#define ATTEMPT_LIMIT_NS 2000000000LL /* one HTTP attempt */
#define DRAIN_PATIENCE_MS 5000        /* for a host that takes no output, once the workload has ended */
#define RECHECK_NS 100000000LL        /* a command channel whose host end is closed is looked at again */
#define CGROUP2_MAGIC 0x63677270L
#define CGROUP1_MAGIC 0x27e0ebL
#define TMPFS_MAGIC_NUMBER 0x01021994L

enum ready_kind { READY_STARTED, READY_FIRST_LINE, READY_LOG, READY_EXIT, READY_TCP, READY_HTTP };

struct ready {
    enum ready_kind kind;
    char *text; /* log: to look for; http: the body contains it */
    char *path;
    int code;   /* exit code or HTTP status */
    int port;
};

struct conf {
    char *argv[MAX_ARGV + 1];
    size_t argc;
    char *env[MAX_ENV + 1];
    size_t envc;
    char *cwd;
    char *hostname;
    char *root_device, *root_type;
    bool has_user, reboot, probe;
    uid_t uid;
    gid_t gid;
    gid_t groups[MAX_GROUPS];
    size_t groupc;
    int stop_signal;
    int64_t stop_timeout_ms, poll_us;
    struct ready ready;
};

/* One output of the workload on its way to the host. */
struct stream {
    int from, to;
    char chunk[CHUNK_BYTES];
    size_t used, sent;
    char window[TEXT_BYTES + CHUNK_BYTES]; /* end of what was seen, so that a text split by two reads is found */
    size_t seen;
};

/* One output of the exercise, on its way to the host in lines that are as full as they can be. */
struct words {
    int from;
    const char *name;
    char line[LINE_BYTES];
    size_t used; /* 0: nothing waits */
    long long seen, sent;
};

/* A command that is run beside the ready workload, as it would be. */
struct exercise {
    pid_t child;
    bool limit_passed;
    int64_t kill_at_ns;
    struct words words[STREAMS];
};

enum probe_state { PROBE_OFF, PROBE_WAITING, PROBE_CONNECTING, PROBE_READING };

struct probe {
    enum probe_state state;
    int fd;
    int64_t next_ns, limit_ns;
    bool listening;
    char reply[REPLY_BYTES + 1];
    size_t used;
};

static struct {
    bool vm, inherit, ready, stopping, ended;
    int events, commands, signals, host_root;
    pid_t child, digester;
    int exit_code;
    int64_t kill_at_ns, commands_at_ns;
    char command[LINE_BYTES];
    size_t command_used;
    sigset_t original_mask;
    struct conf conf;
    struct stream streams[STREAMS];
    struct probe probe;
    struct exercise exercise;
} self = {.events = -1, .commands = -1, .signals = -1, .host_root = -1, .exercise = {.words = {{.from = -1, .name = "stdout"}, {.from = -1, .name = "stderr"}}}};

/* ---- time, encoding, lines ---- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

static bool is_plain(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           (byte != 0 && strchr("_./:=,@+-", byte) != NULL);
}

/* Percent-encode into `to` (room for `room` bytes with the NUL). False when it was cut, at a whole byte. */
static bool encode(const char *text, char *to, size_t room)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (; *text != 0; text++) {
        unsigned char byte = (unsigned char)*text;
        if (used + 4 > room) {
            to[used] = 0;
            return false;
        }
        if (is_plain(byte)) {
            to[used++] = (char)byte;
        } else {
            to[used++] = '%';
            to[used++] = digits[byte >> 4];
            to[used++] = digits[byte & 15];
        }
    }
    to[used] = 0;
    return true;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Decode in place. */
static void decode(char *text)
{
    char *to = text;
    for (; *text != 0; text++) {
        if (*text == '%' && hex_value(text[1]) >= 0 && hex_value(text[2]) >= 0) {
            *to++ = (char)(hex_value(text[1]) * 16 + hex_value(text[2]));
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = 0;
}

static void write_line(const char *line, size_t length)
{
    ssize_t written;
    if (self.events < 0)
        return;
    do
        written = write(self.events, line, length);
    while (written < 0 && errno == EINTR);
}

__attribute__((format(printf, 1, 2))) static void send_line(const char *format, ...)
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

static void mark(const char *name) { send_line("BB1 mark %s %lld", name, (long long)now_ns()); }

static void send_error(const char *text)
{
    char encoded[LINE_BYTES - 32];
    encode(text, encoded, sizeof encoded);
    send_line("BB1 error %s", encoded);
}

/* ---- the end ---- */

static void power_off(void)
{
    /* Whoever still has a file open for writing would keep the root from becoming read-only. */
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    sync();
    if (self.conf.root_device != NULL)
        mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    reboot(self.conf.reboot ? RB_AUTOBOOT : RB_POWER_OFF);
    for (;;) /* PID 1 must not return: the kernel would panic before the power is off */
        pause();
}

__attribute__((noreturn)) static void finish(int code)
{
    if (self.vm)
        power_off();
    _exit(code);
}

__attribute__((noreturn)) static void fatal_code(int code, const char *text)
{
    /* First, since the host takes the error for the end and looks at the output. */
    dprintf(STDERR_FILENO, "boxinit: %s\n", text);
    send_error(text);
    finish(code);
}

__attribute__((noreturn, format(printf, 1, 2))) static void fatal(const char *format, ...)
{
    char text[LINE_BYTES / 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fatal_code(127, text);
}

/* ---- box.conf ---- */

static char *next_word(char **rest)
{
    char *word = *rest;
    char *space = strchr(word, ' ');
    if (space != NULL) {
        *space = 0;
        *rest = space + 1;
    } else {
        *rest = word + strlen(word);
    }
    return word;
}

static char *decoded_word(char **rest)
{
    char *word = next_word(rest);
    decode(word);
    return word;
}

static int64_t number_word(char **rest, const char *directive)
{
    char *word = next_word(rest), *end;
    errno = 0;
    long long value = strtoll(word, &end, 10);
    if (*word == 0 || *end != 0 || errno != 0 || value < 0)
        fatal("box.conf: %s: %s is not a number", directive, word);
    return value;
}

static void push_word(char **words, size_t *count, size_t limit, char *word, const char *directive)
{
    if (*count >= limit)
        fatal("box.conf: more than %zu lines of %s", limit, directive);
    words[(*count)++] = word;
}

static void parse_user(char *rest)
{
    struct conf *conf = &self.conf;
    conf->has_user = true;
    conf->uid = (uid_t)number_word(&rest, "user");
    conf->gid = (gid_t)number_word(&rest, "user");
    for (char *item = strtok(rest, ","); item != NULL; item = strtok(NULL, ",")) {
        if (conf->groupc >= MAX_GROUPS)
            fatal("box.conf: user: more than %d groups", MAX_GROUPS);
        conf->groups[conf->groupc++] = (gid_t)strtoul(item, NULL, 10);
    }
}

static void parse_ready(char *rest)
{
    struct ready *ready = &self.conf.ready;
    const char *kind = next_word(&rest);
    if (strcmp(kind, "started") == 0) {
        ready->kind = READY_STARTED;
    } else if (strcmp(kind, "first-line") == 0) {
        ready->kind = READY_FIRST_LINE;
    } else if (strcmp(kind, "log") == 0) {
        ready->kind = READY_LOG;
        ready->text = decoded_word(&rest);
        if (strlen(ready->text) > TEXT_BYTES)
            fatal("box.conf: ready log: the text is longer than %d bytes", TEXT_BYTES);
    } else if (strcmp(kind, "exit") == 0) {
        ready->kind = READY_EXIT;
        ready->code = (int)number_word(&rest, "ready");
    } else if (strcmp(kind, "tcp") == 0) {
        ready->kind = READY_TCP;
        ready->port = (int)number_word(&rest, "ready");
    } else if (strcmp(kind, "http") == 0) {
        ready->kind = READY_HTTP;
        ready->port = (int)number_word(&rest, "ready");
        ready->path = decoded_word(&rest);
        ready->code = (int)number_word(&rest, "ready");
        ready->text = decoded_word(&rest);
    } else {
        fatal("box.conf: ready: unknown kind %s", kind);
    }
}

/* Numbers and flags; false when the directive is none of them. */
static bool parse_number(const char *key, char *rest)
{
    struct conf *conf = &self.conf;
    if (strcmp(key, "stop_signal") == 0)
        conf->stop_signal = (int)number_word(&rest, key);
    else if (strcmp(key, "stop_timeout_ms") == 0)
        conf->stop_timeout_ms = number_word(&rest, key);
    else if (strcmp(key, "poll_us") == 0)
        conf->poll_us = number_word(&rest, key);
    else if (strcmp(key, "poweroff") == 0)
        conf->reboot = strcmp(rest, "reboot") == 0;
    else if (strcmp(key, "probe") == 0)
        conf->probe = true;
    else
        return false;
    return true;
}

static void parse_directive(char *line)
{
    struct conf *conf = &self.conf;
    const char *key = next_word(&line);
    if (strcmp(key, "argv") == 0) {
        push_word(conf->argv, &conf->argc, MAX_ARGV, decoded_word(&line), key);
    } else if (strcmp(key, "env") == 0) {
        push_word(conf->env, &conf->envc, MAX_ENV, decoded_word(&line), key);
    } else if (strcmp(key, "cwd") == 0) {
        conf->cwd = decoded_word(&line);
    } else if (strcmp(key, "user") == 0) {
        parse_user(line);
    } else if (strcmp(key, "hostname") == 0) {
        conf->hostname = decoded_word(&line);
    } else if (strcmp(key, "ready") == 0) {
        parse_ready(line);
    } else if (strcmp(key, "root") == 0) {
        conf->root_device = decoded_word(&line);
        conf->root_type = decoded_word(&line);
    } else if (!parse_number(key, line)) {
        fatal("box.conf: unknown directive %s", key);
    }
}

static size_t read_file_at(int directory, const char *path, char *buffer, size_t room)
{
    size_t used = 0;
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    for (ssize_t got; used + 1 < room && (got = read(fd, buffer + used, room - 1 - used)) > 0;)
        used += (size_t)got;
    close(fd);
    buffer[used] = 0;
    return used;
}

static void read_conf(const char *path)
{
    static char text[CONF_BYTES];
    self.conf.stop_signal = SIGTERM;
    self.conf.stop_timeout_ms = 10000;
    self.conf.poll_us = 2000;
    size_t used = read_file_at(AT_FDCWD, path, text, sizeof text);
    if (used == 0)
        fatal("%s: cannot be read or is empty", path);
    if (used + 1 == sizeof text)
        fatal("%s: larger than %d bytes", path, CONF_BYTES);
    for (char *line = text, *end; *line != 0; line = end) {
        end = strchrnul(line, '\n');
        if (*end != 0)
            *end++ = 0;
        if (*line != 0)
            parse_directive(line);
    }
    if (self.conf.argc == 0 && !self.conf.probe)
        fatal("%s: no argv", path);
}

/* ---- the workload ---- */

/* Shared with the vfork child, which runs in our memory until it execs: this is how it tells what failed. */
struct start {
    char *const *argv;
    bool own_session; /* so that all it started can be ended with it */
    const char *volatile step;
    const char *volatile what;
    volatile int error;
};

static void fail_start(struct start *start, const char *step, const char *what)
{
    start->error = errno;
    start->step = step;
    start->what = what;
    _exit(127);
}

static const char *variable(char *const *env, const char *name)
{
    size_t length = strlen(name);
    for (; *env != NULL; env++)
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
            return *env + length + 1;
    return NULL;
}

/* As execvpe, but with the workload's own PATH and, like the container engines, without a shell as fall-back. */
static void exec_on_path(char *const *argv, char *const *env)
{
    char candidate[4096];
    int error = ENOENT;
    if (strchr(argv[0], '/') != NULL) {
        execve(argv[0], argv, env);
        return;
    }
    const char *path = variable(env, "PATH");
    for (const char *end; path != NULL; path = *end != 0 ? end + 1 : NULL) {
        end = strchrnul(path, ':');
        int length = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)(end - path), path, argv[0]);
        if (length >= 0 && (size_t)length < sizeof candidate && length > 0)
            execve(candidate, argv, env);
        if (errno != ENOENT && errno != ENOTDIR)
            error = errno;
    }
    errno = error;
}

static void become_user(struct start *start)
{
    const struct conf *conf = &self.conf;
    if (!conf->has_user)
        return;
    /* An unprivileged agent can be the right user already; it cannot set groups. */
    if (geteuid() != 0 && geteuid() == conf->uid)
        return;
    /* The user may open /dev/stdout by name: engines hand over these pipes too. */
    if (conf->uid != 0 && (fchown(STDOUT_FILENO, conf->uid, -1) != 0 || fchown(STDERR_FILENO, conf->uid, -1) != 0))
        fail_start(start, "fchown", "stdout");
    if (setgroups(conf->groupc, conf->groups) != 0)
        fail_start(start, "setgroups", "");
    if (setgid(conf->gid) != 0)
        fail_start(start, "setgid", "");
    if (setuid(conf->uid) != 0)
        fail_start(start, "setuid", "");
}

static void child_main(struct start *start, int stdout_fd, int stderr_fd)
{
    struct conf *conf = &self.conf;
    if (self.vm || start->own_session)
        setsid();
    if (self.vm) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null >= 0)
            dup2(null, STDIN_FILENO);
    }
    dup2(stdout_fd, STDOUT_FILENO);
    dup2(stderr_fd, STDERR_FILENO);
    if (!self.inherit) {
        /* Before the user changes: as the engines do, a directory only root may enter is still a valid start. */
        if (conf->cwd != NULL && chdir(conf->cwd) != 0)
            fail_start(start, "chdir", conf->cwd);
        become_user(start);
    }
    sigprocmask(SIG_SETMASK, &self.original_mask, NULL);
    exec_on_path(start->argv, self.inherit ? environ : conf->env);
    fail_start(start, "exec", start->argv[0]);
}

/* vfork: no page tables are copied, and when it returns in the parent the exec has happened or failed. */
__attribute__((noinline)) static pid_t spawn_child(struct start *start, int stdout_fd, int stderr_fd)
{
    pid_t child = vfork();
    if (child == 0)
        child_main(start, stdout_fd, stderr_fd);
    return child;
}

/* A caller in the background ignores SIGINT and SIGQUIT, and what is ignored is inherited: the workload of a bare process
 * would start otherwise than one in a container, and a stop signal would be lost. */
static void default_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
}

static void block_signals(void)
{
    const int stops[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, self.conf.stop_signal};
    sigset_t watched, blocked;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        sigaddset(&watched, stops[i]);
    blocked = watched;
    sigaddset(&blocked, SIGPIPE); /* blocked is as good as ignored, and the child gets the old mask back */
    sigprocmask(SIG_BLOCK, &blocked, &self.original_mask);
    self.signals = signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
    if (self.signals < 0)
        fatal("signalfd: %s", strerror(errno));
}

static void start_workload(void)
{
    int out[2], err[2];
    struct start start = {.argv = self.conf.argv};
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
        fatal("pipe: %s", strerror(errno));
    mark("exec");
    self.child = spawn_child(&start, out[1], err[1]);
    if (self.child < 0)
        fatal("fork: %s", strerror(errno));
    close(out[1]);
    close(err[1]);
    self.streams[0].from = out[0];
    self.streams[1].from = err[0];
    if (start.error != 0) {
        char text[LINE_BYTES / 4];
        snprintf(text, sizeof text, "%s %s: %s", start.step, start.what, strerror(start.error));
        fatal_code(start.error == EACCES || start.error == ENOEXEC ? 126 : 127, text);
    }
}

static void end_exercise(void);

static void begin_stop(void)
{
    if (self.stopping || self.child <= 0)
        return;
    self.stopping = true;
    end_exercise();
    self.kill_at_ns = now_ns() + self.conf.stop_timeout_ms * 1000000LL;
    kill(self.child, self.conf.stop_signal);
}

/* ---- output and the readiness that is read from it ---- */

static void become_ready(void)
{
    if (!self.ready)
        mark("ready");
    self.ready = true;
}

static void look_for_text(struct stream *stream, const char *data, size_t length)
{
    const char *text = self.conf.ready.text;
    size_t size = strlen(text);
    if (stream->seen + length > sizeof stream->window) {
        size_t keep = size < stream->seen ? size : stream->seen;
        memmove(stream->window, stream->window + stream->seen - keep, keep);
        stream->seen = keep;
    }
    memcpy(stream->window + stream->seen, data, length);
    stream->seen += length;
    if (memmem(stream->window, stream->seen, text, size) != NULL)
        become_ready();
}

static void watch_output(struct stream *stream, const char *data, size_t length)
{
    if (self.ready)
        return;
    if (self.conf.ready.kind == READY_FIRST_LINE && stream == &self.streams[0] && memchr(data, '\n', length) != NULL)
        become_ready();
    if (self.conf.ready.kind == READY_LOG)
        look_for_text(stream, data, length);
}

static void take_output(struct stream *stream)
{
    ssize_t got = read(stream->from, stream->chunk, sizeof stream->chunk);
    if (got > 0) {
        watch_output(stream, stream->chunk, (size_t)got);
        stream->used = stream->to >= 0 ? (size_t)got : 0;
        stream->sent = 0;
    } else if (got == 0 || errno != EINTR) {
        close(stream->from);
        stream->from = -1;
    }
}

static void give_output(struct stream *stream)
{
    ssize_t put = write(stream->to, stream->chunk + stream->sent, stream->used - stream->sent);
    if (put > 0)
        stream->sent += (size_t)put;
    else if (put < 0 && errno != EINTR && errno != EAGAIN)
        stream->to = -1; /* nobody reads: the workload must not be stopped by that */
    if (stream->to < 0 || stream->sent == stream->used)
        stream->used = stream->sent = 0;
}

static void arm_stream(const struct stream *stream, struct pollfd *slot)
{
    bool pending = stream->used > stream->sent;
    slot->fd = pending ? stream->to : stream->from;
    slot->events = pending ? POLLOUT : POLLIN;
}

static void serve_stream(struct stream *stream, const struct pollfd *slot)
{
    if (slot->revents == 0)
        return;
    if (stream->used > stream->sent)
        give_output(stream);
    else
        take_output(stream);
}

/* Bytes that wait in the workload's pipe. */
static int queued(const struct stream *stream)
{
    int bytes = 0;
    return stream->from >= 0 && ioctl(stream->from, FIONREAD, &bytes) == 0 ? bytes : 0;
}

/* Polls for what is pending, and for no more than ``left`` bytes of each pipe; false when there is neither. */
static bool arm_drain(const int left[STREAMS], struct pollfd set[STREAMS])
{
    bool busy = false;
    for (int i = 0; i < STREAMS; i++) {
        arm_stream(&self.streams[i], &set[i]);
        if (set[i].events == POLLIN && left[i] <= 0)
            set[i].fd = -1;
        busy = busy || set[i].fd >= 0;
    }
    return busy;
}

/* What the workload left in its pipes when it ended, and no more: others that hold them may write for ever. */
static void drain_streams(void)
{
    int left[STREAMS];
    struct pollfd set[STREAMS];
    for (int i = 0; i < STREAMS; i++)
        left[i] = queued(&self.streams[i]);
    while (arm_drain(left, set)) {
        int count = poll(set, STREAMS, DRAIN_PATIENCE_MS);
        if (count == 0) {
            send_error("the host did not take the last of the output");
            return;
        }
        for (int i = 0; i < STREAMS && count > 0; i++) {
            if (set[i].events == POLLIN && set[i].revents != 0)
                left[i] -= (int)sizeof self.streams[i].chunk;
            serve_stream(&self.streams[i], &set[i]);
        }
    }
}

/* ---- readiness that is asked for: one TCP connection at a time ---- */

static void probe_close(void)
{
    close(self.probe.fd);
    self.probe.fd = -1;
    self.probe.state = PROBE_WAITING;
}

static void probe_done(void)
{
    probe_close();
    self.probe.state = PROBE_OFF;
}

static void probe_request(void)
{
    char request[LINE_BYTES];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nUser-Agent: boxinit\r\nConnection: close\r\n\r\n",
                          self.conf.ready.path);
    self.probe.used = 0;
    self.probe.state = PROBE_READING;
    self.probe.limit_ns = now_ns() + ATTEMPT_LIMIT_NS;
    if (send(self.probe.fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        probe_close();
}

/* A port in the ephemeral range can be connected to itself when nobody listens yet. */
static bool probe_met_itself(void)
{
    struct sockaddr_in local = {0};
    socklen_t size = sizeof local;
    return getsockname(self.probe.fd, (struct sockaddr *)&local, &size) == 0 &&
           ntohs(local.sin_port) == self.conf.ready.port;
}

static void probe_connected(void)
{
    if (probe_met_itself()) {
        probe_close();
        return;
    }
    if (!self.probe.listening)
        mark("listening");
    self.probe.listening = true;
    if (self.conf.ready.kind == READY_TCP) {
        become_ready();
        probe_done();
    } else {
        probe_request();
    }
}

static void probe_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)self.conf.ready.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int64_t now = now_ns();
    self.probe.next_ns = now + self.conf.poll_us * 1000;
    self.probe.limit_ns = now + ATTEMPT_LIMIT_NS;
    self.probe.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self.probe.fd < 0)
        fatal("socket: %s", strerror(errno));
    if (connect(self.probe.fd, (struct sockaddr *)&address, sizeof address) == 0)
        probe_connected();
    else if (errno == EINPROGRESS)
        self.probe.state = PROBE_CONNECTING;
    else
        probe_close();
}

/* Looks at what has come so far; true when the whole answer is the wanted one. */
static bool probe_judge(void)
{
    const struct ready *ready = &self.conf.ready;
    int status = 0;
    self.probe.reply[self.probe.used] = 0;
    if (memchr(self.probe.reply, '\n', self.probe.used) == NULL)
        return false;
    if (sscanf(self.probe.reply, "HTTP/%*d.%*d %d", &status) != 1 || status != ready->code)
        return false;
    become_ready();
    if (*ready->text == 0)
        return true;
    const char *body = memmem(self.probe.reply, self.probe.used, "\r\n\r\n", 4);
    if (body == NULL)
        return false;
    size_t size = self.probe.used - (size_t)(body - self.probe.reply);
    return memmem(body, size, ready->text, strlen(ready->text)) != NULL;
}

static void probe_read(void)
{
    struct probe *probe = &self.probe;
    ssize_t got = read(probe->fd, probe->reply + probe->used, REPLY_BYTES - probe->used);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        probe->used += (size_t)got;
    if (got > 0 && probe_judge()) {
        mark("replied");
        probe_done();
    } else if (got <= 0 || probe->used == REPLY_BYTES) {
        probe_close();
    }
}

static void probe_serve(const struct pollfd *slot)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (slot->revents == 0)
        return;
    if (self.probe.state == PROBE_READING) {
        probe_read();
    } else if (self.probe.state == PROBE_CONNECTING) {
        getsockopt(self.probe.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error == 0)
            probe_connected();
        else
            probe_close();
    }
}

static void probe_tick(int64_t now)
{
    if (self.probe.state == PROBE_WAITING && now >= self.probe.next_ns)
        probe_start();
    else if (self.probe.state >= PROBE_CONNECTING && now >= self.probe.limit_ns)
        probe_close();
}

/* ---- the exercise: one command, its output, its end ---- */

static void send_words(struct words *words)
{
    if (words->used == 0)
        return;
    words->line[words->used++] = '\n';
    write_line(words->line, words->used);
    words->used = 0;
}

static void take_byte(struct words *words, char byte)
{
    char text[2] = {byte, 0};
    words->seen++;
    if (words->sent == EXERCISE_BYTES)
        return;
    words->sent++;
    if (words->used + 5 > sizeof words->line)
        send_words(words);
    if (words->used == 0)
        words->used = (size_t)snprintf(words->line, sizeof words->line, "BB1 exercise-%s ", words->name);
    if (byte == 0)
        words->used += (size_t)snprintf(words->line + words->used, 4, "%%00");
    else
        words->used += encode(text, words->line + words->used, 4) ? strlen(words->line + words->used) : 0;
}

/* False at the end, or when there is nothing for now. */
static bool take_words(struct words *words)
{
    char chunk[CHUNK_BYTES];
    ssize_t got = words->from >= 0 ? read(words->from, chunk, sizeof chunk) : 0;
    for (ssize_t i = 0; i < got; i++)
        take_byte(words, chunk[i]);
    if (words->from >= 0 && (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))) {
        close(words->from);
        words->from = -1;
    }
    return got > 0;
}

static void exercise_exited(int status, const struct rusage *usage, int64_t ended_ns)
{
    struct exercise *exercise = &self.exercise;
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    /* Stamped by the host before the output, which may be long. */
    send_line("BB1 exercise-exit %d %d %lld %lld %ld %d %lld", sig != 0 ? 128 + sig : WEXITSTATUS(status), sig,
              usage->ru_utime.tv_sec * 1000000LL + usage->ru_utime.tv_usec,
              usage->ru_stime.tv_sec * 1000000LL + usage->ru_stime.tv_usec, usage->ru_maxrss,
              exercise->limit_passed ? 1 : 0, (long long)ended_ns);
    kill(-exercise->child, SIGKILL); /* what it left running would disturb whatever comes next */
    for (int i = 0; i < STREAMS; i++) {
        struct words *words = &exercise->words[i];
        while (take_words(words))
            ;
        if (words->from >= 0)
            close(words->from);
        words->from = -1;
        send_words(words);
    }
    send_line("BB1 exercise-end %lld %lld", exercise->words[0].seen, exercise->words[1].seen);
    exercise->child = 0;
    exercise->kill_at_ns = 0;
}

static void exercise_never_started(const struct start *start)
{
    char text[LINE_BYTES / 4];
    struct rusage nothing = {0};
    snprintf(text, sizeof text, "%s %s: %s\n", start->step, start->what, strerror(start->error));
    for (const char *at = text; *at != 0; at++)
        take_byte(&self.exercise.words[1], *at);
    exercise_exited((start->error == EACCES || start->error == ENOEXEC ? 126 : 127) << 8, &nothing, now_ns());
}

static void start_exercise(char *rest)
{
    static char *argv[LINE_BYTES / 2];
    struct exercise *exercise = &self.exercise;
    struct start start = {.argv = argv, .own_session = true};
    int out[2], err[2];
    size_t argc = 0;
    if (exercise->child > 0 || self.stopping) {
        send_error("exercise: the last one is not done, or the box is being stopped");
        return;
    }
    int64_t limit_ms = strtoll(next_word(&rest), NULL, 10);
    while (*rest != 0)
        push_word(argv, &argc, LINE_BYTES / 2 - 1, decoded_word(&rest), "exercise");
    argv[argc] = NULL;
    if (argc == 0 || limit_ms <= 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        send_error("exercise: no command, no time limit, or no pipe");
        return;
    }
    send_line("BB1 exercise-start %lld", (long long)now_ns());
    exercise->kill_at_ns = now_ns() + limit_ms * 1000000LL;
    exercise->limit_passed = false;
    exercise->child = spawn_child(&start, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    exercise->words[0].from = out[0];
    exercise->words[1].from = err[0];
    for (int i = 0; i < STREAMS; i++) {
        exercise->words[i].seen = exercise->words[i].sent = 0;
        fcntl(exercise->words[i].from, F_SETFL, O_NONBLOCK);
    }
    if (exercise->child < 0 && start.error == 0)
        start.error = errno, start.step = "fork", start.what = argv[0];
    if (start.error != 0) {
        if (exercise->child > 0)
            waitpid(exercise->child, NULL, 0);
        exercise_never_started(&start);
    }
}

static void end_exercise(void)
{
    self.exercise.kill_at_ns = 0;
    if (self.exercise.child > 0)
        kill(-self.exercise.child, SIGKILL);
}

/* ---- facts: what can be seen from inside ---- */

static void fact(const char *key, const char *value)
{
    char encoded[LINE_BYTES - 512];
    bool whole = encode(value, encoded, sizeof encoded);
    send_line("BB1 fact %.400s%s %s", key, whole ? "" : ".cut", encoded);
}

static void fact_number(const char *key, long long value) { send_line("BB1 fact %s %lld", key, value); }

/* /proc and /sys as they were before a chroot, which hides them. */
static size_t read_fact_file(const char *path, char *buffer, size_t room)
{
    if (self.host_root >= 0)
        return read_file_at(self.host_root, path + 1, buffer, room);
    return read_file_at(AT_FDCWD, path, buffer, room);
}

/* The rest of the line of `text` that starts with `key`, ended in place and without blanks around; or NULL. */
static char *field(char *text, const char *key)
{
    size_t length = strlen(key);
    for (char *line = text; line != NULL && *line != 0;) {
        char *end = strchr(line, '\n');
        if (strncmp(line, key, length) == 0) {
            char *value = line + length + strspn(line + length, " \t");
            if (end != NULL)
                *end = 0;
            for (char *last = value + strlen(value); last > value && (last[-1] == ' ' || last[-1] == '\t');)
                *--last = 0;
            return value;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return NULL;
}

static void fact_field(const char *key, const char *path, const char *name, long long scale)
{
    char text[16384];
    if (read_fact_file(path, text, sizeof text) == 0)
        return;
    const char *value = field(text, name);
    if (value == NULL)
        return;
    if (scale > 0)
        fact_number(key, atoll(value) * scale);
    else
        fact(key, value);
}

static bool fact_limit(const char *path)
{
    char text[64];
    if (read_fact_file(path, text, sizeof text) == 0)
        return false;
    unsigned long long value = strtoull(text, NULL, 10);
    /* "max" reads as 0; version 1 says unlimited with a number just below 2^63. */
    if (value > 0 && value < (1ULL << 62))
        send_line("BB1 fact memory_limit_bytes %llu", value);
    return true;
}

static void fact_memory_limit(void)
{
    char groups[8192], again[8192], path[8192 + 128], *line;
    size_t used = read_fact_file("/proc/self/cgroup", groups, sizeof groups);
    memcpy(again, groups, used + 1);
    char *memory = used > 0 ? strstr(groups, ":memory:") : NULL;
    if (memory != NULL) {
        memory += strlen(":memory:");
        *strchrnul(memory, '\n') = 0;
        snprintf(path, sizeof path, "/sys/fs/cgroup/memory%s/memory.limit_in_bytes", memory);
        if (fact_limit(path) || fact_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
            return;
    }
    line = used > 0 ? field(again, "0::") : NULL;
    if (line != NULL) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line);
        if (fact_limit(path))
            return;
    }
    fact_limit("/sys/fs/cgroup/memory.max");
}

static void fact_cgroup_version(void)
{
    struct statfs about;
    int version = 0, fd;
    if (self.host_root >= 0)
        fd = openat(self.host_root, "sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
    else
        fd = open("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstatfs(fd, &about) == 0) {
        if (about.f_type == CGROUP2_MAGIC)
            version = 2;
        else if (about.f_type == CGROUP1_MAGIC || about.f_type == TMPFS_MAGIC_NUMBER)
            version = 1;
    }
    close(fd);
    fact_number("cgroup_version", version);
}

static bool is_ram(int entry)
{
    char type[64];
    return read_file_at(entry, "type", type, sizeof type) > 0 && strncmp(type, "System RAM", 10) == 0;
}

static long long ram_of(int entry)
{
    char first[64], last[64];
    if (!is_ram(entry) || read_file_at(entry, "start", first, sizeof first) == 0 ||
        read_file_at(entry, "end", last, sizeof last) == 0)
        return 0;
    return (long long)(strtoull(last, NULL, 16) - strtoull(first, NULL, 16) + 1);
}

/* What the firmware told the kernel: a VM's size before the kernel has taken its own part of it. */
static void fact_ram(void)
{
    struct dirent *entry;
    long long total = 0;
    int at = self.host_root >= 0 ? self.host_root : AT_FDCWD;
    int directory = openat(at, "/sys/firmware/memmap" + (self.host_root >= 0), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *map = directory >= 0 ? fdopendir(directory) : NULL;
    while (map != NULL && (entry = readdir(map)) != NULL) {
        int range = entry->d_name[0] != '.' ? openat(directory, entry->d_name, O_PATH | O_CLOEXEC) : -1;
        if (range >= 0) {
            total += ram_of(range);
            close(range);
        }
    }
    if (map != NULL)
        closedir(map);
    if (total > 0)
        fact_number("ram_bytes", total);
}

/* Free pages that each CPU keeps on a list of its own: neither MemFree nor MemAvailable has them. */
static void fact_listed(void)
{
    static char text[CONF_BYTES];
    long long pages = 0;
    if (read_fact_file("/proc/zoneinfo", text, sizeof text) == 0)
        return;
    for (const char *at = text; (at = strstr(at, " count:")) != NULL;)
        pages += atoll(at += strlen(" count:"));
    fact_number("mem_listed_bytes", pages * sysconf(_SC_PAGESIZE));
}

static void facts_of_machine(void)
{
    struct utsname names;
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        fact_number("cpus", CPU_COUNT(&cpus));
    fact_field("mem_total_bytes", "/proc/meminfo", "MemTotal:", 1024);
    fact_field("mem_available_bytes", "/proc/meminfo", "MemAvailable:", 1024);
    fact_listed();
    fact_memory_limit();
    fact_ram();
    if (uname(&names) == 0) {
        fact("kernel", names.release);
        fact("machine", names.machine);
        fact("hostname", names.nodename);
    }
    fact_number("uptime_ns", clock_ns(CLOCK_BOOTTIME));
    fact_field("cpu_stat", "/proc/stat", "cpu ", 0);
    fact_cgroup_version();
    fact_field("clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource", "", 0);
}

static void fact_mounts(void)
{
    static char text[CONF_BYTES];
    if (read_fact_file("/proc/self/mounts", text, sizeof text) == 0)
        return;
    long long count = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    fact_number("mounts", count);
}

static void fact_id(const char *key, const char *path, const char *name)
{
    char text[16384];
    if (read_fact_file(path, text, sizeof text) == 0)
        return;
    const char *value = field(text, name); /* real, effective, saved, file system: the effective one counts */
    long long real, effective;
    if (value != NULL && sscanf(value, "%lld %lld", &real, &effective) == 2)
        fact_number(key, effective);
}

static void facts_of_child(void)
{
    char path[64], target[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)self.child);
    fact_id("uid", path, "Uid:");
    fact_id("gid", path, "Gid:");
    fact_field("groups", path, "Groups:", 0);
    fact_field("cap_eff", path, "CapEff:", 0);
    fact_field("cap_bnd", path, "CapBnd:", 0);
    fact_field("no_new_privs", path, "NoNewPrivs:", 0);
    fact_field("seccomp", path, "Seccomp:", 0);
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)self.child);
    int directory = self.host_root >= 0 ? self.host_root : AT_FDCWD;
    ssize_t length = readlinkat(directory, path + (self.host_root >= 0), target, sizeof target - 1);
    if (length > 0) {
        target[length] = 0;
        fact("cwd", target);
    }
}

static void facts_of_command(void)
{
    char words[LINE_BYTES] = "", word[LINE_BYTES], key[512];
    size_t used = 0;
    for (char **item = self.conf.argv; *item != NULL; item++) {
        encode(*item, word, sizeof word);
        int added = snprintf(words + used, sizeof words - used, "%s%s", used > 0 ? " " : "", word);
        if (added < 0 || (used += (size_t)added) >= sizeof words)
            break;
    }
    fact("argv", words);
    for (char **item = self.inherit ? environ : self.conf.env; *item != NULL; item++) {
        const char *equals = strchr(*item, '=');
        if (equals == NULL || equals - *item > 200)
            continue;
        memcpy(word, *item, (size_t)(equals - *item));
        word[equals - *item] = 0;
        memcpy(key, "env.", 5);
        if (encode(word, key + 4, 390))
            fact(key, equals + 1);
    }
}

static void send_facts(void)
{
    facts_of_machine();
    fact_number("pid", getpid());
    fact_number("agent_uid", geteuid());
    fact_mounts();
    facts_of_child();
    facts_of_command();
    send_line("BB1 facts-end");
}

/* ---- SHA-256, FIPS 180-4 ---- */

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    unsigned char block[64];
};

static const uint32_t sha256_first[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotated(uint32_t word, int by) { return word >> by | word << (32 - by); }

static void sha256_schedule(uint32_t *words, const unsigned char *block)
{
    for (int i = 0; i < 16; i++) {
        uint32_t word;
        memcpy(&word, block + 4 * i, 4);
        words[i] = be32toh(word);
    }
    for (int i = 16; i < 64; i++) {
        uint32_t near = words[i - 2], far = words[i - 15];
        words[i] = words[i - 16] + (rotated(far, 7) ^ rotated(far, 18) ^ far >> 3) + words[i - 7] +
                   (rotated(near, 17) ^ rotated(near, 19) ^ near >> 10);
    }
}

/* One round on renamed variables: moving eight words each round would cost a third of the time under TCG. */
#define SHA256_ROUND(a, b, c, d, e, f, g, h, i)                                                                        \
    do {                                                                                                               \
        uint32_t t = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + (g ^ (e & (f ^ g))) +                     \
                     sha256_constants[i] + words[i];                                                                   \
        d += t;                                                                                                        \
        h = t + (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) | (c & (a | b)));                         \
    } while (0)

static void sha256_block(struct sha256 *sha, const unsigned char *block)
{
    uint32_t words[64], *s = sha->state;
    uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    sha256_schedule(words, block);
    for (int i = 0; i < 64; i += 8) {
        SHA256_ROUND(a, b, c, d, e, f, g, h, i);
        SHA256_ROUND(h, a, b, c, d, e, f, g, i + 1);
        SHA256_ROUND(g, h, a, b, c, d, e, f, i + 2);
        SHA256_ROUND(f, g, h, a, b, c, d, e, i + 3);
        SHA256_ROUND(e, f, g, h, a, b, c, d, i + 4);
        SHA256_ROUND(d, e, f, g, h, a, b, c, i + 5);
        SHA256_ROUND(c, d, e, f, g, h, a, b, i + 6);
        SHA256_ROUND(b, c, d, e, f, g, h, a, i + 7);
    }
    s[0] += a, s[1] += b, s[2] += c, s[3] += d, s[4] += e, s[5] += f, s[6] += g, s[7] += h;
}

static void sha256_begin(struct sha256 *sha)
{
    memcpy(sha->state, sha256_first, sizeof sha->state);
    sha->length = 0;
}

static void sha256_add(struct sha256 *sha, const void *data, size_t size)
{
    const unsigned char *from = data;
    size_t used = sha->length % 64;
    sha->length += size;
    for (; used > 0 && size > 0; size--) {
        sha->block[used++] = *from++;
        if (used == 64) {
            sha256_block(sha, sha->block);
            used = 0;
        }
    }
    for (; size >= 64; size -= 64, from += 64)
        sha256_block(sha, from);
    if (size > 0)
        memcpy(sha->block + used, from, size);
}

/* Room for 65 bytes in `text`. */
static void sha256_end(struct sha256 *sha, char *text)
{
    static const unsigned char padding[64] = {0x80};
    uint64_t bits = htobe64(sha->length * 8);
    sha256_add(sha, padding, 1 + (119 - sha->length % 64) % 64);
    sha256_add(sha, &bits, sizeof bits);
    for (int i = 0; i < 8; i++)
        sprintf(text + 8 * i, "%08x", sha->state[i]);
}

/* ---- the digest of the tree: bench/image/archive.py says what it is ---- */

/* A process of its own, so that the agent stays awake; it may allocate, and dies with the agent. */
static struct {
    struct sha256 tree;
    char *left_out[MAX_LEFT_OUT];
    size_t left_outc;
    char path[PATH_BYTES]; /* absolute; the root is empty */
} digest;

__attribute__((noreturn)) static void digest_failed(void)
{
    char text[PATH_BYTES + 128];
    snprintf(text, sizeof text, "digest: %s: %s", digest.path, strerror(errno));
    send_error(text);
    _exit(1);
}

static bool is_listed(const char *path)
{
    for (size_t i = 0; i < digest.left_outc; i++)
        if (strcmp(path, digest.left_out[i]) == 0)
            return true;
    return false;
}

static bool is_entry_left_out(const char *name)
{
    char path[PATH_BYTES + 256];
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    snprintf(path, sizeof path, "%s/%s", digest.path + 1, name);
    return is_listed(path);
}

/* Nothing in it but what is left out by name. */
static bool is_empty_directory(void)
{
    struct dirent *entry;
    bool empty = true;
    DIR *directory = opendir(digest.path);
    if (directory == NULL)
        return false;
    while (empty && (entry = readdir(directory)) != NULL)
        empty = is_entry_left_out(entry->d_name);
    closedir(directory);
    return empty;
}

/* By its own name, or, listed with a slash at its end, while it is an empty directory. */
static bool is_left_out(void)
{
    char directory[PATH_BYTES + 1];
    if (is_listed(digest.path + 1))
        return true;
    snprintf(directory, sizeof directory, "%s/", digest.path + 1);
    return is_listed(directory) && is_empty_directory();
}

static void digest_content(char *text)
{
    static char buffer[256 * 1024];
    struct sha256 sha;
    ssize_t got;
    int fd = open(digest.path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        digest_failed();
    sha256_begin(&sha);
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        sha256_add(&sha, buffer, (size_t)got);
    if (got < 0)
        digest_failed();
    close(fd);
    sha256_end(&sha, text);
}

static void digest_link(char *text, size_t room)
{
    char target[PATH_BYTES];
    ssize_t length = readlink(digest.path, target, sizeof target - 1);
    if (length < 0)
        digest_failed();
    target[length] = 0;
    encode(target, text, room);
}

static char kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return 'f';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFIFO: return 'p';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    default: return '?';
    }
}

static void digest_entry(const struct stat *about)
{
    static char data[3 * PATH_BYTES], path[3 * PATH_BYTES], line[sizeof data + sizeof path + 256];
    char kind = kind_of(about->st_mode);
    bool device = kind == 'c' || kind == 'b';
    strcpy(data, "-");
    if (kind == 'f')
        digest_content(data);
    else if (kind == 'l')
        digest_link(data, sizeof data);
    encode(digest.path + 1, path, sizeof path);
    int length = snprintf(line, sizeof line, "%c %04o %u %u %u:%u %lld %s %s\n", kind,
                          kind == 'l' ? 0777 : about->st_mode & 07777, about->st_uid, about->st_gid,
                          device ? major(about->st_rdev) : 0, device ? minor(about->st_rdev) : 0,
                          kind == 'f' ? (long long)about->st_size : 0, path, data);
    sha256_add(&digest.tree, line, (size_t)length);
}

static int by_bytes(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static char **sorted_names(size_t *count)
{
    size_t room = 0;
    char **names = NULL;
    struct dirent *entry;
    DIR *directory = opendir(*digest.path != 0 ? digest.path : "/");
    if (directory == NULL)
        digest_failed();
    *count = 0;
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*count == room) {
            room = room > 0 ? 2 * room : 64;
            errno = E2BIG;
            if (room > MAX_DIRECTORY || (names = realloc(names, room * sizeof *names)) == NULL)
                digest_failed();
        }
        if ((names[(*count)++] = strdup(entry->d_name)) == NULL)
            digest_failed();
    }
    if (errno != 0)
        digest_failed();
    closedir(directory);
    if (*count > 0)
        qsort(names, *count, sizeof *names, by_bytes);
    return names;
}

static void digest_directory(size_t length)
{
    struct stat about;
    size_t count;
    char **names = sorted_names(&count);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(names[i]) + 1;
        errno = ENAMETOOLONG;
        if (length + size >= PATH_BYTES)
            digest_failed();
        digest.path[length] = '/';
        memcpy(digest.path + length + 1, names[i], size);
        free(names[i]);
        if (!is_left_out()) {
            if (lstat(digest.path, &about) != 0)
                digest_failed();
            digest_entry(&about);
            if (S_ISDIR(about.st_mode))
                digest_directory(length + size);
        }
        digest.path[length] = 0;
    }
    free(names);
}

__attribute__((noreturn)) static void digest_tree(char *left_out)
{
    char text[65];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (*left_out != 0) {
        errno = E2BIG;
        if (digest.left_outc == MAX_LEFT_OUT)
            digest_failed();
        digest.left_out[digest.left_outc++] = decoded_word(&left_out);
    }
    sha256_begin(&digest.tree);
    digest_directory(0);
    sha256_end(&digest.tree, text);
    send_line("BB1 digest %s", text);
    _exit(0);
}

static void start_digest(char *left_out)
{
    if (self.digester > 0) {
        send_error("digest: the last one is not done");
        return;
    }
    self.digester = fork();
    if (self.digester == 0)
        digest_tree(left_out);
    if (self.digester < 0)
        send_error("digest: fork failed");
}

static void digester_ended(int status)
{
    self.digester = 0;
    if (WIFSIGNALED(status))
        send_error("digest: it was killed; is there too little memory?");
}

/* ---- flush: what the host's disk is told when somebody in the box syncs ---- */

/* A directory on a disk: what lies in memory has nothing to flush. */
static int open_disk_place(void)
{
    static const char *const places[] = {"/.boxbench", "/tmp", "/"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct statfs about;
        int place = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (place >= 0 && fstatfs(place, &about) == 0 && about.f_type != TMPFS_MAGIC && about.f_type != RAMFS_MAGIC &&
            faccessat(place, ".", W_OK, AT_EACCESS) == 0)
            return place;
        if (place >= 0)
            close(place);
    }
    return -1;
}

/* A page more and a sync, `rest` times; the facts say how often that went well and how long all of it took. */
static void flush(const char *rest)
{
    static const char page[4096] = {'x'};
    long done = 0, wanted = atol(rest);
    int64_t took_ns = 0;
    int place = open_disk_place();
    int file = place < 0 ? -1 : openat(place, ".boxbench-flush", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    while (file >= 0 && done < wanted && write(file, page, sizeof page) == (ssize_t)sizeof page) {
        int64_t begun_ns = now_ns();
        if (fsync(file) != 0)
            break;
        took_ns += now_ns() - begun_ns;
        done++;
    }
    if (file >= 0) {
        close(file);
        unlinkat(place, ".boxbench-flush", 0);
    }
    if (place >= 0)
        close(place);
    fact_number("flush_ns", took_ns);
    fact_number("flushes", done);
}

/* ---- commands ---- */

static void obey(char *line)
{
    char text[LINE_BYTES / 4];
    char *rest = line;
    const char *verb = next_word(&rest);
    if (strcmp(verb, "ping") == 0) {
        send_line("BB1 pong %s", rest);
    } else if (strcmp(verb, "facts") == 0) {
        send_facts();
    } else if (strcmp(verb, "digest") == 0) {
        start_digest(rest);
    } else if (strcmp(verb, "exercise") == 0) {
        start_exercise(rest);
    } else if (strcmp(verb, "flush") == 0) {
        flush(rest);
    } else if (strcmp(verb, "stop") == 0) {
        begin_stop();
    } else {
        snprintf(text, sizeof text, "unknown command %s", verb);
        send_error(text);
    }
}

static void take_commands(void)
{
    ssize_t got = read(self.commands, self.command + self.command_used, sizeof self.command - 1 - self.command_used);
    if (got <= 0) {
        /* The host end is closed, for now: poll would return at once for ever. */
        self.commands_at_ns = now_ns() + RECHECK_NS;
        return;
    }
    self.command_used += (size_t)got;
    self.command[self.command_used] = 0;
    char *line = self.command;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        obey(line);
    }
    self.command_used -= (size_t)(line - self.command);
    memmove(self.command, line, self.command_used);
    if (self.command_used == sizeof self.command - 1)
        self.command_used = 0; /* no command is this long */
}

/* ---- signals and the main loop ---- */

static void child_ended(int status, const struct rusage *usage)
{
    int64_t ended_ns = now_ns();
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    bool from_output = self.conf.ready.kind == READY_FIRST_LINE || self.conf.ready.kind == READY_LOG;
    self.exit_code = sig != 0 ? 128 + sig : WEXITSTATUS(status);
    self.ended = true;
    if (from_output && !self.ready)
        drain_streams(); /* its last words may be what readiness waits for, and must be marked before the end */
    if (self.conf.ready.kind == READY_EXIT && sig == 0 && !self.stopping && self.exit_code == self.conf.ready.code)
        become_ready();
    send_line("BB1 exit %d %d %lld %lld %ld %lld", self.exit_code, sig,
              usage->ru_utime.tv_sec * 1000000LL + usage->ru_utime.tv_usec,
              usage->ru_stime.tv_sec * 1000000LL + usage->ru_stime.tv_usec, usage->ru_maxrss, (long long)ended_ns);
    drain_streams();
}

static void reap(void)
{
    struct rusage usage;
    int status;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;)
        if (pid == self.child)
            child_ended(status, &usage);
        else if (pid == self.exercise.child)
            exercise_exited(status, &usage, now_ns());
        else if (pid == self.digester)
            digester_ended(status);
}

static void take_signals(void)
{
    struct signalfd_siginfo info;
    while (read(self.signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap();
        else
            begin_stop();
    }
}

static int64_t next_deadline_ns(void)
{
    int64_t next = INT64_MAX;
    if (self.probe.state == PROBE_WAITING)
        next = self.probe.next_ns;
    else if (self.probe.state >= PROBE_CONNECTING)
        next = self.probe.limit_ns;
    if (self.kill_at_ns > 0 && self.kill_at_ns < next)
        next = self.kill_at_ns;
    if (self.exercise.kill_at_ns > 0 && self.exercise.kill_at_ns < next)
        next = self.exercise.kill_at_ns;
    if (self.commands_at_ns > 0 && self.commands_at_ns < next)
        next = self.commands_at_ns;
    return next;
}

static int wait_for_something(struct pollfd *set, nfds_t count)
{
    int64_t deadline = next_deadline_ns();
    if (deadline == INT64_MAX)
        return ppoll(set, count, NULL, NULL);
    int64_t left = deadline - now_ns();
    if (left < 0)
        left = 0;
    struct timespec limit = {.tv_sec = left / 1000000000LL, .tv_nsec = left % 1000000000LL};
    return ppoll(set, count, &limit, NULL);
}

static void serve_deadlines(void)
{
    int64_t now = now_ns();
    if (self.kill_at_ns > 0 && now >= self.kill_at_ns) {
        kill(self.child, SIGKILL);
        self.kill_at_ns = 0;
    }
    if (self.exercise.kill_at_ns > 0 && now >= self.exercise.kill_at_ns) {
        self.exercise.limit_passed = true;
        end_exercise();
    }
    if (now >= self.commands_at_ns)
        self.commands_at_ns = 0;
    probe_tick(now);
}

static void serve_until_the_end(void)
{
    enum { OUT, ERR, PROBE, COMMANDS, SIGNALS, EXERCISE_OUT, EXERCISE_ERR, COUNT };
    struct pollfd set[COUNT];
    while (!self.ended) {
        arm_stream(&self.streams[0], &set[OUT]);
        arm_stream(&self.streams[1], &set[ERR]);
        set[PROBE] = (struct pollfd){.fd = self.probe.state >= PROBE_CONNECTING ? self.probe.fd : -1,
                                     .events = self.probe.state == PROBE_CONNECTING ? POLLOUT : POLLIN};
        set[COMMANDS] = (struct pollfd){.fd = self.commands_at_ns > 0 ? -1 : self.commands, .events = POLLIN};
        set[SIGNALS] = (struct pollfd){.fd = self.signals, .events = POLLIN};
        set[EXERCISE_OUT] = (struct pollfd){.fd = self.exercise.words[0].from, .events = POLLIN};
        set[EXERCISE_ERR] = (struct pollfd){.fd = self.exercise.words[1].from, .events = POLLIN};
        if (wait_for_something(set, COUNT) > 0) {
            serve_stream(&self.streams[0], &set[OUT]);
            serve_stream(&self.streams[1], &set[ERR]);
            probe_serve(&set[PROBE]);
            if (set[EXERCISE_OUT].revents != 0)
                take_words(&self.exercise.words[0]);
            if (set[EXERCISE_ERR].revents != 0)
                take_words(&self.exercise.words[1]);
            if (set[COMMANDS].revents != 0)
                take_commands();
            if (set[SIGNALS].revents != 0)
                take_signals();
        }
        serve_deadlines();
    }
}

static void run_workload(int stdout_fd, int stderr_fd)
{
    self.streams[0].to = stdout_fd;
    self.streams[1].to = stderr_fd;
    block_signals();
    start_workload();
    self.probe.fd = -1;
    if (self.conf.ready.kind == READY_TCP || self.conf.ready.kind == READY_HTTP)
        self.probe.state = PROBE_WAITING; /* next_ns is 0: the first attempt is made at once */
    if (self.conf.ready.kind == READY_STARTED)
        become_ready();
    serve_until_the_end();
    end_exercise();
}

/* ---- started by a container engine, or by the host as a bare process ---- */

static void open_channel(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/events", directory);
    self.events = open(path, O_WRONLY | O_CLOEXEC);
    if (self.events < 0)
        fatal("%s: %s", path, strerror(errno));
    mark("init");
    snprintf(path, sizeof path, "%s/commands", directory);
    self.commands = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (self.commands < 0)
        fatal("%s: %s", path, strerror(errno));
}

static void join_cgroup(const char *file)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        fatal("--cgroup %s: %s", file, strerror(errno));
    close(fd);
}

static void enter_tree(const char *tree)
{
    self.host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (chroot(tree) != 0 || chdir("/") != 0)
        fatal("--chroot %s: %s", tree, strerror(errno));
}

static char **launcher_flags(char **argument)
{
    for (; argument[0] != NULL && argument[1] != NULL; argument += 2) {
        if (strcmp(argument[0], "--cgroup") == 0)
            join_cgroup(argument[1]);
        else if (strcmp(argument[0], "--chroot") == 0)
            enter_tree(argument[1]);
        else
            break;
    }
    return argument;
}

static int run_in_box(char **argument)
{
    char path[4096];
    argument = launcher_flags(argument);
    if (argument[0] == NULL || strcmp(argument[0], "run") != 0)
        fatal("usage: boxinit [--cgroup FILE]... [--chroot TREE] run [--inherit] DIR");
    argument++;
    if (argument[0] != NULL && strcmp(argument[0], "--inherit") == 0) {
        self.inherit = true;
        argument++;
    }
    if (argument[0] == NULL || argument[1] != NULL)
        fatal("run: give one directory");
    default_signals();
    open_channel(argument[0]);
    snprintf(path, sizeof path, "%s/box.conf", argument[0]);
    read_conf(path);
    run_workload(STDOUT_FILENO, STDERR_FILENO);
    return self.exit_code;
}

/* ---- PID 1 of a VM ---- */

static void mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
    mkdir(target, 0755);
    if (mount(source, target, type, flags, data) != 0)
        dprintf(STDERR_FILENO, "boxinit: mount %s: %s\n", target, strerror(errno));
}

static void mount_kernel_files(void)
{
    mount_at("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_at("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    /* Without a console the kernel gives us no 0, 1 and 2, and a port opened next must not become one of them. */
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

static void load_module(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST))
        dprintf(STDERR_FILENO, "boxinit: module %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    unlink(path); /* the initramfs is memory of the guest */
}

static void load_modules(void)
{
    static char list[CONF_BYTES];
    read_file_at(AT_FDCWD, "/modules.list", list, sizeof list);
    for (char *path = strtok(list, "\n"); path != NULL; path = strtok(NULL, "\n"))
        load_module(path);
}

static int open_port(const char *wanted)
{
    char path[512], name[128];
    struct dirent *entry;
    int fd = -1;
    DIR *ports = opendir("/sys/class/virtio-ports");
    while (ports != NULL && fd < 0 && (entry = readdir(ports)) != NULL) {
        snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
        size_t used = read_file_at(AT_FDCWD, path, name, sizeof name);
        if (used == 0 || strcmp(strtok(name, "\n"), wanted) != 0)
            continue;
        snprintf(path, sizeof path, "/dev/%s", entry->d_name);
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    if (ports != NULL)
        closedir(ports);
    return fd;
}

/* Ports appear one by one while the device answers its driver. */
static int wait_for_port(const char *name, int limit_ms)
{
    int fd = open_port(name);
    for (int waited = 0; fd < 0 && waited < limit_ms; waited++) {
        sleep_ms(1);
        fd = open_port(name);
    }
    return fd;
}

/* A virtio device of type 3, with its driver in the kernel: its ports come by themselves. */
static bool console_is_coming(void)
{
    char path[512], type[32];
    struct dirent *entry;
    bool found = false;
    DIR *devices = opendir("/sys/bus/virtio/devices");
    while (devices != NULL && !found && (entry = readdir(devices)) != NULL) {
        snprintf(path, sizeof path, "/sys/bus/virtio/devices/%s/device", entry->d_name);
        found = read_file_at(AT_FDCWD, path, type, sizeof type) > 0 && strtol(type, NULL, 16) == 3;
    }
    if (devices != NULL)
        closedir(devices);
    return found && access("/sys/bus/virtio/drivers/virtio_console", F_OK) == 0;
}

static void open_ports(void)
{
    /* Our first mark must not wait for modules, unless the ports' driver or their bus is one of them. */
    bool loaded = !console_is_coming();
    if (loaded)
        load_modules();
    self.events = wait_for_port("boxbench.events", DEVICE_WAIT_MS);
    if (self.events < 0)
        fatal("no virtio-serial port boxbench.events within %d ms", DEVICE_WAIT_MS);
    self.commands = self.events;
    mark("init");
    if (!loaded)
        load_modules();
}

static void wait_for_device(const char *path)
{
    for (int waited = 0; access(path, F_OK) != 0; waited++) {
        if (waited >= DEVICE_WAIT_MS)
            fatal("the disk %s did not appear within %d ms", path, DEVICE_WAIT_MS);
        sleep_ms(1);
    }
}

static void carry_mount(const char *from, const char *to)
{
    mkdir(to, 0755);
    if (mount(from, to, NULL, MS_MOVE, NULL) != 0)
        fatal("move %s to %s: %s", from, to, strerror(errno));
}

static void switch_root(void)
{
    const struct conf *conf = &self.conf;
    wait_for_device(conf->root_device);
    mkdir("/newroot", 0755);
    if (mount(conf->root_device, "/newroot", conf->root_type, 0, NULL) != 0)
        fatal("mount %s as %s: %s", conf->root_device, conf->root_type, strerror(errno));
    mark("root");
    unlink("/init");
    unlink("/box.conf");
    unlink("/modules.list");
    carry_mount("/dev", "/newroot/dev");
    carry_mount("/proc", "/newroot/proc");
    carry_mount("/sys", "/newroot/sys");
    if (chdir("/newroot") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
        fatal("switch to the new root: %s", strerror(errno));
}

/* What every container engine puts into /dev, and a bare devtmpfs lacks. */
static void complete_dev(void)
{
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"},
        {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"},
        {"/proc/self/fd/2", "/dev/stderr"},
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlink(links[i][0], links[i][1]) != 0 && errno != EEXIST)
            dprintf(STDERR_FILENO, "boxinit: %s: %s\n", links[i][1], strerror(errno));
    mount_at("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666");
    mount_at("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    mount_at("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static void bring_up_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_flags = IFF_UP | IFF_RUNNING; /* the kernel itself adds 127.0.0.1 */
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        dprintf(STDERR_FILENO, "boxinit: lo: %s\n", strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void prepare_vm(void)
{
    if (self.conf.root_device != NULL)
        switch_root();
    complete_dev();
    bring_up_loopback();
    if (self.conf.hostname != NULL)
        sethostname(self.conf.hostname, strlen(self.conf.hostname));
}

static void run_as_init(void)
{
    self.vm = true;
    umask(022);
    mount_kernel_files();
    open_ports();
    read_conf("/box.conf");
    if (self.conf.probe)
        power_off();
    int stdout_fd = wait_for_port("boxbench.stdout", 1000);
    int stderr_fd = wait_for_port("boxbench.stderr", 1000);
    prepare_vm();
    run_workload(stdout_fd >= 0 ? stdout_fd : STDOUT_FILENO, stderr_fd >= 0 ? stderr_fd : STDERR_FILENO);
    power_off();
}

/* A workload that does nothing, for looking at a box that nothing has changed. */
__attribute__((noreturn)) static void be_idle(void)
{
    static const char line[] = "idle\n";
    if (write(STDOUT_FILENO, line, sizeof line - 1) < 0)
        _exit(1);
    for (;;)
        pause();
}

/* ---- in a VM, below another init ---- */

static int attach(char **argument)
{
    if (argument[0] != NULL && strcmp(argument[0], "--inherit") == 0) {
        self.inherit = true;
        argument++;
    }
    if (argument[0] == NULL || argument[1] == NULL || argument[2] != NULL)
        fatal("usage: boxinit attach [--inherit] PORT CONF");
    self.events = argument[0][0] == '/' ? open(argument[0], O_RDWR | O_CLOEXEC)
                                        : wait_for_port(argument[0], DEVICE_WAIT_MS);
    if (self.events < 0)
        fatal("%s: %s", argument[0], strerror(errno));
    self.commands = self.events;
    mark("init");
    read_conf(argument[1]);
    /* A systemd unit has these two; a container's output goes where its engine wants it. */
    int stdout_fd = open_port("boxbench.stdout");
    int stderr_fd = open_port("boxbench.stderr");
    run_workload(stdout_fd >= 0 ? stdout_fd : STDOUT_FILENO, stderr_fd >= 0 ? stderr_fd : STDERR_FILENO);
    return self.exit_code;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "idle") == 0)
        be_idle();
    if (argc > 1 && strcmp(argv[1], "attach") == 0)
        return attach(argv + 2);
    /* A kernel may hand PID 1 words of its command line: only our own verbs mean a box. */
    bool box = argc > 1 && (strcmp(argv[1], "run") == 0 || strncmp(argv[1], "--", 2) == 0);
    if (getpid() == 1 && !box)
        run_as_init();
    return run_in_box(argv + 1);
}
