"""The words of a report and the endpoints of a box, each in one line, for readers who open a report first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.records.record import Endpoint

WORDS: Final[tuple[tuple[str, str], ...]] = (
    ("box", "one running instance of the workload: a process, a container or a VM"),
    ("target", "a way to make boxes, such as docker"),
    ("cell", "one combination that was measured: a scenario in a target with its settings"),
    ("block", "one round of measuring: every cell once, in random order"),
    ("trial", "one cell in one block"),
    ("boot", "the start of one box; a trial with one box is one boot"),
    ("median", "the middle value: half of the boots are not above it"),
    ("interval", "in square brackets: of 100 such campaigns, in typical sittings, 95 have the true value in theirs"),
    ("baseline", "the box that others are compared with: × is how many times the baseline's median"),
    ("PSS", "proportional set size: memory that processes map; each shared page is divided among those that map it"),
    ("held", "memory that the boxes add to what the host uses, and that it cannot take back while they run"),
    ("tcg", "the virtual CPU is emulated: the shares of a start's phases mean something, its duration does not"),
    ("kvm", "the virtual CPU is a real one"),
    ("doubt", "a disturbance that was seen during a trial; the trial's numbers stay in the results"),
)
"""Words with their meanings, in the order in which readers meet them."""

_COLUMNS: Final = (
    "Medians over boots. × with a word is read upwards: 3.80× faster is 0.263 of the baseline's time; × without one is "
    "how many times its median. Square brackets: 95 % interval. Round brackets: no "
    "interval but a range, of the boots or, with two or three sittings, of their medians. {} CPU per "
    "start: CPU time of the host from the request until the box is ready, with engine and VMM. Own disk: disk "
    "blocks that belong to this box alone when it is ready. Doubts: trials with a disturbance."
)
_PSS: Final = "Memory PSS: what the host's processes of one box map; a shared page is divided among those that map it."
_HELD: Final = (
    "Memory held, per box: what all boxes together hold, divided by their number. A table below has the memory of each "
    "further box."
)


_MIXED: Final = (
    " The CPU of a box with /tcg in its name is emulated: a ratio between it and a box on a real CPU is not what KVM "
    "would give, however sure it is."
)


def describe_columns(*, held: bool, mixed: bool) -> str:
    """The columns of the table of results, for the place where it stands.

    Args:
        held: its memory is of many boxes.
        mixed: some of its boxes have an emulated CPU, others a real one.
    """
    return _COLUMNS.format(_HELD if held else _PSS) + (_MIXED if mixed else "")


ENDPOINTS: Final[Mapping[Endpoint, str]] = {
    Endpoint.REQUESTED: "the request is sent: t0",
    Endpoint.FETCHED: "the last byte of the image has arrived",
    Endpoint.UNPACKED: "the image is unpacked",
    Endpoint.CREATED: "the writable layer exists",
    Endpoint.VMM: "the VM monitor has connected to Boxbench",
    Endpoint.START_RETURNED: "the start call has returned; this may come after init",
    Endpoint.KERNEL: "first output of the guest kernel",
    Endpoint.INIT: "first mark of the agent, which is the first process in the box",
    Endpoint.ROOT: "the image's file system is the root",
    Endpoint.EXEC: "the workload is about to run",
    Endpoint.LISTENING: "the workload's port is open",
    Endpoint.READY: "ready as the scenario defines it",
    Endpoint.REPLIED: "first correct reply",
    Endpoint.STOPPING: "the box is asked to stop",
    Endpoint.STOPPED: "the workload has ended",
    Endpoint.ENDED: "the box's last process has ended",
    Endpoint.GONE: "nothing of the box is left",
}
"""The instant that each endpoint is."""
