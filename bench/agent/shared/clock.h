#pragma once
#include <stdint.h>
#include <time.h>

/* A clock's time in nanoseconds. */
int64_t clock_ns(clockid_t clock);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t now_ns(void);

void sleep_ms(long ms);
