"""When the boxes of a storm are asked for: a schedule fixed before the first one, that does not wait for them."""

from __future__ import annotations

import math
import random
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.scenario.fields import DurationNs, Strict
from bench.util.units import format_ns, parse_duration_ns

_INTERVAL_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*(ns|us|ms|s|min|m)\s*$",
    "examples": ["0ms", "50ms"],
}


def _ns_from_text(value: object) -> object:
    return parse_duration_ns(value) if isinstance(value, str) else value


Interval = Annotated[int, BeforeValidator(_ns_from_text), Field(ge=0), WithJsonSchema(_INTERVAL_SCHEMA)]


class Storm(Strict):
    """How the boxes of the factor ``concurrency`` are asked for."""

    interval: Interval = 0
    """From one request to the next; 0 is all at once."""
    arrivals: Literal["fixed", "poisson"] = "fixed"
    """``poisson``: independent requests that come once an ``interval`` on average, drawn from the campaign's seed."""
    max_lateness: DurationNs = 50 * 10**6
    """A storm whose requests left later than this is refused: the harness was measured, not the target."""

    @model_validator(mode="after")
    def _spaced(self) -> Storm:
        if self.arrivals == "poisson" and not self.interval:
            raise ValueError("arrivals: 'poisson' needs an interval, the mean time between two requests")
        return self

    def words(self) -> str:
        """For reports: ``all at once``, ``one every 50 ms``."""
        if not self.interval:
            return "all at once"
        often = format_ns(self.interval)
        return f"one every {often}" if self.arrivals == "fixed" else f"Poisson, one every {often} on average"


def offsets_ns(storm: Storm, boxes: int, *, seed: str) -> tuple[int, ...]:
    """When each box is to be asked for, ns since the first, ascending; the first is 0.

    Args:
        seed: the same text gives the same schedule.
    """
    if storm.arrivals == "fixed":
        return tuple(number * storm.interval for number in range(boxes))
    rng = random.Random(seed)
    at, found = 0.0, []
    for _ in range(boxes):
        found.append(round(at))
        at -= math.log(1.0 - rng.random()) * storm.interval
    return tuple(found)
