"""How long trials take, from earlier ones on this host, so that a campaign can say its duration before it starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Final

from bench.plan.trials import Trial
from bench.util.cache import cache_dir
from bench.util.durable import write_durably

FILE: Final = "durations.json"
"""In the cache: seconds of trials by host fingerprint and cell key."""
_KEPT: Final = 9
"""Of a cell: the newest."""

Seconds = dict[str, list[float]]
"""By cell key, oldest first."""


class Pace:
    """Durations of trials: of earlier campaigns of this host, and of the present one as it goes on."""

    def __init__(self, earlier: Mapping[str, Sequence[float]] | None = None) -> None:
        self._earlier = dict(earlier or {})
        self._now: Seconds = {}

    def add(self, trial: Trial, seconds: float) -> None:
        """A trial has ended."""
        self._now.setdefault(trial.cell.key, []).append(seconds)

    def left_s(self, trials: Iterable[Trial]) -> float | None:
        """The duration of these trials in seconds; None when one is of a cell that nothing is known of."""
        each = [self._one(trial) for trial in trials]
        known = [seconds for seconds in each if seconds is not None]
        return sum(known) if len(known) == len(each) else None

    def measured(self) -> Mapping[str, Sequence[float]]:
        """The durations of the present campaign by cell key."""
        return self._now

    def _one(self, trial: Trial) -> float | None:
        values = self._now.get(trial.cell.key) or self._earlier.get(trial.cell.key)
        return median(values) if values else None


def read_pace(fingerprint: str) -> Pace:
    """What is known of this host; nothing when there is no file, or when it is damaged."""
    return Pace(_stored(_file()).get(fingerprint))


def store_pace(fingerprint: str, pace: Pace) -> None:
    """Add the durations of a campaign to what is known. A cache that cannot be written is left as it is."""
    file = _file()
    stored = _stored(file)
    mine = stored.setdefault(fingerprint, {})
    for key, seconds in pace.measured().items():
        mine[key] = [*mine.get(key, []), *(round(value, 3) for value in seconds)][-_KEPT:]
    with suppress(OSError):
        write_durably(file, json.dumps(stored))


def duration_text(seconds: float) -> str:
    """``40 s``, ``12 min``, ``2 h 05 min``: no more exact than such an estimate is."""
    if seconds < 55:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _file() -> Path:
    return cache_dir() / FILE


def _stored(file: Path) -> dict[str, Seconds]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if _is_whole(found) else {}


def _is_whole(found: object) -> bool:
    return isinstance(found, dict) and all(
        isinstance(cells, dict)
        and all(
            isinstance(values, list) and all(isinstance(value, int | float) for value in values)
            for values in cells.values()
        )
        for cells in found.values()
    )
