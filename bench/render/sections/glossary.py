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
    ("baseline", "the box that others are compared with: × is how many times the baseline's median"),
    ("PSS", "proportional set size: memory that processes map, shared pages shared out among them"),
    ("held", "memory that the host uses more with the boxes and cannot take back"),
    ("tcg", "the virtual CPU is emulated: the shape of a start holds, its duration does not"),
    ("kvm", "the virtual CPU is a real one"),
    ("doubt", "a disturbance that was seen during a trial; its numbers count all the same"),
)
"""Words with their meanings, in the order in which readers meet them."""

ENDPOINTS: Final[Mapping[Endpoint, str]] = {
    Endpoint.REQUESTED: "the request is sent: t0",
    Endpoint.CREATED: "the writable layer exists",
    Endpoint.VMM: "the VM monitor is connected",
    Endpoint.START_RETURNED: "the start call returns, before or after the box's first sign",
    Endpoint.KERNEL: "first output of the guest kernel",
    Endpoint.INIT: "first sign of the agent, PID 1 of the box",
    Endpoint.ROOT: "the image's files are the root",
    Endpoint.EXEC: "the workload is about to run",
    Endpoint.LISTENING: "its port is open",
    Endpoint.READY: "ready as the scenario defines it",
    Endpoint.REPLIED: "first correct reply",
    Endpoint.STOPPING: "the box is asked to stop",
    Endpoint.STOPPED: "the workload has ended",
    Endpoint.ENDED: "the box's last process has ended",
    Endpoint.GONE: "nothing of the box is left",
}
"""The instant that each endpoint is."""
