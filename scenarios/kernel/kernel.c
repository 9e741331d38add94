/* Measures what only a kernel can do, each operation for MS milliseconds of wall time, and prints one line NAME=VALUE
 * for each.
 *
 *   kernel run MS   system calls, page faults, fork, fork and exec, switches between two processes, small files
 *   kernel idle     prints "ready" and sleeps
 *   kernel nothing  exits at once; it is the program that the exec test starts
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, PAGES = 256, FILES = 32, FILE_BYTES = 1024 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Does a batch of operations and returns how many. */
typedef long (*work)(void);

static long system_calls(void)
{
    for (int i = 0; i < BATCH; i++)
        syscall(SYS_getppid);
    return BATCH;
}

static long page_faults(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    madvise(memory, PAGES * page, MADV_NOHUGEPAGE); /* one fault per page, whatever the host's setting is */
    for (size_t i = 0; i < PAGES; i++)
        memory[i * page] = 1;
    munmap(memory, PAGES * page);
    return PAGES;
}

static void wait_for(pid_t child)
{
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        fail("child");
}

static long forks(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    wait_for(child);
    return 1;
}

static long execs(void)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/kernel", "kernel", "nothing", (char *)NULL);
        _exit(1);
    }
    wait_for(child);
    return 1;
}

static int there[2], back[2];

/* The partner answers every byte, so that each round is two switches on one CPU. */
static pid_t start_partner(void)
{
    if (pipe(there) != 0 || pipe(back) != 0)
        fail("pipe");
    pid_t partner = fork();
    if (partner == 0) {
        char byte;
        close(there[1]);
        while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
            ;
        _exit(0);
    }
    return partner;
}

static long switches(void)
{
    char byte = 0;
    for (int i = 0; i < BATCH; i++)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            fail("partner");
    return 2 * BATCH;
}

static void file_name(char *name, size_t room, int number) { snprintf(name, room, "file-%d", number); }

static long files(void)
{
    static const char content[FILE_BYTES] = "x";
    char name[32], copy[FILE_BYTES];
    struct stat about;
    for (int i = 0; i < FILES; i++) {
        file_name(name, sizeof name, i);
        int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
        if (fd < 0 || write(fd, content, sizeof content) != sizeof content)
            fail(name);
        if (pread(fd, copy, sizeof copy, 0) != sizeof copy || stat(name, &about) != 0 || close(fd) != 0)
            fail(name);
    }
    for (int i = 0; i < FILES; i++) {
        file_name(name, sizeof name, i);
        if (unlink(name) != 0)
            fail(name);
    }
    return FILES;
}

static void measure(const char *name, work work, long limit_ms)
{
    int64_t begin = now_ns(), end = begin + limit_ms * 1000000, now;
    long done = 0;
    do {
        done += work();
        now = now_ns();
    } while (now < end);
    printf("%s_per_s=%.1f\n", name, (double)done * 1e9 / (double)(now - begin));
    fflush(stdout);
}

static void run(long limit_ms)
{
    measure("syscalls", system_calls, limit_ms);
    measure("page-faults", page_faults, limit_ms);
    measure("forks", forks, limit_ms);
    measure("execs", execs, limit_ms);
    pid_t partner = start_partner();
    measure("switches", switches, limit_ms);
    close(there[1]);
    wait_for(partner);
    measure("small-files", files, limit_ms);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "run") == 0 && atol(argv[2]) > 0) {
        run(atol(argv[2]));
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "nothing") == 0)
        return 0;
    if (argc == 2 && strcmp(argv[1], "idle") == 0) {
        puts("ready");
        fflush(stdout);
        for (;;)
            pause();
    }
    fprintf(stderr, "usage: kernel run MS | idle | nothing\n");
    return 2;
}
