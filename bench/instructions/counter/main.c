/*
 * counter: PID 1 of a guest whose clock counts instructions. It makes the guest ready, starts boxes, and says when
 * what happened. It reads /.boxbench/script, one directive a line, words percent-encoded, and obeys from top to bottom:
 *
 *   module PATH | dir PATH | link TARGET PATH | loopback | hostname NAME | env NAME=VALUE
 *   mount SOURCE PLACE TYPE [OPTIONS]    bind SOURCE PLACE
 *   movable                              the initramfs becomes a root that pivot_root can leave
 *   daemon NAME WORD...                  started, not waited for
 *   call WORD...                         run to its end, which must be good
 *   await SOCKET                         until somebody listens there
 *   channel DIRECTORY                    FIFOs of the next box's agent, and its box.conf
 *   rest MS                              sleep; under `sleep=off` it takes no time of the host's
 *   request LABEL                        the clock of the next box starts here
 *   poweron                              ... or has started with the machine
 *   park WORD...                         a launcher with its control socket as descriptor 3; back when it is parked
 *   go                                   tell it to start the box
 *   http SOCKET METHOD PATH [FILE]       one call of the Engine's API; FILE is the body
 *   grpc SOCKET FILE...                  calls of containerd's API, see frame() below
 *   ready                                wait until what the agent says says that it is ready, and pass it on
 *   stop                                 end the box: its agent is asked to, and its end is awaited
 *   finish                               everything is done, the machine ends
 *
 * All it says goes, one line each, to the debug console (port 0xe9), which is output only: nothing that the host does
 * can reach the guest. A stamp is the time stamp counter: under `-icount shift=0` it counts instructions since power-on,
 * plus what the guest waited for its own timers. The agent stamps by CLOCK_MONOTONIC, which is the same counter from
 * another zero; `clock` lines tell both, so that the reader can subtract.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PORT = 0xe9,
    MAX_WORDS = 512,
    SCRIPT_BYTES = 256 * 1024,
    REPLY_BYTES = 1024 * 1024,
    HEARD_BYTES = 64 * 1024,
    PATIENCE_MS = 120000, /* of virtual time, for one box */
    FRAME_HEAD = 9,
};

#define HERE "/.boxbench"

static struct {
    char channel[256];
    int events, commands;
    pid_t launcher, listener;
    int control;
    unsigned long long idle_before;
} self = {.events = -1, .commands = -1};

/* Written by the listener, a child, so that we can meanwhile do what starts the box. */
static struct {
    char heard[HEARD_BYTES];
    size_t used;
    bool ready;
    unsigned long long idle;
} *shared;

static unsigned long long stamp(void)
{
    unsigned low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (unsigned long long)high << 32 | low;
}

/* ---- what we say ---- */

