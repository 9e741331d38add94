/*
 * dockervm: the one service of the small VM that runs containers. The VM's init (boxinit) runs it as its workload.
 *
 *   dockervm CONFIG WORD...      CONFIG is containerd's configuration, WORD... dockerd's command line without its socket
 *
 * It starts containerd, waits until it serves, and starts dockerd. dockerd can start a containerd of its own, but gives up
 * after 15 s, which can be too few for an emulated CPU on a busy host. The wait here has no limit; the host has one
 * (ANSWER_TIMEOUT_S). At the end dockerd has limits of its own; a containerd that does not end is ended with the VM by
 * the host (STOP_PATIENCE_S).
 *
 * It listens on the Engine's socket itself and passes the open socket to dockerd (`-H fd://`). A client that connects
 * before dockerd is up waits, and need not poll. It relays bytes between dockerd and the virtio-serial port
 * boxbench.api, whose other end the host has, one connection at a time. It gives the port boxbench.box and the disk with
 * the box.conf names and modes with which a container can have them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/files.h"
#include "shared/virtio_port.h"

enum { CHUNK_BYTES = 65536, LISTEN_FD = 3, MAX_WORDS = 64 };

#define ENGINE_SOCKET "/run/docker.sock"
#define NOTICE_SOCKET "/run/containerd.notice"
#define BOX_PORT "/dev/boxbench.events"
#define BOX_CONF "/dev/boxbench.conf"
#define CONF_DISK "/dev/vdb"

/* 0 until they are started. */
static pid_t containerd, engine;

