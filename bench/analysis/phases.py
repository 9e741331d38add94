"""The phases of a start: stretches of time between the median instants of consecutive endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.record import Endpoint

SETUP: Final = "setup"
"""The kind of the phase that ends at INIT in a box that boots no kernel of its own."""

_LABELS: Final = {
    Endpoint.FETCHED: "fetch the image",
    Endpoint.UNPACKED: "unpack the rest",
    Endpoint.CREATED: "create layer or overlay",
    Endpoint.VMM: "start the VMM",
    Endpoint.START_RETURNED: "start call returns",
    Endpoint.KERNEL: "firmware and loader",
    Endpoint.INIT: "set up, or boot the kernel",
    Endpoint.ROOT: "mount the root",
    Endpoint.EXEC: "agent enters the box",
    Endpoint.LISTENING: "workload opens its port",
    Endpoint.READY: "workload is ready",
    Endpoint.REPLIED: "first correct reply",
    Endpoint.STOPPING: "run",
    Endpoint.STOPPED: "workload ends",
    Endpoint.ENDED: "last process ends",
    Endpoint.GONE: "clean up",
}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of a start between two median instants.

    Attributes:
        begins_ns: ns since the request; so is ``ends_ns``.
        kind: the name of the endpoint that ends the phase, or SETUP.
    """

    start: Endpoint
    end: Endpoint
    begins_ns: float
    ends_ns: float
    kind: str

    @property
    def length_ns(self) -> float:
        """The duration, ns. Negative only when most boots passed the two endpoints in the other order."""
        return self.ends_ns - self.begins_ns


def phases_of(analysis: Analysis, cell: Cell, last: Endpoint) -> tuple[Phase, ...]:
    """The phases of a cell in order of time, up to the endpoint ``last``.

    Instants are medians over the boots that ended well, without warm-ups. Empty when no two endpoints were reached.
    """
    good = [record for record in analysis.records_of(cell) if record.outcome == "ok" and not record.trial.warmup]
    boots_a_kernel = any(Endpoint.VMM in record.endpoints_ns for record in good)
    found: list[Phase] = []
    for start, end in analysis.chains.get(cell.key, ()):
        starts = [r.endpoints_ns[start] for r in good if start in r.endpoints_ns]
        ends = [r.endpoints_ns[end] for r in good if end in r.endpoints_ns]
        if starts and ends:
            kind = SETUP if end is Endpoint.INIT and not boots_a_kernel else str(end)
            found.append(Phase(start=start, end=end, begins_ns=median(starts), ends_ns=median(ends), kind=kind))
        if end is last:
            break
    return tuple(found)


def phase_label(to: Endpoint) -> str:
    """What happens in the phase that ends at ``to``, in a few words."""
    return _LABELS.get(to, str(to))
