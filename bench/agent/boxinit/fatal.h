#pragma once

/* Errors that end the agent. */

/* How a machine of our own is powered off; NULL where the agent is not PID 1 of a VM. It does not return. */
extern void (*power_off_machine)(void);

/* Reports an error on standard error and to the host, and ends the agent with `code`; a machine of our own ends too. */
void fatal_code(int code, const char *text) __attribute__((noreturn));

/* The same with code 127, as a shell does for a command that it cannot run. */
void fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
