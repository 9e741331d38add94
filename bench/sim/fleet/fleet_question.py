"""The question about a fleet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bench.sim.answer.words import count_text
from bench.sim.cost import Prices
from bench.sim.fleet.needed import Limit
from bench.sim.fleet.question import Asked
from bench.sim.fleet.spec import FleetSpec
from bench.util.units import format_bytes

PREFIX: Final = "fleet"
"""Of the names of its numbers."""


@dataclass(frozen=True, kw_only=True)
class FleetQuestion(Asked):
    """A trace on a fleet."""

    spec: FleetSpec
    fleet_text: str = "the fleet file"
    """The fleet's name, for people."""
    limit: Limit = field(default_factory=Limit)
    prices: Prices | None = None
    host_kind: str | None = None
    """Of the price file."""

    def sentence(self) -> str:
        """The question as a sentence."""
        hosts = count_text(self.spec.hosts, "host")
        return (
            f"{self.trace_text} in {', '.join(self.labels)} on {hosts} of {count_text(self.spec.cpus, 'CPU')} and "
            f"{format_bytes(self.spec.memory_bytes)} each, placed by {self.spec.policy}: how many hosts does it need, "
            "and how long do users wait?"
        )

    def short(self) -> str:
        """In few words: ``sample:azure-2021 on 20 hosts of 8 CPUs and 64.0 GiB``."""
        hosts = count_text(self.spec.hosts, "host")
        each = f"{count_text(self.spec.cpus, 'CPU')} and {format_bytes(self.spec.memory_bytes)}"
        return f"{self.trace_text} on {hosts} of {each}"
