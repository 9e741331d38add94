/* boxinit: the agent in every box. One static binary, started in one of four ways:
 *
 *   boxinit [--cgroup FILE]... [--chroot TREE] run [--inherit] DIR
 *       In containers, in namespaces, as a bare process. DIR holds box.conf and the FIFOs `events` (the agent writes)
 *       and `commands` (the agent reads). With --inherit an engine has applied environment, directory and user already.
 *   boxinit attach [--inherit] PORT CONF
 *       In a VM that has another init: in a systemd unit, or in a container inside the VM. PORT is a virtio-serial port
 *       by its name, or a device by its path. CONF is a file or a device that holds box.conf, padded with newlines.
 *   boxinit idle [WORD]...
 *       A workload that prints one line and sleeps. The words only show in its command line.
 *   boxinit (as PID 1, without these arguments)
 *       In the initramfs of a VM: loads modules, finds the virtio-serial ports, mounts the image's disk as the root.
 *
 * The agent then runs the workload, forwards its output, watches for readiness and ends with the workload's exit code.
 * Host and agent exchange lines of text of at most LINE_BYTES, each in one write(), so that no line is ever split.
 * All memory is static: a start pays for no allocation, and a configuration that does not fit is refused.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "mode.h"
#include "pid1.h"
#include "run.h"

struct mode mode = {.host_root = -1};

/* A workload that changes nothing in its box, so that the box itself can be inspected. */
__attribute__((noreturn)) static void run_idle(void)
{
    static const char line[] = "idle\n";
    if (write(STDOUT_FILENO, line, sizeof line - 1) < 0)
        _exit(1);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "idle") == 0)
        run_idle();
    if (argc > 1 && strcmp(argv[1], "attach") == 0)
        return run_attached(argv + 2);
    /* A kernel may pass words of its command line to PID 1, so only the agent's own verbs mean that this is a box. */
    bool box = argc > 1 && (strcmp(argv[1], "run") == 0 || strncmp(argv[1], "--", 2) == 0);
    if (getpid() == 1 && !box)
        run_as_pid1();
    return run_in_box(argv + 1);
}
