"""The phases of a start: stretches of time between the median instants of consecutive endpoints."""

from __future__ import annotations

from collections import defaultdict
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
    instants: defaultdict[Endpoint, list[int]] = defaultdict(list)
    for record in good:
        for name, instant in record.endpoints_ns.items():
            instants[name].append(instant)
    chain = analysis.chains.get(cell.key, ())
    # Most endpoints end one phase and start the next.
    linked = {name for link in chain for name in link}
    halves = {name: median(found) for name, found in instants.items() if name in linked}
    phases: list[Phase] = []
    for start, end in chain:
        if start in halves and end in halves:
            kind = SETUP if end is Endpoint.INIT and Endpoint.VMM not in instants else str(end)
            phases.append(Phase(start=start, end=end, begins_ns=halves[start], ends_ns=halves[end], kind=kind))
        if end is last:
            break
    return tuple(phases)


def phase_label(to: Endpoint) -> str:
    """What happens in the phase that ends at ``to``, in a few words."""
    return _LABELS.get(to, str(to))
