/* tsc_rate: prints the rate of this CPU's time stamp counter in kHz, measured against CLOCK_MONOTONIC for 100 ms. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <x86intrin.h>

#include "shared/clock.h"

enum { TRIES = 20 };

struct pair {
    int64_t ns;
    uint64_t ticks;
};

/* Reads both clocks at one instant. Of several tries the shortest counts, since it was interrupted least. */
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
    struct pair begin = read_both();
    sleep_ms(100);
    struct pair end = read_both();
    printf("%llu\n", (unsigned long long)((double)(end.ticks - begin.ticks) * 1e6 / (double)(end.ns - begin.ns)));
}
