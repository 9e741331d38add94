#pragma once

/* Runs the workload from its start to its end, and meanwhile serves its output, the host's commands, signals and
 * deadlines. The result is in `workload`. */
void run_workload(int stdout_fd, int stderr_fd);
