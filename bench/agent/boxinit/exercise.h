#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The exercise: one command that runs beside the ready workload, as the workload's user, with its output sent as
 * lines of the protocol. */

enum { EXERCISE_STREAMS = 2 };

/* Starts one. The command line is `LIMIT_MS WORD...`. */
void start_exercise(char *rest);

/* Kills the exercise that runs, if any. Its end is reported once it is reaped. */
void kill_exercise(void);

/* The same, and refuses later ones: the box is being stopped. */
void close_exercises(void);

/* Whether this is the process of the exercise that runs. */
bool is_exercise(pid_t pid);

/* Reports the end of the exercise, and the rest of its output. */
void exercise_exited(int status, const struct rusage *usage);

void arm_exercise(struct pollfd set[EXERCISE_STREAMS]);
void serve_exercise(const struct pollfd set[EXERCISE_STREAMS]);

/* When the exercise is to be killed; 0 when none runs. */
int64_t exercise_deadline_ns(void);
void exercise_tick(int64_t now);
