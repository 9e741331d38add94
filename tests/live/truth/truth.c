/* Uses up exactly what it is told to, says so, and waits: MEMORY_MIB to allocate and touch, CPU_MS to burn by its own
 * account, DISK_MIB to write and sync. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096, FILLED = 8192 };

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static void touch(long mib)
{
    if (mib == 0)
        return;
    char *at = mmap(NULL, (size_t)mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        exit(2);
    for (long offset = 0; offset < mib * MIB; offset += PAGE)
        at[offset] = (char)(offset / PAGE | 1);
}

static double used_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return 1e3 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-3 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void burn(double ms)
{
    volatile unsigned long sum = 0;
    while (used_ms() < ms)
        for (int number = 0; number < 20000; number++)
            sum += (unsigned long)number;
}

static void store(long mib)
{
    static unsigned char block[MIB];
    if (mib == 0)
        return;
    int file = open("/truth.data", O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (file < 0)
        exit(3);
    for (long number = 0; number < mib; number++) {
        memset(block, (int)(number % 255 + 1), sizeof block);
        if (write(file, block, sizeof block) != (ssize_t)sizeof block)
            exit(4);
    }
    if (fsync(file) != 0)
        exit(5);
    close(file);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 1;
    signal(SIGTERM, stop);
    touch(atol(argv[1]));
    store(atol(argv[3]));
    burn(atof(argv[2]));
    puts("done");
    /* The agent sends the output of an exercise that runs on in filled lines only. */
    printf("%*s\n", FILLED, "");
    fflush(stdout);
    for (;;)
        pause();
}
