"""Which metrics a gate judges, how large a change matters in each, and what users write about it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bench.analysis.exercises import exercise_headline
from bench.analysis.metrics import CPU, DISK, MEMORY, headline, higher_is_better, sort_key, stem
from bench.scenario.model import Scenario
from bench.util.errors import UsageError

DEFAULTS: Final[Mapping[str, float]] = {
    # Two builds of one program differ by some per cent through file layout and cache alone, and nobody feels them.
    "endpoint.*": 0.05,
    "phase.*": 0.05,
    # CPU time counts interrupts and the neighbours' cache misses, which come and go with the host.
    "cpu.*": 0.05,
    # Pages are counted, not timed: A/A runs agree within 1 %; 2 % of a small box is one library more.
    "memory.*": 0.02,
    # Blocks are allocated by rule: what differs is what was written.
    "disk.*": 0.02,
    "channel.*": 0.25,
    # A closed loop of client and server, some seconds long: A/A runs of it agree less well than starts do.
    "exercise.*": 0.10,
    # Exact, but a path that only moved in memory or met a timer elsewhere counts some more or less too.
    "instructions": 0.001,
}
"""Relative change that matters, by pattern: 0.05 is 5 %. The last pattern that matches counts."""

_HIGHER_IS_BETTER: Final = ("memory.guest.total", "memory.guest.available")
_ASSIGNMENT: Final = re.compile(r"([a-z0-9_.*?-]+)=(\d+(?:\.\d+)?)\s*%")


def better(metric: str) -> Literal["lower", "higher"]:
    """Which way is good: nearly everything here is a cost."""
    return "higher" if higher_is_better(metric) or stem(metric) in _HIGHER_IS_BETTER else "lower"


def default_metrics(scenario: Scenario) -> tuple[str, ...]:
    """The headline, that of the exercise where there is one, and one figure each for memory, CPU and disk."""
    answer = exercise_headline(scenario)
    return headline(scenario), *(() if answer is None else (answer,)), MEMORY, CPU, DISK


@dataclass(frozen=True)
class Thresholds:
    """Default thresholds and the user's own, which come later and win."""

    own: tuple[tuple[str, float], ...] = ()

    def of(self, metric: str) -> float:
        """The relative change of ``metric`` that matters.

        Raises:
            UsageError: no pattern matches.
        """
        found = [limit for pattern, limit in (*DEFAULTS.items(), *self.own) if matches(pattern, metric)]
        if not found:
            raise UsageError(f"no threshold for {metric}", hint=f"say what matters: --threshold {stem(metric)}=5%")
        return found[-1]


def matches(pattern: str, metric: str) -> bool:
    """Whether a metric, with or without its unit, is meant by a name or a pattern such as ``memory.*``."""
    return any(fnmatch.fnmatchcase(name, pattern) for name in (metric, stem(metric)))


def named(patterns: Sequence[str], metric: str) -> bool:
    """Whether a metric is asked for by its own name, or is one of the default ones since no pattern was given."""
    return not patterns or any(pattern in (metric, stem(metric)) for pattern in patterns)


def parse_thresholds(words: Iterable[str]) -> Thresholds:
    """``endpoint.ready=3%``, ``memory.*=1.5%``. Raises UsageError naming the word that is not of this form."""
    own = []
    for word in words:
        match = _ASSIGNMENT.fullmatch(word.strip())
        if match is None:
            raise UsageError(
                f"--threshold {word!r} is not of the form METRIC=PERCENT%",
                hint="write for example --threshold endpoint.ready=3%, or --threshold 'memory.*=1.5%'",
            )
        own.append((match[1], float(match[2]) / 100))
    return Thresholds(tuple(own))


def choose_metrics(patterns: Sequence[str], scenario: Scenario, available: Iterable[str]) -> tuple[str, ...]:
    """Metrics to judge, in their usual order: those that ``patterns`` name, or the default ones that were measured."""
    known = sorted(set(available), key=sort_key)
    if not patterns:
        return tuple(metric for metric in known if metric in default_metrics(scenario))
    return tuple(metric for metric in known if any(matches(pattern, metric) for pattern in patterns))


def check_patterns(patterns: Sequence[str], thresholds: Thresholds, available: Iterable[str]) -> None:
    """Raise UsageError when a metric to judge, or one that a threshold names, is nothing that was measured."""
    known = sorted(set(available), key=sort_key)
    # A threshold for `exercise.*` may serve scenarios without one, too; a whole name that is not there is misspelt.
    names = [pattern for pattern, _ in thresholds.own if not set(pattern) & set("*?")]
    for option, pattern in (*(("--metric", one) for one in patterns), *(("--threshold", one) for one in names)):
        if not any(matches(pattern, metric) for metric in known):
            raise UsageError(
                f"{option} {pattern!r} is nothing that was measured",
                hint=f"for example: {', '.join(stem(metric) for metric in known[:12])}",
            )
