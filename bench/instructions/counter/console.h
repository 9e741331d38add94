#pragma once
#include <stdbool.h>

/* The debug console, which takes bytes and returns none: nothing that the host does can reach the guest. */

/* Gets access to the console's port. False when the machine refuses. */
bool open_console(void);

/* Writes one line, at most 1022 bytes of it. Control characters become blanks. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reports an error and the last lines of the log, and ends the machine. */
void fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

void power_off(void) __attribute__((noreturn));
