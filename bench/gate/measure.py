"""Measure one cell in order to assert on it: behind the pytest fixture ``boxbench``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.analysis.estimates import Estimate
from bench.analysis.metrics import Metric
from bench.gate.cells import Boots, boots_of, cells_by_side
from bench.gate.sides import make_side
from bench.gate.thresholds import matches
from bench.plan.trials import Cell, Trial
from bench.records.campaign import read_campaign, read_records
from bench.records.record import Record
from bench.run.campaign import start_campaign
from bench.run.pace import Pace
from bench.run.session import Request
from bench.scenario.model import Scenario, load_scenario, narrowed
from bench.scenario.targets import parse_target
from bench.util.errors import NotReadyError, PartialResultsError, UsageError
from bench.util.package_data import find_scenario
from bench.util.units import format_metric


class Silent:
    """Shows no progress."""

    def say(self, text: str) -> None:
        """Does nothing."""

    def prepared(self, text: str) -> None:
        """Does nothing."""

    def plan(self, trials: Sequence[Trial], total: int, pace: Pace | None = None) -> None:
        """Does nothing."""

    def begin(self, trial: Trial) -> None:
        """Does nothing."""

    def end(self, record: Record) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class LimitCheck:
    """Whether a limit holds: true or false, and its text, which a failed assertion shows, says why."""

    metric: str
    found: Estimate
    limit: float

    def __bool__(self) -> bool:
        return self.found.interval is not None and self.found.interval.high <= self.limit

    def __repr__(self) -> str:
        value, limit = (format_metric(self.metric, number) for number in (self.found.value, self.limit))
        boots = f"median {value} of {self.found.n} boots"
        if self.found.interval is None:
            return f"<{Metric(self.metric).stem}: {boots}, too few for an interval; at most {limit} cannot be told>"
        low, high = (format_metric(self.metric, end) for end in (self.found.interval.low, self.found.interval.high))
        kept = "is at most" if self else "is not surely at most"
        return f"<{Metric(self.metric).stem}: {boots}, 95 % interval {low} to {high}, {kept} {limit}>"


@dataclass(frozen=True)
class Measurement:
    """The boots of one cell.

    Attributes:
        path: the campaign's directory, with its records.
        cell: what ran, accelerator included.
        records: warm-ups left out.
    """

    path: Path
    cell: Cell
    records: tuple[Record, ...]
    _boots: Boots

    @property
    def accel(self) -> str:
        """``native``, ``kvm`` or ``tcg``. Assert on it before you assert on the time of a VM."""
        return self.cell.accel

    def values(self, metric: str) -> list[float]:
        """One value per boot in block order, in ns or bytes as the metric's name ends; ``inf`` for a failed boot.

        Args:
            metric: with or without its unit: ``endpoint.ready``.

        Raises:
            UsageError: it was not measured, or the name matches more than one metric.
        """
        series = self._boots.series(self.cell, self._metric(metric))
        return [series[block] for block in sorted(series)]

    def _metric(self, metric: str) -> str:
        known = self._boots.metrics(self.cell)
        found = [name for name in known if matches(metric, name)]
        if len(found) != 1:
            some = ", ".join(Metric(name).stem for name in known[:12])
            raise UsageError(f"{metric!r} matches {len(found)} metrics of {self.cell.key}", hint=f"measured are {some}")
        return found[0]

    def estimate(self, metric: str) -> Estimate:
        """The median with its 95 % interval, which allows for boots that resemble their neighbours.

        Below 5 boots the interval is None. Below 20 it is three times as wide as that of independent boots, at least.
        """
        return self._boots.estimate(self.cell, self._metric(metric))

    def median(self, metric: str) -> float:
        """The median in ns or bytes; ``inf`` when it falls on a failed boot."""
        return self.estimate(metric).value

    def at_most(self, metric: str, limit: float) -> LimitCheck:
        """Whether the whole 95 % interval of the median is at most ``limit``; not so below 5 boots.

        The interval is about this sitting: noise within it does not pass, and a host that is faster today does.
        """
        return LimitCheck(self._metric(metric), self.estimate(metric), limit)


def measure(
    scenario: str | Path, *, target: str, blocks: int = 5, accel: str = "auto", out: Path, seed: int = 1
) -> Measurement:
    """Run one scenario in one target, warm-up blocks included, and read its boots.

    Args:
        scenario: the name of a bundled scenario, or the path of a scenario file or directory.
        target: ``docker``, ``libvirt[console=serial]``; options as in a scenario file.
        out: a new directory for the campaign.

    Raises:
        TargetUnavailableError, HostUnfitError: this host cannot run it.
        NotReadyError: no boot gave a result.
        UsageError: the scenario has factors with more than one level, so that its target is more than one cell.
        ScenarioError, UsageError, BuildError: the scenario or the target's name is wrong.
    """
    loaded = load_scenario(find_scenario(str(scenario)))
    _only_one_cell(loaded.scenario)
    side = make_side(loaded, "B", label=str(scenario), spec=parse_target(target))
    # There is no other side, so the scenario keeps its own name.
    renamed = side.loaded.scenario.model_copy(update={"name": loaded.scenario.name})
    chosen = narrowed(side.loaded.model_copy(update={"scenario": renamed}), blocks=blocks)
    try:
        start_campaign(Request(scenarios=(chosen,), out=out, seed=seed, accel=accel), Silent())
    except PartialResultsError as error:
        raise NotReadyError(error.message, hint=f"look into {out}") from None
    boots = boots_of(*read_campaign(out))
    (cell,) = cells_by_side(boots.manifest, renamed.name)
    records = tuple(r for r in read_records(out) if r.trial.cell.key == cell.key and not r.trial.warmup)
    if not any(record.outcome == "ok" for record in records):
        why = next((record.failure.message for record in records if record.failure), "no record")
        raise NotReadyError(
            f"{cell.key}: not one of {len(records)} boots gave a result: {why}", hint=f"look into {out}"
        )
    return Measurement(out, cell, records, boots)


def _only_one_cell(scenario: Scenario) -> None:
    several = {name: levels for name, levels in scenario.factors.levels().items() if len(levels) > 1}
    if several:
        axes = "; ".join(f"{name}: {', '.join(levels)}" for name, levels in several.items())
        raise UsageError(
            f"{scenario.name} has factors with several levels ({axes}), so that a target is "
            f"{len(scenario.factors.combinations())} cells; measure() runs one",
            hint="copy the scenario and leave one level of each factor, as in `factors: {"
            + ", ".join(f"{name}: {levels[0]}" for name, levels in several.items())
            + "}`; `boxbench run` measures them all",
        )
