/* Measures memory bandwidth of one CPU in bytes per second, with the four loops of McCalpin's STREAM.
 *
 *   stream MIB REPEATS   three arrays of MIB mebibytes each; the best of REPEATS counts, as in STREAM
 *   stream idle          prints "ready" and sleeps
 *
 * Bytes are counted as STREAM counts them: what the loop reads and writes by name, without the lines that a cache reads
 * before they are overwritten.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double *a, *b, *c;
static size_t count;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* noinline: the compiler must neither join two loops nor remove one. */
__attribute__((noinline)) static void copy(void)
{
    for (size_t i = 0; i < count; i++)
        c[i] = a[i];
}

__attribute__((noinline)) static void scale(void)
{
    for (size_t i = 0; i < count; i++)
        b[i] = 3.0 * c[i];
}

__attribute__((noinline)) static void add(void)
{
    for (size_t i = 0; i < count; i++)
        c[i] = a[i] + b[i];
}

__attribute__((noinline)) static void triad(void)
{
    for (size_t i = 0; i < count; i++)
        a[i] = b[i] + 3.0 * c[i];
}

static const struct kernel {
    const char *name;
    void (*run)(void);
    int arrays;
} kernels[] = {{"copy", copy, 2}, {"scale", scale, 2}, {"add", add, 3}, {"triad", triad, 3}};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static double *array(double value)
{
    double *made = aligned_alloc(4096, count * sizeof *made);
    if (made == NULL) {
        perror("memory");
        exit(1);
    }
    for (size_t i = 0; i < count; i++) /* page faults come before the timing */
        made[i] = value;
    return made;
}

/* Checks the arrays against the values that the loops must leave. A wrong value makes the measurement worthless. */
static void check(int repeats)
{
    double x = 1, y = 2, z = 0;
    for (int i = 0; i < repeats; i++)
        z = x, y = 3.0 * z, z = x + y, x = y + 3.0 * z;
    for (size_t i = 0; i < count; i += count / 7 + 1)
        if (a[i] != x || b[i] != y || c[i] != z) {
            fprintf(stderr, "wrong result at %zu\n", i);
            exit(1);
        }
}

static void measure(int repeats)
{
    int64_t best[KERNELS];
    for (int k = 0; k < KERNELS; k++)
        best[k] = INT64_MAX;
    for (int i = 0; i < repeats; i++)
        for (int k = 0; k < KERNELS; k++) {
            int64_t begin = now_ns();
            kernels[k].run();
            int64_t took = now_ns() - begin;
            if (took < best[k])
                best[k] = took;
        }
    check(repeats);
    for (int k = 0; k < KERNELS; k++)
        printf("%s_bytes_per_s=%.0f\n", kernels[k].name,
               (double)kernels[k].arrays * (double)count * sizeof(double) * 1e9 / (double)best[k]);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "idle") == 0) {
        puts("ready");
        fflush(stdout);
        for (;;)
            pause();
    }
    if (argc != 3 || atol(argv[1]) < 1 || atoi(argv[2]) < 1) {
        fprintf(stderr, "usage: stream MIB REPEATS | stream idle\n");
        return 2;
    }
    count = (size_t)atol(argv[1]) * (1 << 20) / sizeof(double);
    a = array(1);
    b = array(2);
    c = array(0);
    measure(atoi(argv[2]));
    return 0;
}
