"""Failures and doubts of a campaign: one by one, and summed up by kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

from bench.analysis.values import UNKNOWN, disturbances
from bench.host.counters import HOST_COUNTERS
from bench.records.campaign import RECORDS, last_output
from bench.records.record import Failure, Record
from bench.render.text import block_text, clean
from bench.util.doubts import DOUBTS

# "steal:3.2%", "busy:5", "pressure:memory:4.0%": a name, and a number that grows with the disturbance.
_MARK: Final = re.compile(r"([a-z:-]+):(\d+(?:\.\d+)?)(%|ms|)")
# Measured numbers have a decimal point. Whole numbers in a mark are identifiers (a process, a mount).
_DECIMAL: Final = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_BLANK: Final = "\0"
_LONGEST_LINE: Final = 200
_MOST_LISTED: Final = 6
MOST_DOUBTS: Final = 1_000
"""Disturbed trials that a report lists. Published campaigns have fewer."""
_MEANINGS: Final = {doubt.value: facts.meaning for doubt, facts in DOUBTS.items()}


@dataclass(frozen=True, kw_only=True)
class TrialProblem:
    """A trial that failed or was disturbed.

    Attributes:
        trial: the trial's id.
        block: its number in the plan, from 0.
        text: what happened, clean text.
        kept: paths of the trial's output in the campaign directory.
        said: the last lines that the box wrote, clean text; empty when they are not known.
    """

    trial: str
    cell: str
    block: int
    warmup: bool
    text: str
    kept: tuple[str, ...] = ()
    said: tuple[str, ...] = ()

    @property
    def shown_block(self) -> str:
        """Its block as people count, from 1: ``3``, ``1 (warm-up)``."""
        return block_text(self.block, warmup=self.warmup)


@dataclass(frozen=True, kw_only=True)
class ProblemGroup:
    """Equal problems of one cell.

    Attributes:
        trials: their ids, the first ones of many; so are ``blocks``.
        count: how many there are.
        text: what happened, clean text, from the first of them.
        said: the last lines that its box wrote, clean text.
        kept: paths of its output in the campaign directory.
    """

    cell: str
    trials: str
    blocks: str
    count: int
    text: str
    said: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def title(self) -> str:
        """``hello/docker, trial t0001``, or ``hello/docker, 9 times, in trials t0001, t0004; the first``."""
        if self.count == 1:
            return f"{self.cell}, trial {self.trials}"
        return f"{self.cell}, {self.count} times, in trials {self.trials}; the first"


def problem_of(record: Record, text: str) -> TrialProblem:
    """A problem of one trial; ``text`` may hold untrusted characters and is cleaned."""
    trial = record.trial
    return TrialProblem(
        trial=trial.id,
        cell=clean(trial.cell.key),
        block=trial.block,
        warmup=trial.warmup,
        text=clean(text),
        kept=tuple(map(clean, record.artefacts.values())),
    )


def failures(records: Iterable[Record], campaign: Path | None = None) -> tuple[TrialProblem, ...]:
    """Trials without a result, each with its error message and hint, and with the last lines that its box wrote.

    Args:
        campaign: the directory with the boxes' output; without it no lines are shown.
    """
    return tuple(_failure(record, record.failure, campaign) for record in records if record.failure)


def _failure(record: Record, failure: Failure, campaign: Path | None) -> TrialProblem:
    said = last_output(campaign, record.trial) if campaign is not None else ()
    shown = tuple(clean(line, limit=_LONGEST_LINE) for line in said)
    problem = problem_of(record, f"{record.outcome}: {failure.code}: {failure.message} ({failure.hint})")
    return replace(problem, said=tuple(filter(None, shown)))


def grouped(problems: Iterable[TrialProblem]) -> tuple[ProblemGroup, ...]:
    """Problems of one cell that differ in measured numbers only, as one, in the order in which they first occurred."""
    groups: dict[tuple[str, str, str], list[TrialProblem]] = {}
    for problem in problems:
        # A box's own words may hold times and process numbers, so equal failures are told by their last line's words.
        last = _NUMBER.sub(_BLANK, problem.said[-1]) if problem.said else ""
        groups.setdefault((problem.cell, _NUMBER.sub(_BLANK, problem.text), last), []).append(problem)
    return tuple(
        ProblemGroup(
            cell=cell,
            trials=_listed(list(dict.fromkeys(problem.trial for problem in found))),
            blocks=_listed(list(dict.fromkeys(problem.shown_block for problem in found))),
            count=len(found),
            text=found[0].text,
            said=found[0].said,
            kept=found[0].kept,
        )
        for (cell, _, _), found in groups.items()
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def disturbed(records: Iterable[Record]) -> tuple[int, tuple[TrialProblem, ...]]:
    """How many trials have disturbances, and the first MOST_DOUBTS of them, each with all of its marks."""
    found = [record for record in records if record.doubts and disturbances(record)]
    return len(found), tuple(problem_of(one, "; ".join(disturbances(one))) for one in found[:MOST_DOUBTS])


def doubts_note(count: int) -> str:
    """Which of ``count`` disturbed trials a report lists, as a sentence; empty when it lists all."""
    if count <= MOST_DOUBTS:
        return ""
    return f"The first {MOST_DOUBTS:,} of {count:,} disturbed trials are listed; {RECORDS} has all."


def doubt_kinds(doubts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """One line per kind of the trials' doubts.

    Such as ``pressure:cpu in 9 of 36 trials (29.2% to 83.0%): tasks waited for a CPU``.
    """
    total, sizes, whole = 0, dict[str, list[tuple[float, str]]](), dict[str, list[str]]()
    for trial in doubts:
        total += 1
        for mark in trial:
            found = _MARK.fullmatch(mark)
            if found:
                sizes.setdefault(found[1], []).append((float(found[2]), found[2] + found[3]))
            else:
                whole.setdefault(_DECIMAL.sub(_BLANK, mark), []).append(mark)
    lines = [
        f"{name} in {len(seen)} of {total} trials ({_range(seen)}){_meaning(name)}" for name, seen in sizes.items()
    ]
    lines += [
        f"{_joined(kind, marks)} in {len(marks)} of {total} trials{_meaning(kind)}"
        for kind, marks in whole.items()
        if not kind.startswith(UNKNOWN)
    ]
    lines += [
        f"{kind.removeprefix(UNKNOWN)} could not be read in {len(marks)} of {total} trials"
        for kind, marks in whole.items()
        # A counter that this host does not have at all is told by `boxbench doctor`, once and not in every report.
        if kind.startswith(UNKNOWN) and (len(marks) < total or kind.removeprefix(UNKNOWN) not in HOST_COUNTERS)
    ]
    return tuple(map(clean, lines))


def _joined(kind: str, marks: list[str]) -> str:
    """Marks that differ in their numbers only, as one: ``the guest counts 4.05 to 4.29 times what its CPUs ran``."""
    if len(set(marks)) == 1:
        return marks[0]
    seen = (zip(map(float, found), found, strict=True) for found in map(_DECIMAL.findall, marks))
    ranges = (_range(list(column)) for column in zip(*seen, strict=True))
    return "".join(chain.from_iterable(zip_longest(kind.split(_BLANK), ranges, fillvalue="")))


def _range(seen: list[tuple[float, str]]) -> str:
    low, high = min(seen)[1], max(seen)[1]
    return low if low == high else f"{low} to {high}"


def _meaning(name: str) -> str:
    return f": {_MEANINGS[name]}" if name in _MEANINGS else ""
