/* tscrate: prints how fast this CPU's time stamp counter runs, kHz, measured against CLOCK_MONOTONIC for 100 ms. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

enum { TRIES = 20 };

struct pair {
    int64_t ns;
    uint64_t ticks;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Both clocks at one instant: of some tries the one that was least interrupted. */
static struct pair read_both(void)
{
    struct pair best = {0, 0};
    int64_t shortest = INT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        int64_t before = now_ns();
        uint64_t ticks = __rdtsc();
        int64_t after = now_ns();
        if (after - before < shortest) {
            shortest = after - before;
            best = (struct pair){before + (after - before) / 2, ticks};
        }
    }
    return best;
}

int main(void)
{
    struct timespec pause = {.tv_nsec = 100000000L};
    struct pair begin = read_both();
    nanosleep(&pause, NULL);
    struct pair end = read_both();
    printf("%llu\n", (unsigned long long)((double)(end.ticks - begin.ticks) * 1e6 / (double)(end.ns - begin.ns)));
}
