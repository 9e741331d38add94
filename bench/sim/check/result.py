"""The result of a check, ready for JSON."""

from __future__ import annotations

from typing import Literal

from bench.sim.answer.answer import Band
from bench.sim.check.coverage import Bands, Coverage, Frozen, Limits
from bench.sim.check.levels import StormNumber
from bench.sim.check.verdict import MIN_STORMS, Verdict
from bench.sim.observe.levels import Level
from bench.util.errors import ExitCode


class Skill(Frozen):
    """1 - CRPS / CRPS of a baseline: 1 is perfect, 0 no better, below 0 worse."""

    baseline: str
    value: float
    interval: Limits | None
    """None: published rows, or too few storms."""


class Score(Frozen):
    """How well one statistic of the storms of one level was predicted."""

    error: float
    """The median over storms of |prediction / storm - 1|."""
    error_interval: Limits | None
    bias: float | None
    """Prediction over the median of the storms, less 1; None: that median is a lost box."""
    bias_interval: Limits | None
    ceiling: float | None
    """The error with which one half of the storms predicts the other; None: too few storms, or published rows."""
    crps_ns: float | None
    """Mean over storms without a lost box; None: there is none."""
    skills: tuple[Skill, ...]
    coverage: tuple[Coverage, ...]
    """Of the model's bands, with what they are widened by beyond the data."""


class StatisticView(Frozen):
    """One statistic of the storms of one level, ns."""

    statistic: StormNumber
    storms: tuple[float | None, ...]
    """Each measured storm that has it; None: its box never got there. Such a storm counts as an error of 100 %, without
    CRPS. A storm that lost a box has no CPU time."""
    measured: float | None
    """The median of the storms; None: a lost box."""
    predicted: Band
    baselines: dict[str, float]
    """The middle of each baseline."""
    score: Score | None
    """None: the model was fitted to these storms, so its prediction is no evidence."""


class LevelView(Frozen):
    """Storms of one level."""

    boxes: int
    residents: int
    storms: int
    scored: bool
    statistics: tuple[StatisticView, ...]


class LevelError(Frozen):
    """The error at one scored level that counts: the median over its statistics."""

    boxes: int
    residents: int
    error: float
    interval: Limits | None
    """None: published rows."""
    ceiling: float | None
    limit: float
    """The largest error that is accepted there."""
    largest: bool
    """Whether no other scored level has as many boxes and as many residents. Its error must be within the limit."""

    @property
    def name(self) -> str:
        """``8 boxes``, ``4 boxes beside 8``."""
        return str(Level(boxes=self.boxes, residents=self.residents))


CpuVerdict = Literal["within the limit", "too far off", "worse than a single start", "cannot tell"]


class CpuScore(Frozen):
    """How well the CPU time per start was predicted, until the last box is up."""

    error: float
    """The median over scored levels."""
    error_interval: Limits | None
    ceiling: float | None
    limit: float
    by_level: tuple[LevelError, ...]
    skills: tuple[Skill, ...]
    """Over the CPU time of a single start, and over a line through the fitted storms."""
    verdict: CpuVerdict
    why: str

    @property
    def is_off(self) -> bool:
        """Whether the model's CPU time is not to be used."""
        return self.verdict in ("too far off", "worse than a single start")


class MemoryScore(Frozen):
    """What many boxes add to the host's used memory, bytes."""

    boxes: int
    trials: int
    daemons: bool
    """Whether both values have what daemons held before the first box: where the trials of the fit are not at hand."""
    measured: float
    """The median over trials."""
    predicted: Band
    error: float
    """Prediction over measurement, less 1."""
    inside: bool
    """Whether the 95 % band holds the measured median."""
    width: float
    """The width of the 95 % band over its middle."""
    ceiling: float | None
    """The error with which one half of the trials predicts the other."""
    verdict: Literal["explained", "missed", "cannot tell"]
    why: str


class TargetCheck(Frozen):
    """Everything about one target."""

    label: str
    levels: tuple[LevelView, ...]
    error: float | None
    """The median over scored levels and times; None: no storm was scored."""
    error_interval: Limits | None
    ceiling: float | None
    """The median over scored levels and times."""
    limit: float | None
    """The largest error that is accepted."""
    by_level: tuple[LevelError, ...] = ()
    """Of the times of each scored level that counts."""
    skills: tuple[Skill, ...]
    """Pooled over scored levels and times, each relative to its own median."""
    coverage: tuple[Coverage, ...]
    """Pooled over scored levels and statistics, CPU time among them."""
    coverage_within: tuple[Coverage, ...]
    """The same of bands without what they are widened by beyond the data; empty where no band is widened."""
    bands: Bands | None
    """None: too few storms for a word."""
    verdict: Verdict | None
    """Of the storms; None: none was scored."""
    why: str
    needed: int | None
    """Storms at each level that would decide; None: decided, or no number would."""
    beaten_by: tuple[str, ...] = ()
    """Baselines that are certainly better than the model."""
    as_good: tuple[str, ...] = ()
    """Baselines that may be as good as the model."""
    warnings: tuple[str, ...] = ()
    """What the fitted data show and the model cannot say: then the verdict is at most CANNOT_TELL."""
    cpu: CpuScore | None = None
    """None: CPU time was not measured or not predicted, or no storm was scored."""
    memory: tuple[MemoryScore, ...]
    assumed: tuple[str, ...]
    """Sentences: parameters that a user stated."""

    @property
    def misses(self) -> tuple[LevelError, ...]:
        """The largest levels at which the error of times is above the limit."""
        return tuple(one for one in self.by_level if one.largest and one.error > one.limit)

    @property
    def accepted(self) -> bool | None:
        """Whether the errors of times and of CPU time are within their limits; None: no storm was scored."""
        if self.error is None or self.limit is None:
            return None
        cpu = self.cpu is None or not self.cpu.is_off
        return self.error <= self.limit and not self.misses and cpu


class Check(Frozen):
    """The result of ``boxbench simulate check``."""

    design: str
    """What was fitted and what was scored."""
    sources: tuple[str, ...]
    """Names of the campaigns or of the table that were scored."""
    summary: bool
    """Whether a table was scored."""
    cpus: int
    model: str | None
    """Digest of the model file; None: fitted for this check."""
    seed: int
    targets: tuple[TargetCheck, ...]
    left_out: tuple[str, ...]
    """Sentences: targets and trials that were not scored, and why."""
    notes: tuple[str, ...] = ()
    """Sentences on how the model was made ready for the check."""

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all targets.

        REGRESSION: worse than CPU only, or wrong and no better than a baseline, or memory is missed. CANNOT_TELL: that
        is the verdict, or the error is too large although the model is better than the baselines, or that of the CPU
        time per start is; nothing was scored. Readings of memory that are too few do not count where storms were
        scored, nor does CPU time of too few storms.
        """
        storms = {target.verdict for target in self.targets}
        memory = {score.verdict for target in self.targets for score in target.memory if _counts(target, score)}
        if storms & {Verdict.WORSE, Verdict.NO_BETTER} or "missed" in memory:
            return ExitCode.REGRESSION
        cpu = any(target.cpu.is_off for target in self.targets if target.cpu is not None)
        unknown = storms & {Verdict.CANNOT_TELL, Verdict.TOO_FAR} or "cannot tell" in memory or cpu
        if unknown or not self.targets:
            return ExitCode.CANNOT_TELL
        return ExitCode.OK


def _counts(target: TargetCheck, score: MemoryScore) -> bool:
    return score.trials >= MIN_STORMS or target.verdict is None
