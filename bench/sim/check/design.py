"""Hold-out designs: which trials a model may be fitted to, and which it is scored on. No trial is in both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from bench.sim.model.file import Model
from bench.sim.observe.table import row_digest
from bench.sim.observe.trials import MemoryTrial, Observations, StartTrial, SummaryRow, TargetObservations
from bench.util.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Split:
    """What to fit and what to score."""

    name: str
    """One sentence for people."""
    fit: Observations
    score: Observations

    @property
    def to_fit(self) -> Observations:
        """What to fit, without the targets of which nothing is scored."""
        scored = {label for label, target in self.score.targets.items() if _anything_of(target)}
        return replace(self.fit, targets={label: one for label, one in self.fit.targets.items() if label in scored})


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Levels of one axis: boxes of storms, or boxes that stay and whose memory is read.

    Without ``score`` everything beyond the largest fitted level is scored; without ``fit`` everything that is not
    scored is fitted.
    """

    fit: frozenset[int] | None = None
    score: frozenset[int] | None = None

    def __post_init__(self) -> None:
        both = sorted((self.fit or frozenset()) & (self.score or frozenset()))
        if both:
            raise UsageError(
                f"level {', '.join(map(str, both))} is to be fitted and scored",
                hint="cells used in the fit cannot be scored: give every level to one of the two",
            )

    def fits(self, level: int) -> bool:
        """Whether trials of this level are fitted."""
        return level in self.fit if self.fit is not None else level not in (self.score or frozenset())

    def scores(self, level: int) -> bool:
        """Whether trials of this level are scored."""
        if self.score is not None:
            return level in self.score
        return not self.fits(level) and level > max(self.fit or frozenset({0}))


def levels_up_to(most: int, present: Collection[int]) -> Levels:
    """Fit the levels of at most ``most`` boxes, and score the larger ones. Raises UsageError: one of the two is empty.

    Args:
        present: the levels that were measured.
    """
    fit = frozenset(level for level in present if level <= most)
    score = frozenset(present) - fit
    if not fit or not score:
        side = "larger" if fit else "smaller"
        raise UsageError(
            f"no level is {side} than {most}: there are {_listed(present)}",
            hint="choose a number with levels on both sides",
        )
    return Levels(fit=fit, score=score)


