#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* Programs that the script starts. Their output goes to the log. */

/* Starts a program; `control` becomes its descriptor 3, unless it is -1. */
pid_t start_program(char **words, int control);

/* Runs a program to its end; every status but 0 is fatal. Reaps every other child that ends meanwhile. */
void run_program(char **words);

/* Starts boxlaunch with its control socket as descriptor 3, and returns once it waits for release_held(). */
void start_held(char **words);

/* Has the held launcher start the box, and returns once it has. */
void release_held(void);

/* Waits for the end of the held launcher, if there is one. */
void await_held(void);

/* Waits for the end of a child, unless run_program() has reaped it already. */
void await_child(pid_t child);