static void say(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        outb((unsigned char)text[i], PORT);
}

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
    char line[1024];
    va_list words;
    va_start(words, format);
    int length = vsnprintf(line, sizeof line - 1, format, words);
    va_end(words);
    if (length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    /* What a tool wrote may be part of it: one line is one line. */
    for (int i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' ';
    line[length] = '\n';
    say(line, (size_t)length + 1);
}

static void __attribute__((noreturn)) power_off(void)
{
    sync();
    reboot(RB_AUTOBOOT); /* with `-no-reboot` the end of the machine, also where there is no ACPI */
    for (;;)
        pause();
}

static void tell_log(void)
{
    static char text[4096];
    int fd = open(HERE "/log", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t size = lseek(fd, 0, SEEK_END);
    lseek(fd, size > 3000 ? size - 3000 : 0, SEEK_SET);
    ssize_t got = read(fd, text, sizeof text - 1);
    text[got > 0 ? got : 0] = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        tell("log %.900s", line);
}

static void __attribute__((format(printf, 1, 2), noreturn)) fatal(const char *format, ...)
{
    char text[700];
    va_list words;
    va_start(words, format);
    vsnprintf(text, sizeof text, format, words);
    va_end(words);
    tell("error %s", text);
    tell_log();
    power_off();
}

static void tell_clocks(void)
{
    struct timespec now;
    /* The first call of a program pays for the page that the clock is read from. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long before = stamp();
    clock_gettime(CLOCK_MONOTONIC, &now);
    tell("clock %llu %lld", before, now.tv_sec * 1000000000LL + now.tv_nsec);
}

/* ---- how long the processor had nothing to do: the kernel's own account, in ns ---- */

static unsigned long long idle_ns(void)
{
    static const char name[] = ".idle_sleeptime";
    static char text[65536];
    unsigned long long value = 0;
    size_t used = 0;
    int fd = open("/proc/timer_list", O_RDONLY | O_CLOEXEC);
    for (ssize_t got; fd >= 0 && used + 1 < sizeof text && (got = read(fd, text + used, sizeof text - 1 - used)) > 0;)
        used += (size_t)got;
    if (fd >= 0)
        close(fd);
    text[used] = 0;
    const char *line = strstr(text, name);
    if (line == NULL || sscanf(line + sizeof name - 1, " : %llu", &value) != 1)
        fatal("/proc/timer_list does not say how long the processor was idle");
    return value;
}

/* ---- the script ---- */

static int hex_value(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

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

static size_t split(char *line, char *words[MAX_WORDS + 1])
{
    size_t count = 0;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        if (count == MAX_WORDS)
            fatal("script: a line of more than %d words", MAX_WORDS);
        decode(word);
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

static size_t read_file(const char *path, char *to, size_t room)
{
    size_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fatal("%s: %s", path, strerror(errno));
    for (ssize_t got; used < room && (got = read(fd, to + used, room - used)) > 0;)
        used += (size_t)got;
    close(fd);
    if (used == room)
        fatal("%s: larger than %zu bytes", path, room);
    return used;
}

/* ---- making the guest ready ---- */

static void make_dir(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        fatal("%s: %s", path, strerror(errno));
}

static void mount_at(const char *source, const char *place, const char *type, const char *options)
{
    make_dir(place);
    if (mount(source, place, type, 0, options) != 0)
        fatal("mount %s on %s: %s", type, place, strerror(errno));
}

static void bind_at(const char *source, const char *place)
{
    if (mount(source, place, NULL, MS_BIND, NULL) != 0)
        fatal("bind %s on %s: %s", source, place, strerror(errno));
}

static void make_movable(void)
{
    make_dir("/newroot");
    bind_at("/", "/newroot");
    if (chdir("/newroot") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
        fatal("a root to leave: %s", strerror(errno));
}

static void load_module(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST))
        fatal("module %s: %s", path, strerror(errno));
    close(fd);
}

static void bring_up_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        fatal("loopback: %s", strerror(errno));
    close(fd);
}

/* ---- processes ---- */

enum { CONTROL = 3 };

static pid_t start(char **words, int control)
{
    extern char **environ;
    pid_t child = vfork();
    if (child < 0)
        fatal("vfork: %s", strerror(errno));
    if (child > 0)
        return child;
    if (control == CONTROL)
        fcntl(control, F_SETFD, 0);
    else if (control >= 0)
        dup2(control, CONTROL);
    int log = open(HERE "/log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execve(words[0], words, environ);
    dprintf(STDERR_FILENO, "%s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static void call(char **words)
{
    int status;
    pid_t child = start(words, -1), ended;
    /* Orphans are ours too; and the listener may come first. */
    while ((ended = waitpid(-1, &status, 0)) != child && (ended > 0 || errno == EINTR))
        if (ended == self.listener)
            self.listener = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fatal("%s %s: status %d", words[0], words[1] != NULL ? words[1] : "", status);
}

static void park(char **words)
{
    int pair[2];
    char word;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        fatal("socketpair: %s", strerror(errno));
    self.launcher = start(words, pair[1]);
    close(pair[1]);
    self.control = pair[0];
    if (read(self.control, &word, 1) != 1 || word != 'p')
        fatal("%s did not park", words[0]);
}

static void go(void)
{
    char pid[16];
    if (write(self.control, "g", 1) != 1 || read(self.control, pid, sizeof pid) <= 0)
        fatal("the launcher did not start the box");
}

/* ---- sockets ---- */

static int connected(const char *path)
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

static int connect_to(const char *path)
{
    int fd = connected(path);
    if (fd < 0)
        fatal("connect to %s: %s", path, strerror(errno));
    return fd;
}

static void rest(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

static void await(const char *path)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        int fd = connected(path);
        if (fd >= 0) {
            close(fd);
            return;
        }
        rest(10);
    }
    fatal("nobody listens on %s", path);
}

static void write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, data, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            fatal("write: %s", strerror(errno));
        data += put;
        length -= (size_t)put;
    }
}

static void send_file(int fd, const char *path)
{
    static char chunk[65536];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        fatal("%s: %s", path, strerror(errno));
    for (ssize_t got; (got = read(from, chunk, sizeof chunk)) > 0;)
        write_all(fd, chunk, (size_t)got);
    close(from);
}

static void http(const char *path, const char *method, const char *url, const char *file)
{
    static char reply[REPLY_BYTES];
    char head[1024];
    struct stat about = {.st_size = 0};
    size_t used = 0;
    int fd = connect_to(path), status = 0;
    if (file != NULL && stat(file, &about) != 0)
        fatal("%s: %s", file, strerror(errno));
    const char *type = file != NULL && strstr(file, ".tar") != NULL ? "application/x-tar" : "application/json";
    int length = snprintf(head, sizeof head,
                          "%s %s HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Type: %s\r\n"
                          "Content-Length: %lld\r\n\r\n",
                          method, url, type, (long long)about.st_size);
    write_all(fd, head, (size_t)length);
    if (file != NULL)
        send_file(fd, file);
    for (ssize_t got; used + 1 < sizeof reply && (got = read(fd, reply + used, sizeof reply - 1 - used)) > 0;)
        used += (size_t)got;
    reply[used] = 0;
    close(fd);
    if (sscanf(reply, "HTTP/1.1 %d", &status) != 1 || status / 100 != 2)
        fatal("%s %s: %.300s", method, url, reply);
}

/* ---- containerd's API: gRPC over HTTP/2, the least of it that four calls need ---- */

static void get(int fd, char *to, size_t length)
{
    while (length > 0) {
        ssize_t got = read(fd, to, length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            fatal("containerd closed the connection");
        to += got;
        length -= (size_t)got;
    }
}

static void frame(int fd, int type, int flags, uint32_t stream, const char *data, size_t length)
{
    char head[FRAME_HEAD] = {(char)(length >> 16), (char)(length >> 8), (char)length,       (char)type,  (char)flags,
                             (char)(stream >> 24), (char)(stream >> 16), (char)(stream >> 8), (char)stream};
    write_all(fd, head, sizeof head);
    write_all(fd, data, length);
}

/* Reads frames until the stream ends; what came as DATA, without gRPC's five bytes, is left in `answer`. */
static size_t hear(int fd, uint32_t stream, char *answer, size_t room)
{
    static char data[65536];
    size_t used = 0;
    for (;;) {
        unsigned char head[FRAME_HEAD];
        get(fd, (char *)head, sizeof head);
        size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        uint32_t of = ((uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]) & 0x7fffffff;
        if (length > sizeof data)
            fatal("containerd: a frame of %zu bytes", length);
        get(fd, data, length);
        if (head[3] == 4 && (head[4] & 1) == 0)
            frame(fd, 4, 1, 0, "", 0); /* SETTINGS, and that we took note */
        else if (head[3] == 6 && (head[4] & 1) == 0)
            frame(fd, 6, 1, 0, data, length); /* PING */
        else if (head[3] == 0 && of == stream && used + length <= room) {
            memcpy(answer + used, data, length);
            used += length;
        } else if (head[3] == 3 || head[3] == 7)
            fatal("containerd reset the call");
        if (of == stream && (head[4] & 1) != 0 && (head[3] == 0 || head[3] == 1)) {
            /* Trailers follow data; an answer without any is a refusal. The words in it are packed, alas. */
            if (used < 5)
                fatal("containerd refused call %u", (stream + 1) / 2);
            memmove(answer, answer + 5, used - 5);
            return used - 5;
        }
    }
}

/* The mounts of a snapshot are field 1 of its answer, and field 3 of a task's request: only the tag differs. */
static void retag_mounts(char *answer, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t size = 0;
        if (answer[at] != 0x0a)
            fatal("containerd: a snapshot without mounts");
        answer[at++] = 0x1a;
        for (int shift = 0;; shift += 7) {
            unsigned char byte = (unsigned char)answer[at++];
            size |= (size_t)(byte & 0x7f) << shift;
            if (byte < 0x80)
                break;
        }
        at += size;
    }
}

/*
 * Each call is two files: FILE.head, its header block, and FILE, its message. The answer of one whose name ends in
 * `snapshot` is added to the message of one whose name ends in `task`.
 */
static void grpc(const char *path, char **files)
{
    static char head[8192], message[REPLY_BYTES], answer[65536], mounts[65536];
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t mount_bytes = 0;
    char name[512];
    int fd = connect_to(path);
    uint32_t stream = 1;
    write_all(fd, hello, sizeof hello - 1);
    frame(fd, 4, 0, 0, "", 0);
    for (; *files != NULL; files++, stream += 2) {
        snprintf(name, sizeof name, "%s.head", *files);
        size_t head_bytes = read_file(name, head, sizeof head);
        size_t length = read_file(*files, message + 5, sizeof message / 2);
        if (strstr(*files, "task") != NULL) {
            memcpy(message + 5 + length, mounts, mount_bytes);
            length += mount_bytes;
            mount_bytes = 0;
        }
        unsigned char prefix[5] = {0, (unsigned char)(length >> 24), (unsigned char)(length >> 16),
                                   (unsigned char)(length >> 8), (unsigned char)length};
        memcpy(message, prefix, sizeof prefix);
        frame(fd, 1, 4, stream, head, head_bytes);
        frame(fd, 0, 1, stream, message, length + 5);
        size_t got = hear(fd, stream, answer, sizeof answer);
        if (strstr(*files, "snapshot") != NULL) {
            retag_mounts(answer, got);
            memcpy(mounts, answer, got);
            mount_bytes = got;
        }
    }
    close(fd);
}

/* ---- one box ---- */

static void make_channel(const char *directory)
{
    static char conf[SCRIPT_BYTES];
    char path[512];
    snprintf(self.channel, sizeof self.channel, "%s", directory);
    make_dir(directory);
    snprintf(path, sizeof path, "%s/box.conf", directory);
    size_t length = read_file(HERE "/box.conf", conf, sizeof conf);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        fatal("%s: %s", path, strerror(errno));
    write_all(fd, conf, length);
    close(fd);
    snprintf(path, sizeof path, "%s/commands", directory);
    if ((mkfifo(path, 0666) != 0 && errno != EEXIST) || chmod(path, 0666) != 0 ||
        (self.commands = open(path, O_RDWR | O_CLOEXEC)) < 0)
        fatal("%s: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%s/events", directory);
    if ((mkfifo(path, 0666) != 0 && errno != EEXIST) || chmod(path, 0666) != 0 ||
        (self.events = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
        fatal("%s: %s", path, strerror(errno));
}

/* Waits for more of what the agent says; false when it has ended. */
static bool listen_on(void)
{
    struct pollfd set = {.fd = self.events, .events = POLLIN};
    int found = poll(&set, 1, PATIENCE_MS);
    if (found < 0 && errno == EINTR)
        return true;
    if (found <= 0)
        fatal("the box was not heard for %d s", PATIENCE_MS / 1000);
    ssize_t got = read(self.events, shared->heard + shared->used, sizeof shared->heard - 1 - shared->used);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    shared->used += (size_t)got;
    shared->heard[shared->used] = 0;
    return got > 0;
}

/* A call that starts a box may return long after the box is ready, and the processor may have been idle in between. */
static void start_listener(void)
{
    shared->used = 0;
    shared->heard[0] = 0;
    shared->ready = false;
    self.listener = fork();
    if (self.listener < 0)
        fatal("fork: %s", strerror(errno));
    if (self.listener > 0)
        return;
    for (bool open = true; open && !shared->ready && shared->used < sizeof shared->heard - 4096;) {
        open = listen_on();
        shared->ready = strstr(shared->heard, " mark ready ") != NULL;
    }
    shared->idle = idle_ns();
    _exit(0);
}

static void request(const char *label)
{
    tell("request %s", label);
    start_listener();
    rest(1); /* let it come to its poll */
    self.idle_before = idle_ns();
    unsigned long long zero = stamp();
    /* Told afterwards: the line itself takes some hundred instructions. */
    tell("mark requested %llu", zero);
}

static void tell_heard(void)
{
    for (char *line = shared->heard, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        tell("agent %s", line);
    }
    shared->used = 0;
}

static void await_ready(void)
{
    int status;
    tell("mark start_returned %llu", stamp());
    if (self.listener > 0)
        waitpid(self.listener, &status, 0);
    self.listener = 0;
    bool ready = shared->ready;
    tell_heard();
    tell("waited %llu", shared->idle - self.idle_before);
    tell_clocks();
    if (!ready)
        fatal("the box ended without being ready");
}

static void stop(void)
{
    int status;
    write_all(self.commands, "stop\n", 5);
    for (bool open = true; open; shared->used = 0)
        open = listen_on();
    close(self.events);
    close(self.commands);
    if (self.launcher > 0) {
        waitpid(self.launcher, &status, 0);
        close(self.control);
    }
    self.launcher = 0;
}

/* ---- obey ---- */

static bool prepare(const char *verb, char **words, size_t count)
{
    if (strcmp(verb, "module") == 0 && count == 1)
        load_module(words[0]);
    else if (strcmp(verb, "dir") == 0 && count == 1)
        make_dir(words[0]);
    else if (strcmp(verb, "link") == 0 && count == 2)
        (void)!symlink(words[0], words[1]);
    else if (strcmp(verb, "mount") == 0 && count >= 3)
        mount_at(words[0], words[1], words[2], words[3]);
    else if (strcmp(verb, "bind") == 0 && count == 2)
        bind_at(words[0], words[1]);
    else if (strcmp(verb, "movable") == 0)
        make_movable();
    else if (strcmp(verb, "loopback") == 0)
        bring_up_loopback();
    else if (strcmp(verb, "hostname") == 0 && count == 1)
        (void)!sethostname(words[0], strlen(words[0]));
    else if (strcmp(verb, "env") == 0 && count == 1)
        putenv(strdup(words[0]));
    else if (strcmp(verb, "rest") == 0 && count == 1)
        rest(atol(words[0]));
    else if (strcmp(verb, "await") == 0 && count == 1)
        await(words[0]);
    else if (strcmp(verb, "daemon") == 0 && count >= 1)
        start(words, -1);
    else
        return false;
    return true;
}

static void obey(const char *verb, char **words, size_t count)
{
    if (prepare(verb, words, count))
        return;
    if (strcmp(verb, "call") == 0 && count >= 1)
        call(words);
    else if (strcmp(verb, "park") == 0 && count >= 1)
        park(words);
    else if (strcmp(verb, "go") == 0)
        go();
    else if (strcmp(verb, "channel") == 0 && count == 1)
        make_channel(words[0]);
    else if (strcmp(verb, "request") == 0 && count == 1)
        request(words[0]);
    else if (strcmp(verb, "poweron") == 0) {
        tell("request first");
        start_listener();
        tell("mark requested 0");
    }
    else if (strcmp(verb, "http") == 0 && count >= 3)
        http(words[0], words[1], words[2], words[3]);
    else if (strcmp(verb, "grpc") == 0 && count >= 2)
        grpc(words[0], words + 1);
    else if (strcmp(verb, "ready") == 0)
        await_ready();
    else if (strcmp(verb, "stop") == 0)
        stop();
    else if (strcmp(verb, "finish") == 0) {
        tell("finished");
        power_off();
    } else
        fatal("script: %s with %zu words is not a directive", verb, count);
}

int main(void)
{
    static char script[SCRIPT_BYTES];
    static char *words[MAX_WORDS + 1];
    unsigned long long first = stamp();
    /* No console gives us 0, 1 and 2, and nothing opened later may become one of them. */
    while ((unsigned)open("/dev/null", O_RDWR | O_CLOEXEC) <= STDERR_FILENO)
        ;
    if (ioperm(PORT, 1, 1) != 0)
        power_off();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fatal("no memory");
    tell("mark init %llu", first);
    tell_clocks();
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    size_t length = read_file(HERE "/script", script, sizeof script);
    script[length] = 0;
    for (char *line = script, *end; *line != 0; line = end) {
        end = strchrnul(line, '\n');
        if (*end != 0)
            *end++ = 0;
        if (*line == 0)
            continue;
        size_t count = split(line, words);
        obey(words[0], words + 1, count - 1);
    }
    fatal("the script has no end");
}
