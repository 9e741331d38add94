"""The schedule of a storm: when each box is requested, fixed in advance and independent of when boxes are ready."""

from __future__ import annotations

import math
import random
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.scenario.fields import MOST_NS, DurationNs, Strict
from bench.util.units import format_ns, parse_duration_ns

_INTERVAL_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*(ns|us|ms|s|min|m|h|d)\s*$",
    "examples": ["0ms", "50ms"],
}


def _ns_from_text(value: object) -> object:
    return parse_duration_ns(value) if isinstance(value, str) else value


Interval = Annotated[int, BeforeValidator(_ns_from_text), Field(ge=0, le=MOST_NS), WithJsonSchema(_INTERVAL_SCHEMA)]


class Storm(Strict):
    """The schedule on which the boxes of the factor ``concurrency`` are requested."""

    interval: Interval = 0
    """Time between two requests; 0 requests all boxes at once."""
    arrivals: Literal["fixed", "poisson"] = "fixed"
    """``poisson``: random times with ``interval`` as their mean distance, drawn from the campaign's seed; boxes of one
    block face the same ones in every target."""
    max_lateness: DurationNs = 50 * 10**6
    """A storm with a request later than this is discarded, because it measures Boxbench and not the target."""

    @model_validator(mode="after")
    def _spaced(self) -> Storm:
        if self.arrivals == "poisson" and not self.interval:
            raise ValueError("arrivals: 'poisson' needs an interval, the mean time between two requests")
        return self

    def describe(self) -> str:
        """The schedule in reports: ``all at once``, ``one every 50 ms``."""
        if not self.interval:
            return "all at once"
        often = format_ns(self.interval)
        return f"one every {often}" if self.arrivals == "fixed" else f"Poisson, one every {often} on average"


def offsets_ns(storm: Storm, boxes: int, *, seed: str) -> tuple[int, ...]:
    """The scheduled request of each box, ns since the first one, ascending from 0.

    Args:
        seed: equal text gives an equal schedule.
    """
    if storm.arrivals == "fixed":
        return tuple(number * storm.interval for number in range(boxes))
    rng = random.Random(seed)
    at, found = 0.0, []
    for _ in range(boxes):
        found.append(round(at))
        at -= math.log(1.0 - rng.random()) * storm.interval
    return tuple(found)