__attribute__((noreturn, format(printf, 1, 2))) static void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("dockervm: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void find_port(const char *name, char path[PORT_PATH_BYTES])
{
    if (!find_virtio_port(name, path))
        fatal("no virtio-serial port %s", name);
}

/* Any user of a container opens these; the engine copies the nodes with their modes. */
static void offer(const char *device, const char *name)
{
    if (chmod(device, 0666) != 0 || symlink(device, name) != 0)
        fatal("%s as %s: %s", device, name, strerror(errno));
}

static void mount_tmpfs(const char *where)
{
    if (mount("tmpfs", where, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0)
        fatal("tmpfs on %s: %s", where, strerror(errno));
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    return address;
}

static int bound_socket(const char *path, int type)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fatal("%s: %s", path, strerror(errno));
    return fd;
}

static int listen_for_engine(void)
{
    int fd = bound_socket(ENGINE_SOCKET, SOCK_STREAM);
    if (listen(fd, 16) != 0)
        fatal("%s: %s", ENGINE_SOCKET, strerror(errno));
    return fd;
}

static int connect_to_engine(void)
{
    struct sockaddr_un address = address_of(ENGINE_SOCKET);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fatal("connect to %s: %s", ENGINE_SOCKET, strerror(errno));
    return fd;
}

/* As fork(2), without an error and with no signal blocked in the child. */
static pid_t new_process(void)
{
    sigset_t none;
    pid_t pid = fork();
    if (pid < 0)
        fatal("fork: %s", strerror(errno));
    sigemptyset(&none);
    if (pid == 0)
        sigprocmask(SIG_SETMASK, &none, NULL);
    return pid;
}

static void run_engine(char **words, int listener)
{
    char *argv[MAX_WORDS + 3], pid[16];
    size_t count = 0;
    for (; *words != NULL && count < MAX_WORDS; words++)
        argv[count++] = *words;
    argv[count++] = "--host";
    argv[count++] = "fd://";
    argv[count] = NULL;
    engine = new_process();
    if (engine > 0)
        return;
    /* The protocol of sd_listen_fds(3): the first passed socket is 3, and the pid must be the reader's own. */
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    if (listener == LISTEN_FD)
        fcntl(listener, F_SETFD, 0);
    else
        dup2(listener, LISTEN_FD);
    execvp(argv[0], argv);
    fatal("%s: %s", argv[0], strerror(errno));
}

/* Moves the bytes that have arrived to `reader`. False when `from` is closed. */
static bool move(int from, int to, const char *reader)
{
    static char chunk[CHUNK_BYTES];
    ssize_t got = read(from, chunk, sizeof chunk);
    if (got > 0 && !write_all(to, chunk, (size_t)got))
        fatal("%zd bytes to the %s are lost: %s", got, reader, strerror(errno));
    return got > 0;
}

static void stop(pid_t child)
{
    if (child == 0)
        return;
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
}

__attribute__((noreturn)) static void end(void)
{
    stop(engine);
    stop(containerd);
    exit(0);
}

static void check(pid_t child, const char *name)
{
    int status;
    if (child != 0 && waitpid(child, &status, WNOHANG) == child)
        fatal("%s ended with status %d", name, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void take_signals(int signals)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo != SIGCHLD)
        end();
    check(containerd, "containerd");
    check(engine, "the engine");
}

/* The protocol of sd_notify(3). It does not return if containerd ends, or if we are told to end. */
static void await_ready(int notices, int signals)
{
    char text[64] = "";
    while (strncmp(text, "READY=1", 7) != 0) {
        struct pollfd set[] = {{.fd = signals, .events = POLLIN}, {.fd = notices, .events = POLLIN}};
        if (poll(set, 2, -1) < 0)
            continue;
        if (set[0].revents != 0)
            take_signals(signals);
        if (set[1].revents != 0)
            recv(notices, text, sizeof text, 0);
    }
}

static void run_containerd(const char *config, int signals)
{
    int notices = bound_socket(NOTICE_SOCKET, SOCK_DGRAM);
    containerd = new_process();
    if (containerd == 0) {
        setsid(); /* as under dockerd: a signal to our group must not end it before dockerd */
        setenv("NOTIFY_SOCKET", NOTICE_SOCKET, 1);
        execlp("containerd", "containerd", "--config", config, NULL);
        fatal("containerd: %s", strerror(errno));
    }
    await_ready(notices, signals);
    close(notices);
}

/* A port that the host has not opened yet looks like one that the host has closed. */
static void await_host(int port)
{
    struct pollfd set = {.fd = port, .events = POLLIN};
    while (poll(&set, 1, 0) > 0 && (set.revents & POLLHUP) != 0)
        usleep(1000);
}

static void relay(int port, int signals)
{
    enum { PORT, ENGINE, SIGNALS, COUNT };
    int connection = connect_to_engine();
    await_host(port);
    for (;;) {
        struct pollfd set[COUNT] = {
            [PORT] = {.fd = port, .events = POLLIN},
            [ENGINE] = {.fd = connection, .events = POLLIN},
            [SIGNALS] = {.fd = signals, .events = POLLIN},
        };
        if (poll(set, COUNT, -1) < 0)
            continue;
        if (set[SIGNALS].revents != 0)
            take_signals(signals);
        /* The engine comes first: a request must not go to a connection that the engine has closed. */
        if (set[ENGINE].revents != 0 && !move(connection, port, "host")) {
            close(connection);
            connection = connect_to_engine();
        }
        if (set[PORT].revents != 0 && !move(port, connection, "engine"))
            end(); /* the host has closed its end, so no request will come any more */
    }
}

static int watch_signals(void)
{
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGCHLD);
    sigprocmask(SIG_BLOCK, &watched, NULL);
    return signalfd(-1, &watched, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    char path[PORT_PATH_BYTES];
    if (argc < 3)
        fatal("usage: dockervm CONFIG DOCKERD [WORD]...");
    signal(SIGPIPE, SIG_IGN);
    mount_tmpfs("/run");
    mount_tmpfs("/tmp");
    find_port("boxbench.box", path);
    offer(path, BOX_PORT);
    if (access(CONF_DISK, F_OK) == 0)
        offer(CONF_DISK, BOX_CONF);
    find_port("boxbench.api", path);
    int port = open(path, O_RDWR | O_CLOEXEC);
    if (port < 0)
        fatal("%s: %s", path, strerror(errno));
    int signals = watch_signals();
    int listener = listen_for_engine();
    run_containerd(argv[1], signals);
    run_engine(argv + 2, listener);
    relay(port, signals);
}
