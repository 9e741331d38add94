#pragma once

/* Life as PID 1 of a VM: makes the initramfs into a system, runs the workload, powers off. */
void run_as_pid1(void) __attribute__((noreturn));
