"""Doubts: the marks on a record of a boot that was disturbed, each with its meaning and the next step.

A mark is a name alone (``swap``), a name with a number that grows with the disturbance (``steal:3.2%``), or a name with
words (``killed: the workload did not end on its stop signal``). An error after the values were read is a doubt, too: it
begins with the name of the error's class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Doubt(StrEnum):
    """The name of a doubt, as it stands in records."""

    STEAL = "steal"
    PRESSURE_CPU = "pressure:cpu"
    PRESSURE_MEMORY = "pressure:memory"
    PRESSURE_IO = "pressure:io"
    BUSY = "busy"
    SWAP = "swap"
    THROTTLED = "throttled"
    CPU_LIMIT = "cpu-limit"
    OOM_KILLED = "oom-killed"
    HOST_OOM_KILLED = "host-oom-killed"
    ZOMBIE = "zombie"
    GUEST_CPU = "guest-cpu"
    KILLED = "killed"
    ENDED = "ended"
    NOT_ENDED = "not ended"
    LEFTOVER = "leftover"
    NOT_REMOVED = "not removed"
    CHANNEL = "channel"
    UNSETTLED = "unsettled"
    SATURATED = "saturated"
    LATE_STAMPS = "late-stamps"
    LATE_REQUESTS = "late-requests"
    LOST = "lost"
    UNKNOWN = "unknown"

    def of(self, value: str) -> str:
        """The mark with a number: ``steal:3.2%``; of UNKNOWN with what could not be read: ``unknown:cpu``."""
        return f"{self.value}:{value}"

    def because(self, words: str) -> str:
        """The mark with words: ``leftover: process 812``."""
        return f"{self.value}: {words}"


@dataclass(frozen=True)
class DoubtFacts:
    """What is known of a doubt.

    Attributes:
        meaning: what happened, for reports.
        remedy: the next step, Markdown.
        limit: from how much on a record is marked; empty where any is enough.
    """

    meaning: str
    remedy: str
    limit: str = ""


DOUBTS: Final[Mapping[Doubt, DoubtFacts]] = {
    Doubt.STEAL: DoubtFacts("the hypervisor took CPU time away", "a host that is no VM, or another hour", "1 % of all"),
    Doubt.PRESSURE_CPU: DoubtFacts(
        "tasks waited for a CPU",
        "stop other programs; boxes with fewer `cpus` than the host has",
        "a quarter of the trial",
    ),
    Doubt.PRESSURE_MEMORY: DoubtFacts("tasks waited for memory", "less in each box, fewer boxes", "1 % of the trial"),
    Doubt.PRESSURE_IO: DoubtFacts(
        "tasks waited for the disk", "another disk; nothing that writes beside", "a quarter of the trial"
    ),
    Doubt.BUSY: DoubtFacts(
        "other tasks were runnable when the trial began", "stop them; leave the host alone", "one for each CPU"
    ),
    Doubt.SWAP: DoubtFacts("the host swapped", "`swapoff -a`, or less memory in boxes"),
    Doubt.THROTTLED: DoubtFacts("the CPU was throttled for heat or power", "cooling, the power settings"),
    Doubt.CPU_LIMIT: DoubtFacts(
        "its CPU limit held the box back for this long", "it is a part of the answer; or more `cpus`"
    ),
    Doubt.OOM_KILLED: DoubtFacts(
        "the kernel killed so many processes of the box for lack of memory", "`resources.memory`"
    ),
    Doubt.HOST_OOM_KILLED: DoubtFacts(
        "the kernel killed so many processes on the host for lack of memory", "fewer boxes, less memory in each"
    ),
    Doubt.ZOMBIE: DoubtFacts(
        "a parent that is not Boxbench waited so long for an ended process of the box: `gone` includes it",
        "an init that waits for its children at once",
    ),
    Doubt.GUEST_CPU: DoubtFacts(
        "the guest's clock ran on while its CPUs waited: it counts this many times what they ran",
        "read the host's CPU time of the box in its place",
    ),
    Doubt.KILLED: DoubtFacts(
        "the workload did not end on its stop signal", "`workload.stop_signal`, or a handler in the program"
    ),
    Doubt.ENDED: DoubtFacts(
        "the workload had ended before it was asked to stop, or its end is not known",
        "`ready: {when: exit}` for a program that ends by itself",
    ),
    Doubt.NOT_ENDED: DoubtFacts(
        "one of many boxes was still there so long after it was asked to stop, and was killed",
        "`workload.stop_signal`, or a handler in the program",
    ),
    Doubt.LEFTOVER: DoubtFacts(
        "something of the box was still on the host after the trial: a process, mount, directory or container; it was "
        "removed",
        "nothing, if it is rare; `boxbench clean --dry-run`",
    ),
    Doubt.NOT_REMOVED: DoubtFacts(
        "something of the box is still on the host, because it could not be removed", "`boxbench clean`, or by hand"
    ),
    Doubt.CHANNEL: DoubtFacts("an error on the way to the agent, after what was measured", "nothing, if it is rare"),
    Doubt.UNSETTLED: DoubtFacts(
        "the host's memory still moved by so much when it was read", "a longer `design.settle`"
    ),
    Doubt.SATURATED: DoubtFacts(
        "the boxes of a storm used all CPU time of the host and waited for each other",
        "it is a part of the answer; fewer boxes show a start without it",
    ),
    Doubt.LATE_STAMPS: DoubtFacts(
        "the harness itself had to wait for a CPU, in one of 20 cases this long", "fewer boxes in the storm"
    ),
    Doubt.LATE_REQUESTS: DoubtFacts(
        "the harness requested a box late by a notable part of the measured time", "fewer boxes in the storm"
    ),
    Doubt.LOST: DoubtFacts("so many boxes of a storm were not ready in the end", "`artefacts/TRIAL`; `ready.timeout`"),
    Doubt.UNKNOWN: DoubtFacts(
        "what comes after the colon could not be read, so it was not watched or is missing",
        "`boxbench doctor` says what this host cannot count; reports leave out what it can never count",
    ),
}
