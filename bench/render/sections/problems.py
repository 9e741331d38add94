"""Failures and doubts of a campaign: one by one, and summed up by kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final

from bench.analysis.values import UNKNOWN, disturbances
from bench.records.record import Record
from bench.render.text import clean

# "steal:3.2%", "busy:5", "pressure:memory:4.0%": a name, and a number that grows with the disturbance.
_MARK: Final = re.compile(r"([a-z:-]+):(\d+(?:\.\d+)?)(%|ms|)")
# Measured numbers have a decimal point. Whole numbers in a mark are identifiers (a process, a mount).
_DECIMAL: Final = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])")
_BLANK: Final = "\0"
_MEANING: Final = {
    "saturated": "the boxes of a storm used all CPU time of the host and waited for each other",
    "late-stamps": "the harness itself had to wait for a CPU, in one of 20 cases this long",
    "late-requests": "the harness requested a box late by a notable part of the measured time",
    "steal": "the hypervisor took CPU time away",
    "guest-cpu": "the guest's clock ran on while its CPUs waited: it counts this many times what they ran",
    "busy": "other tasks were runnable when the trial began",
    "throttled": "the CPU was throttled",
    "cpu-limit": "its CPU limit held the box back for this long",
    "oom-killed": "the kernel killed so many processes of the box for lack of memory",
    "host-oom-killed": "the kernel killed so many processes on the host for lack of memory",
    "swap": "the host swapped",
    "pressure:cpu": "tasks waited for a CPU",
    "pressure:memory": "tasks waited for memory",
    "pressure:io": "tasks waited for the disk",
}


@dataclass(frozen=True, kw_only=True)
class TrialProblem:
    """A trial that failed or was disturbed.

    Attributes:
        trial: the trial's id.
        text: what happened, clean text.
        kept: paths of the trial's output in the campaign directory.
    """

    trial: str
    cell: str
    block: int
    warmup: bool
    text: str
    kept: tuple[str, ...] = ()


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


def failures(records: Iterable[Record]) -> tuple[TrialProblem, ...]:
    """Trials without a result, each with its error message and hint."""
    return tuple(
        problem_of(record, f"{record.outcome}: {record.failure.code}: {record.failure.message} ({record.failure.hint})")
        for record in records
        if record.failure
    )


def disturbed(records: Iterable[Record]) -> tuple[TrialProblem, ...]:
    """Trials with disturbances, each with all of its marks."""
    return tuple(problem_of(record, "; ".join(marks)) for record in records if (marks := disturbances(record)))


def doubt_kinds(records: Iterable[Record]) -> tuple[str, ...]:
    """One line per kind of doubt: ``pressure:cpu in 9 of 36 trials (29.2% to 83.0%): tasks waited for a CPU``."""
    total, sizes, whole = 0, dict[str, list[tuple[float, str]]](), dict[str, list[str]]()
    for record in records:
        total += 1
        for mark in record.doubts:
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
        if kind.startswith(UNKNOWN)
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
    return f": {_MEANING[name]}" if name in _MEANING else ""
