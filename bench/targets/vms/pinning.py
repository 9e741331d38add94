"""The host CPUs of a VM's threads: virtual CPUs have the box's, and the rest of the VMM has all, or the box's too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from bench.targets.vms.qmp import Monitor

WORDS: Final = {
    "all": "virtual CPUs on the box's CPUs; device emulation and I/O threads on all CPUs of Boxbench",
    "box": "virtual CPUs, device emulation and I/O threads on the box's CPUs",
}
"""What the values of the option ``emulator_cpus`` mean."""


def emulator_cpus(rule: str, box: Sequence[int]) -> tuple[int, ...]:
    """The host CPUs for a VMM's threads that are no virtual CPUs.

    Args:
        rule: the option's value.
        box: the box's CPUs.
    """
    return tuple(box) if rule == "box" else tuple(sorted(os.sched_getaffinity(0)))


def describe_pinning(rule: str) -> dict[str, str]:
    """The rule, for ``describe``."""
    return {"host CPUs": WORDS[rule]}


def pin_vcpus(monitor: Monitor, pid: int, cpus: Sequence[int], *, patience_s: float) -> None:
    """Bind the virtual CPUs of a QEMU that starts paused to these host CPUs.

    Raises:
        LaunchError: QEMU has ended, or its monitor does not answer within ``patience_s``.
        OSError: the kernel refuses the CPUs.
    """
    found = monitor.first_answer("query-cpus-fast", pid, patience_s=patience_s)
    # With single-threaded emulation all virtual CPUs are one thread.
    for thread in {int(cpu["thread-id"]) for cpu in found}:
        os.sched_setaffinity(thread, cpus)
