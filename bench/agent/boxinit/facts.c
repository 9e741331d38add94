#define _GNU_SOURCE
#include "facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "mode.h"
#include "protocol.h"
#include "shared/clock.h"
#include "shared/files.h"
#include "shared/percent.h"

/* A list of all mounts or of all memory zones may be this long. */
enum { LONG_FILE_BYTES = 256 * 1024 };

void fact(const char *key, const char *value)
{
    char encoded[LINE_BYTES - 512];
    bool whole = percent_encode(value, encoded, sizeof encoded);
    send_line("BB1 fact %.400s%s %s", key, whole ? "" : ".cut", encoded);
}

void fact_number(const char *key, long long value) { send_line("BB1 fact %s %lld", key, value); }

/* ---- reading /proc and /sys: as they were before a chroot, which hides them ---- */

/* Opens an absolute path below the root that has /proc and /sys. */
static int open_fact(const char *path, int flags)
{
    if (mode.host_root >= 0)
        return openat(mode.host_root, path + 1, flags);
    return open(path, flags);
}

static size_t read_fact_file(const char *path, char *buffer, size_t room)
{
    if (mode.host_root >= 0)
        return read_file_at(mode.host_root, path + 1, buffer, room);
    return read_file_at(AT_FDCWD, path, buffer, room);
}

/* The rest of the first line of `text` that starts with `key`, ended in place and without blanks around it; or NULL. */
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

/* Sends a field of a file: as text when `scale` is 0, otherwise as a number times `scale`. */
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

/* ---- memory ---- */

static bool fact_limit(const char *path)
{
    char text[64];
    if (read_fact_file(path, text, sizeof text) == 0)
        return false;
    unsigned long long value = strtoull(text, NULL, 10);
    /* "max" reads as 0. Version 1 writes a number just below 2^63 for no limit. */
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
    struct statfs system;
    int version = 0;
    int fd = open_fact("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstatfs(fd, &system) == 0) {
        if (system.f_type == CGROUP2_SUPER_MAGIC)
            version = 2;
        else if (system.f_type == CGROUP_SUPER_MAGIC || system.f_type == TMPFS_MAGIC)
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

static long long ram_bytes_of(int entry)
{
    char first[64], last[64];
    if (!is_ram(entry) || read_file_at(entry, "start", first, sizeof first) == 0 ||
        read_file_at(entry, "end", last, sizeof last) == 0)
        return 0;
    return (long long)(strtoull(last, NULL, 16) - strtoull(first, NULL, 16) + 1);
}

/* The memory that the firmware reported to the kernel: a VM's size before the kernel has taken its own part of it. */
static void fact_ram(void)
{
    struct dirent *entry;
    long long total = 0;
    int directory = open_fact("/sys/firmware/memmap", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *map = directory >= 0 ? fdopendir(directory) : NULL;
    while (map != NULL && (entry = readdir(map)) != NULL) {
        int range = entry->d_name[0] != '.' ? openat(directory, entry->d_name, O_PATH | O_CLOEXEC) : -1;
        if (range >= 0) {
            total += ram_bytes_of(range);
            close(range);
        }
    }
    if (map != NULL)
        closedir(map);
    if (total > 0)
        fact_number("ram_bytes", total);
}

/* Free pages on the lists of single CPUs. Neither MemFree nor MemAvailable counts them. */
static void fact_free_on_cpu_lists(void)
{
    static char text[LONG_FILE_BYTES];
    long long pages = 0;
    if (read_fact_file("/proc/zoneinfo", text, sizeof text) == 0)
        return;
    for (const char *at = text; (at = strstr(at, " count:")) != NULL;)
        pages += atoll(at += strlen(" count:"));
    fact_number("mem_listed_bytes", pages * sysconf(_SC_PAGESIZE));
}

/* ---- the machine, the processes, the command ---- */

static void facts_of_machine(void)
{
    struct utsname names;
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        fact_number("cpus", CPU_COUNT(&cpus));
    fact_field("mem_total_bytes", "/proc/meminfo", "MemTotal:", 1024);
    fact_field("mem_available_bytes", "/proc/meminfo", "MemAvailable:", 1024);
    fact_free_on_cpu_lists();
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
    static char text[LONG_FILE_BYTES];
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
    const char *value = field(text, name); /* real, effective, saved, file system: the effective one decides */
    long long real, effective;
    if (value != NULL && sscanf(value, "%lld %lld", &real, &effective) == 2)
        fact_number(key, effective);
}

static void facts_of_workload(pid_t pid)
{
    char path[64], target[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    fact_id("uid", path, "Uid:");
    fact_id("gid", path, "Gid:");
    fact_field("groups", path, "Groups:", 0);
    fact_field("cap_eff", path, "CapEff:", 0);
    fact_field("cap_bnd", path, "CapBnd:", 0);
    fact_field("no_new_privs", path, "NoNewPrivs:", 0);
    fact_field("seccomp", path, "Seccomp:", 0);
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    int directory = mode.host_root >= 0 ? mode.host_root : AT_FDCWD;
    ssize_t length = readlinkat(directory, path + (mode.host_root >= 0), target, sizeof target - 1);
    if (length > 0) {
        target[length] = 0;
        fact("cwd", target);
    }
}

static void fact_argv(void)
{
    char words[LINE_BYTES] = "", word[LINE_BYTES];
    size_t used = 0;
    for (char **item = conf.argv; *item != NULL; item++) {
        percent_encode(*item, word, sizeof word);
        int added = snprintf(words + used, sizeof words - used, "%s%s", used > 0 ? " " : "", word);
        if (added < 0 || (used += (size_t)added) >= sizeof words)
            break;
    }
    fact("argv", words);
}

static void facts_of_environment(void)
{
    char name[256], key[512] = "env.";
    for (char **item = mode.inherit ? environ : conf.env; *item != NULL; item++) {
        const char *equals = strchr(*item, '=');
        if (equals == NULL || equals - *item > 200)
            continue;
        memcpy(name, *item, (size_t)(equals - *item));
        name[equals - *item] = 0;
        if (percent_encode(name, key + strlen("env."), 390))
            fact(key, equals + 1);
    }
}

void send_facts(pid_t workload)
{
    facts_of_machine();
    fact_number("pid", getpid());
    fact_number("agent_uid", geteuid());
    fact_mounts();
    facts_of_workload(workload);
    fact_argv();
    facts_of_environment();
    send_line("BB1 facts-end");
}
