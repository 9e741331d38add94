#define _GNU_SOURCE
#include "pid1.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "conf.h"
#include "fatal.h"
#include "mode.h"
#include "ports.h"
#include "protocol.h"
#include "serve.h"
#include "shared/clock.h"
#include "shared/files.h"
#include "shared/kernel.h"

enum { OUTPUT_WAIT_MS = 1000 }; /* for the ports of the output, which not every machine has */

/* Something that the box can do without has failed. */
static void warn(const char *what) { dprintf(STDERR_FILENO, "boxinit: %s: %s\n", what, strerror(errno)); }

__attribute__((noreturn)) static void power_off(void)
{
    /* A process with a file open for writing would keep the root from becoming read-only. */
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    sync();
    if (conf.root_device != NULL)
        mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    reboot(conf.reboot ? RB_AUTOBOOT : RB_POWER_OFF);
    for (;;) /* PID 1 must not return: the kernel would panic before the power is off */
        pause();
}

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
    /* Without a console the kernel opens no 0, 1 and 2, and a port that is opened next must not become one of them. */
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

static void load_modules(void)
{
    static char list[CONF_BYTES];
    read_file_at(AT_FDCWD, "/modules.list", list, sizeof list);
    for (char *path = strtok(list, "\n"); path != NULL; path = strtok(NULL, "\n")) {
        if (!load_kernel_module(path))
            dprintf(STDERR_FILENO, "boxinit: module %s: %s\n", path, strerror(errno));
        unlink(path); /* the initramfs is memory of the guest */
    }
}

/* Whether there is a virtio device of type 3 and its driver is in the kernel: its ports then appear without modules. */
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

static void open_channel(void)
{
    /* The first mark must not wait for modules, unless the driver of the ports or of their bus is one of them. */
    bool loaded = !console_is_coming();
    if (loaded)
        load_modules();
    event_fd = wait_for_port("boxbench.events", DEVICE_WAIT_MS);
    if (event_fd < 0)
        fatal("no virtio-serial port boxbench.events within %d ms", DEVICE_WAIT_MS);
    command_fd = event_fd;
    send_mark("init");
    never_block();
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

static void relocate_mount(const char *from, const char *to)
{
    mkdir(to, 0755);
    if (mount(from, to, NULL, MS_MOVE, NULL) != 0)
        fatal("move %s to %s: %s", from, to, strerror(errno));
}

static void switch_root(void)
{
    wait_for_device(conf.root_device);
    mkdir("/newroot", 0755);
    if (mount(conf.root_device, "/newroot", conf.root_type, 0, NULL) != 0)
        fatal("mount %s as %s: %s", conf.root_device, conf.root_type, strerror(errno));
    send_mark("root");
    unlink("/init");
    unlink("/box.conf");
    unlink("/modules.list");
    relocate_mount("/dev", "/newroot/dev");
    relocate_mount("/proc", "/newroot/proc");
    relocate_mount("/sys", "/newroot/sys");
    if (chdir("/newroot") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
        fatal("switch to the new root: %s", strerror(errno));
}

/* Adds what every container engine puts into /dev and a bare devtmpfs lacks. */
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
            warn(links[i][1]);
    mount_at("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666");
    /* The size is Docker's default. A workload that needs more would run in one target and fail in another. */
    mount_at("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k");
    mount_at("mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_at("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static void complete_system(void)
{
    if (conf.root_device != NULL)
        switch_root();
    complete_dev();
    if (!bring_up_loopback())
        warn("lo");
    if (conf.hostname != NULL)
        sethostname(conf.hostname, strlen(conf.hostname));
}

void run_as_pid1(void)
{
    mode.is_pid1 = true;
    power_off_machine = power_off;
    umask(022);
    mount_kernel_files();
    open_channel();
    read_conf("/box.conf");
    if (conf.probe)
        power_off();
    int stdout_fd = wait_for_port("boxbench.stdout", OUTPUT_WAIT_MS);
    int stderr_fd = wait_for_port("boxbench.stderr", OUTPUT_WAIT_MS);
    complete_system();
    run_workload(stdout_fd >= 0 ? stdout_fd : STDOUT_FILENO, stderr_fd >= 0 ? stderr_fd : STDERR_FILENO);
    power_off();
}
