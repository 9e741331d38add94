"""The metrics that a gate judges, and the relative change of each that matters."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bench.analysis.exercises import exercise_headline
from bench.analysis.metrics import CPU, DISK, MEMORY, Metric, headline, in_order, present_name
from bench.scenario.model import Scenario
from bench.util.errors import UsageError
from bench.util.units import parse_change

DEFAULTS: Final[Mapping[str, float]] = {
    # Two builds of one program differ by some per cent through file layout and cache alone.
    "endpoint.*": 0.05,
    "phase.*": 0.05,
    # CPU time contains interrupts and cache misses caused by other processes, which vary with the host.
    "cpu.*": 0.05,
    # Pages are counted: A/A runs agree within 1 %. 2 % of a small box is one more library.
    "memory.*": 0.02,
    # The allocation of blocks repeats: a difference means that other data was written.
    "disk.*": 0.02,
    "channel.*": 0.25,
    # A client and a server run for some seconds: A/A runs agree less well than those of starts.
    "exercise.*": 0.10,
    # Code that only moved in memory or met a timer elsewhere moves counts of runc by up to 0.4 % (METHOD.md).
    "instructions": 0.005,
}
"""The relative change that matters, by pattern: 0.05 is 5 %. The last pattern that matches is used."""

_HIGHER_IS_BETTER: Final = ("memory.guest.total", "memory.guest.available")
_ASSIGNMENT: Final = re.compile(r"([a-z0-9_.*?-]+)=(.+)")


def better(metric: str) -> Literal["lower", "higher"]:
    """Which way a metric improves. Nearly every metric is a cost."""
    return "higher" if Metric(metric).higher_is_better or Metric(metric).stem in _HIGHER_IS_BETTER else "lower"


def default_metrics(scenario: Scenario) -> tuple[str, ...]:
    """The headline, the exercise's headline where there is one, and one metric each of memory, CPU and disk."""
    answer = exercise_headline(scenario)
    return headline(scenario), *(() if answer is None else (answer,)), MEMORY, CPU, DISK


@dataclass(frozen=True)
class Thresholds:
    """The default thresholds and the user's own, which take precedence."""

    own: tuple[tuple[str, float], ...] = ()

    def of(self, metric: str) -> float:
        """The relative change of ``metric`` that matters.

        Raises:
            UsageError: no pattern matches.
        """
        found = [limit for pattern, limit in (*DEFAULTS.items(), *self.own) if matches(pattern, metric)]
        if not found:
            hint = f"give one, such as --threshold {Metric(metric).stem}=5%"
            raise UsageError(f"no threshold for {metric}", hint=hint)
        return found[-1]


def matches(pattern: str, metric: str) -> bool:
    """Whether a name or a pattern such as ``memory.*`` matches a metric, with or without its unit."""
    return any(fnmatch.fnmatchcase(name, pattern) for name in (metric, Metric(metric).stem))


def named(patterns: Sequence[str], metric: str) -> bool:
    """Whether a metric was asked for by its name, or no pattern was given at all."""
    return not patterns or any(pattern in (metric, Metric(metric).stem) for pattern in patterns)


def parse_thresholds(assignments: Iterable[str]) -> Thresholds:
    """Parse ``endpoint.ready=3%``, ``memory.*=1.5%`` or ``memory.*=0.015``. Raises UsageError for another form."""
    return Thresholds(tuple(map(_parse_threshold, assignments)))


def _parse_threshold(word: str) -> tuple[str, float]:
    match = _ASSIGNMENT.fullmatch(word.strip())
    try:
        if match is None:
            raise ValueError("there is no '='")
        return match[1], parse_change(match[2])
    except ValueError as error:
        raise UsageError(
            f"--threshold {word!r} is not of the form METRIC=PERCENT%: {error}",
            hint="write for example --threshold endpoint.ready=3%, or --threshold 'memory.*=1.5%'",
        ) from None


def choose_metrics(patterns: Sequence[str], scenario: Scenario, available: Iterable[str]) -> tuple[str, ...]:
    """Metrics to judge, in their usual order: those that match ``patterns``, or the default ones that were measured."""
    known = in_order(available)
    if not patterns:
        return tuple(metric for metric in known if metric in default_metrics(scenario))
    return tuple(metric for metric in known if any(matches(pattern, metric) for pattern in patterns))


def check_patterns(patterns: Sequence[str], thresholds: Thresholds, available: Iterable[str]) -> None:
    """Raise UsageError when a metric to judge, or the metric of a threshold, was not measured."""
    known = in_order(available)
    # A threshold with a wildcard may match nothing in some scenarios; a whole name that matches nothing is misspelt.
    names = [pattern for pattern, _ in thresholds.own if not set(pattern) & set("*?")]
    for option, pattern in (*(("--metric", one) for one in patterns), *(("--threshold", one) for one in names)):
        if not any(matches(pattern, metric) for metric in known):
            now = present_name(pattern)
            measured = f"measured are, for example: {', '.join(Metric(metric).stem for metric in known[:12])}"
            raise UsageError(
                f"{option} {pattern!r} matches no metric that was measured",
                hint=measured if now is None else f"it is called {now} now; {measured}",
            )