def lower_half(present: Collection[int]) -> Levels:
    """Fit the lower half of the levels, and score the upper half. Raises UsageError: fewer than two levels."""
    ordered = sorted(set(present))
    if len(ordered) < 2:
        raise UsageError(
            f"there is one level only ({_listed(present)}), so none is left to score",
            hint="measure storms of several sizes, for example `concurrency: [1, 2, 4, 8]`",
        )
    return levels_up_to(ordered[(len(ordered) - 1) // 2], present)


def all_but_largest(present: Collection[int]) -> Levels:
    """Fit all levels but the largest, which is scored; nothing is scored with fewer than three."""
    ordered = sorted(set(present))
    if len(ordered) < 3:
        return Levels(fit=frozenset(ordered), score=frozenset())
    return Levels(fit=frozenset(ordered[:-1]), score=frozenset(ordered[-1:]))


def storm_levels(observations: Observations) -> frozenset[int]:
    """The numbers of boxes that were requested at once."""
    targets = observations.targets.values()
    trials = {trial.boxes for target in targets for trial in target.starts}
    return frozenset(trials | {row.boxes for target in targets for row in target.rows})


def memory_levels(observations: Observations) -> frozenset[int]:
    """The numbers of boxes whose memory was read."""
    return frozenset(trial.boxes for target in observations.targets.values() for trial in target.memory)


def by_levels(observations: Observations, storms: Levels, memory: Levels) -> Split:
    """Fit some levels and score others. A trial that is scored for its memory is not fitted for its start either.

    Raises UsageError: a level that was not measured; nothing is fitted, or nothing is scored.
    """
    present, read = storm_levels(observations), memory_levels(observations)
    _require_present("storms of", storms, present)
    _require_present("memory of", memory, read)
    name = f"fitted on storms of {_listed(filter(storms.fits, present))} boxes"
    if any(map(memory.scores, read)):
        name += f" and on the memory of {_listed(filter(memory.fits, read))}"
    score = _kept(
        observations,
        starts=lambda trial: storms.scores(trial.boxes),
        memory=lambda trial: memory.scores(trial.boxes),
        rows=lambda _label, row: storms.scores(row.boxes),
    )
    held_out = digests_of(score)
    fit = _kept(
        observations,
        starts=lambda trial: storms.fits(trial.boxes) and trial.digest not in held_out,
        memory=lambda trial: memory.fits(trial.boxes) and trial.digest not in held_out,
        rows=lambda _label, row: storms.fits(row.boxes),
    )
    if not _anything(fit) or not _anything(score):
        noun = "box" if set(present) == {1} else "boxes"
        raise UsageError(
            f"nothing is left to {'score' if _anything(fit) else 'fit'}: there are storms of {_listed(present)} {noun}",
            hint="fit the smaller levels and leave larger ones to be scored, for example --fit 1,2",
        )
    return Split(name=name, fit=fit, score=score)


def digests_of(observations: Observations) -> frozenset[str]:
    """The digests of all trials."""
    targets = observations.targets.values()
    starts = {trial.digest for target in targets for trial in target.starts}
    return frozenset(starts | {trial.digest for target in targets for trial in target.memory})


def odd_even(observations: Observations) -> Split:
    """Fit the odd blocks, and score the even ones: the same levels on the same day."""
    if any(target.rows for target in observations.targets.values()):
        raise UsageError("a table has no blocks that could be split", hint="split a table with --fit-below N")

    def part(odd: int) -> Observations:
        return _kept(
            observations,
            starts=lambda trial: trial.block % 2 == odd,
            memory=lambda trial: trial.block % 2 == odd,
            rows=lambda _label, _row: False,
        )

    return Split(name="fitted on the odd blocks, scored on the even ones", fit=part(1), score=part(0))


def by_scenarios(observations: Observations, names: Collection[str]) -> Split:
    """Fit all scenarios but some, and score those. Raises UsageError: an unknown one, or none is left to fit."""
    cells = _all_cells(observations)
    known = sorted({scenario_of(cell) for cell in cells})
    for name in names:
        if name not in known:
            raise UsageError(
                f"there is no scenario {name!r} in these campaigns", hint=f"they have {', '.join(known) or 'none'}"
            )
    if not set(known) - set(names):
        raise UsageError(
            f"no scenario is left to fit: all of {', '.join(known)} are to be scored",
            hint="leave one of them out of --hold-out",
        )

    def part(scored: bool) -> Observations:
        return _kept(
            observations,
            starts=lambda trial: (scenario_of(trial.cell) in names) == scored,
            memory=lambda trial: (scenario_of(trial.cell) in names) == scored,
            rows=lambda _label, _row: False,
        )

    name = f"fitted on all scenarios but {', '.join(sorted(names))}"
    return Split(name=name, fit=part(False), score=part(True))


def scenario_of(cell: str) -> str:
    """The scenario of a cell's key: ``web`` of ``web/libvirt/tcg{cache=cold}``."""
    return cell.partition("/")[0]


def _all_cells(observations: Observations) -> set[str]:
    targets = observations.targets.values()
    starts = {trial.cell for target in targets for trial in target.starts}
    return starts | {trial.cell for target in targets for trial in target.memory}


def other_campaign(fit: Observations, score: Observations) -> Split:
    """Fit one campaign and score another. Raises UsageError: the two have trials in common."""
    used = digests_of(fit)
    both = _kept(
        score,
        starts=lambda trial: trial.digest in used,
        memory=lambda trial: trial.digest in used,
        rows=lambda _label, _row: False,
    )
    if _anything(both):
        raise _refused(_all_cells(both))
    return Split(name=f"fitted on {', '.join(source.name for source in fit.sources)}", fit=fit, score=score)


def unused(model: Model, observations: Observations, asked: Collection[int] | None) -> Split:
    """What a given model has used, and what is left to score.

    Trials and rows of tables are known by their digests, whatever their file is called.

    Args:
        asked: levels of storms that shall be scored; None: all that the model has not used, memory too.

    Raises:
        UsageError: a level that was asked for, or everything, was used in the fit.
    """
    known = frozenset(digest for source in model.sources for digest in source.trials)

    def used_row(label: str, row: SummaryRow) -> bool:
        return row_digest(label, row) in known

    def wanted(boxes: int) -> bool:
        return asked is None or boxes in asked

    used = _kept(observations, starts=lambda t: t.digest in known, memory=lambda t: t.digest in known, rows=used_row)
    left = _kept(
        observations,
        starts=lambda t: t.digest not in known and wanted(t.boxes),
        memory=lambda t: t.digest not in known and asked is None,
        rows=lambda label, row: not used_row(label, row) and wanted(row.boxes),
    )
    if asked is not None:
        _require_present("storms of", Levels(score=frozenset(asked)), storm_levels(observations))
    refused = _cells(used, wanted) if asked is not None or not _anything(left) else []
    if refused:
        raise _refused(refused)
    return Split(name="scored on what the model was not fitted to", fit=used, score=left)


def _refused(cells: Collection[str]) -> UsageError:
    names = sorted(set(cells))
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return UsageError(
        f"cells used in the fit cannot be scored: {shown}",
        hint="score another campaign, or fit a part of this one: `boxbench simulate check DIR --fit 1,2`",
    )


def _cells(observations: Observations, wanted: Callable[[int], bool]) -> list[str]:
    """The names of the cells and rows of some levels."""
    found = []
    for label, target in observations.targets.items():
        found += [trial.cell for trial in target.starts if wanted(trial.boxes)]
        found += [f"{label} n={row.boxes}" for row in target.rows if wanted(row.boxes)]
    return found


def _kept(
    observations: Observations,
    *,
    starts: Callable[[StartTrial], bool],
    memory: Callable[[MemoryTrial], bool],
    rows: Callable[[str, SummaryRow], bool],
) -> Observations:
    """The observations with some of their trials and rows."""
    targets = {
        label: replace(
            target,
            starts=tuple(filter(starts, target.starts)),
            memory=tuple(filter(memory, target.memory)),
            rows=tuple(row for row in target.rows if rows(label, row)),
        )
        for label, target in observations.targets.items()
    }
    return replace(observations, targets=targets)


def _anything(observations: Observations) -> bool:
    return any(map(_anything_of, observations.targets.values()))


def _anything_of(target: TargetObservations) -> bool:
    return bool(target.starts or target.memory or target.rows)


def _require_present(what: str, levels: Levels, present: frozenset[int]) -> None:
    missing = sorted(((levels.fit or frozenset()) | (levels.score or frozenset())) - present)
    if missing:
        raise UsageError(
            f"{what} {_listed(missing)} boxes were not measured: there are {_listed(present) or 'none'}",
            hint="choose among the levels that were measured",
        )


def _listed(levels: Iterable[int]) -> str:
    return ", ".join(str(level) for level in sorted(levels))
