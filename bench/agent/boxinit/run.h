#pragma once

/* The agent below an engine, the host or another init. Each returns the workload's exit code. */

/* [--cgroup FILE]... [--chroot TREE] run [--inherit] DIR */
int run_in_box(char **argument);

/* [--inherit] PORT CONF */
int run_attached(char **argument);
