#pragma once

/* The guest's clocks. Under `-icount shift=0` the time stamp counter counts instructions since power-on, plus what the
 * guest waited for its own timers. CLOCK_MONOTONIC is the same counter with another zero. */

unsigned long long time_stamp(void);

/* Reports both clocks at one instant, so that the host can convert the agent's stamps. */
void report_clocks(void);

/* How long the processor has been idle, in nanoseconds, by the kernel's own account. */
unsigned long long idle_ns(void);
