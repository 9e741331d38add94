#pragma once

/* One box after another: its channel, its request, its readiness, its end. */

/* Shared memory with the listener; called once, first. */
void prepare_listening(void);

/* Makes the FIFOs of the next box's agent in a directory, and puts the box.conf beside them. */
void make_channel(const char *directory);

/* The clock of the next box starts now. */
void request_box(const char *label);

/* The clock of the only box has started with the machine. */
void request_by_poweron(void);

/* Waits until the agent reports that the box is ready, and passes on everything that it reported. */
void await_ready(void);

/* Asks the agent to stop the box, and waits for the end of both. */
void stop_box(void);
