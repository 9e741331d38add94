#pragma once
#include <stddef.h>
#include <sys/resource.h>

/* Lines from the agent to the host. bench/agent/protocol.py parses them. */

enum { LINE_BYTES = 4096 }; /* longest line; also PIPE_BUF, so that a write to a FIFO is never split */

/* The channel's end; -1 until it is open, and every line is dropped until then. */
extern int event_fd;

/* From now on the agent does not block on the channel. Once the host has read no line for some seconds, all further
 * lines are dropped, so that a box that the host has cut off can still be stopped. */
void never_block(void);

/* Sends one whole line, newline included, in one write(). */
void write_line(const char *line, size_t length);

/* Formats and sends a line; a line that is too long is cut. */
void send_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Sends an endpoint with the time of now. */
void send_mark(const char *endpoint);

/* Sends an error; the host takes it for the end of the box. */
void send_error(const char *text);

enum { OUTCOME_BYTES = 128 };

/* The words that `exit` and `exercise-exit` begin with: exit code, signal, user and system time, largest memory.
 * The exit code is 128 + signal when a signal ended the process. */
void format_outcome(char text[OUTCOME_BYTES], int status, const struct rusage *usage);

/* The exit code as a shell reports it: 128 + signal when a signal ended the process. */
int exit_code_of(int status);
