"""The Azure Functions trace of 2019: counts per minute, with durations and memory in files of their own.

A day is three files: ``invocations_per_function_md.anon.d01.csv``, ``function_durations_percentiles.anon.d01.csv`` and
``app_memory_percentiles.anon.d01.csv``, each also as ``.csv.gz``. Days are numbered from 01 without gaps.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.sim.engine.rng import uniforms
from bench.sim.traces.chance import Purpose
from bench.sim.traces.durations_2019 import IDS, Day, Function, about_durations, day_of, read_durations
from bench.sim.traces.text import fields_of, number_of, read_rows
from bench.sim.traces.trace import MOST, Integers, Trace, TraceError, rechunked
from bench.sim.traces.within import MINUTE_NS, MOST_IN_MINUTE, SENTENCES, Minute, Within

MINUTES: Final = 1440
INVOCATIONS_HEAD: Final = (*IDS, "Trigger", *map(str, range(1, MINUTES + 1)))
MEMORY_HEAD: Final = (
    "HashOwner",
    "HashApp",
    "SampleCount",
    "AverageAllocatedMb",
    *(f"AverageAllocatedMb_pct{percent}" for percent in (1, 5, 25, 50, 75, 95, 99, 100)),
)

_STEMS: Final = {
    "invocations": "invocations_per_function_md.anon.d",
    "durations": "function_durations_percentiles.anon.d",
    "memory": "app_memory_percentiles.anon.d",
}
_MB_BYTES: Final = 2**20
_MOST_MB: Final = float(2**24)
"""The most memory of an app: 16 TiB."""
_MOST_COUNT: Final = 1e15
"""The largest number of samples or invocations of a day."""


@dataclass(frozen=True, kw_only=True)
class Azure2019:
    """The days of a directory as a ``TraceSource``; see ``read_azure_2019``."""

    files: tuple[Path, ...]
    """Of invocations, one per day, in order."""
    names: tuple[str, ...]
    memory_bytes: Integers | None
    rules: tuple[str, ...]
    rule: Within
    index: Mapping[Function, int]
    """Of every function of the files in ``names``; -1: left out, since nothing says how long it computes."""
    durations: tuple[Day, ...]
    """Of each day."""

    @property
    def length_ns(self) -> int:
        """As in ``TraceSource``; the rule ``exponential`` can put invocations behind it."""
        return len(self.files) * MINUTES * MINUTE_NS

    def chunks(self, *, seed: int, most: int = MOST) -> Iterator[Trace]:
        """As in ``TraceSource``."""
        return rechunked(self._in_order(seed), most)

    def _in_order(self, seed: int) -> Iterator[Trace]:
        """Invocations minute by minute; what a minute sends behind its end waits for its own minute."""
        waiting = _Waiting(self.names, self.memory_bytes)
        for day, file in enumerate(self.files):
            minutes, functions, counts = _counts(file, self.index)
            bounds = np.searchsorted(minutes, np.arange(MINUTES + 1))
            for minute in range(MINUTES):
                begin, end = bounds[minute], bounds[minute + 1]
                number = day * MINUTES + minute
                if end > begin:
                    found = Minute(number, functions[begin:end], counts[begin:end], rule=self.rule, seed=seed)
                    waiting.add(found, self._durations(day, found, seed))
                yield waiting.until((number + 1) * MINUTE_NS)
        yield waiting.until(None)

    def _durations(self, day: int, minute: Minute, seed: int) -> Integers:
        """(invocations,) Durations of the function on this day, by its recorded percentiles and average: see
        ``durations_2019``."""
        return self.durations[day].at(minute.function, uniforms(seed, Purpose.DURATION, minute.function, minute.number))


class _Waiting:
    """Invocations that are known and whose time has not come."""

    def __init__(self, names: tuple[str, ...], memory_bytes: Integers | None) -> None:
        self._names, self._memory_bytes = names, memory_bytes
        empty = np.zeros(0, dtype=np.int64)
        self._at, self._function, self._duration = empty, empty, empty

    def add(self, minute: Minute, duration_ns: Integers) -> None:
        """Take the invocations of one more minute, and put all in order of time."""
        at = np.concatenate([self._at, minute.at_ns])
        order = np.argsort(at, kind="stable")
        self._at = at[order]
        self._function = np.concatenate([self._function, minute.function])[order]
        self._duration = np.concatenate([self._duration, duration_ns])[order]

    def until(self, end_ns: int | None) -> Trace:
        """Hand out what arrives before ``end_ns``; None: everything."""
        count = len(self._at) if end_ns is None else int(np.searchsorted(self._at, end_ns))
        found = Trace(
            at_ns=self._at[:count],
            function=self._function[:count],
            duration_ns=self._duration[:count],
            names=self._names,
            memory_bytes=self._memory_bytes,
        )
        self._at, self._function, self._duration = self._at[count:], self._function[count:], self._duration[count:]
        return found


def read_azure_2019(directory: Path, *, within: Within = "uniform") -> Azure2019:
    """The days in a directory. All files are read once to check them; ``chunks`` reads the counts again.

    Memory: every function's box takes its app's average over the days, weighted by the samples. Apps without samples
    get the median of the others. A function without durations on a day gets those of the first day that has them;
    without any it is left out. ``rules`` says how many.

    Raises:
        TraceError: no or missing files, a wrong head, a count below zero or too large, percentiles that fall, NaN, no
            invocation.
    """
    days = _days(directory)
    functions: dict[Function, int] = {}
    totals: list[int] = []
    for file in days["invocations"]:
        by_minute = np.zeros(MINUTES, dtype=np.int64)
        for function, counts in _rows(file):
            place = functions.setdefault(function, len(totals))
            if place == len(totals):
                totals.append(0)
            totals[place] += int(counts.sum())
            by_minute += counts
        _check_minutes(file, by_minute)
    found = [read_durations(file) for file in days["durations"]]
    durations, twice = [one for one, _ in found], sum(count for _, count in found)
    known = [function for function in functions if any(function in day for day in durations)]
    index = dict.fromkeys(functions, -1) | {function: place for place, function in enumerate(known)}
    lost = [function for function in functions if index[function] < 0]
    if sum(totals) == 0:
        raise TraceError(f"{directory}: all counts are zero", hint="name a trace with invocations")
    if not known:
        raise TraceError(
            f"{directory}: no function of the invocations has durations", hint="name files of the same days"
        )
    memory, about_memory = _memory_of(days["memory"], known)
    days_durations = tuple(day_of(day, durations, known) for day in durations)
    about = (*about_durations(durations, twice), *about_memory)
    return Azure2019(
        files=tuple(days["invocations"]),
        names=tuple("/".join(function) for function in known),
        memory_bytes=memory,
        rules=(*_rules(within, len(functions), lost, sum(totals[functions[one]] for one in lost)), *about),
        rule=within,
        index=index,
        durations=days_durations,
    )


def _check_minutes(file: Path, by_minute: Integers) -> None:
    """Raise TraceError: a minute with so many invocations that they do not fit in memory together."""
    fullest = int(by_minute.argmax())
    if by_minute[fullest] > MOST_IN_MINUTE:
        raise TraceError(
            f"{file}: minute {fullest + 1} has {by_minute[fullest]} invocations of all functions, more than "
            f"{MOST_IN_MINUTE}",
            hint="leave some functions out",
        )


def _rules(within: Within, functions: int, lost: list[Function], invocations: int) -> Iterator[str]:
    yield SENTENCES[within]
    yield (
        "Durations are drawn for each invocation: log-normal between two percentiles of the trace each, and beyond the "
        "99th so that the mean is the recorded average, as far as the percentiles allow it."
    )
    yield (
        "The format says that its durations are without cold starts; it has no single invocations by which this could "
        "be checked."
    )
    if lost:
        count = f"{len(lost)} of {functions} functions with {invocations} invocations"
        yield f"{count} are left out: they have no durations."


def is_file_of_2019(name: str) -> bool:
    """Whether a file of a directory belongs to the trace, by its name."""
    return _kind_and_day(name) is not None


def _kind_and_day(name: str) -> tuple[str, int] | None:
    for kind, stem in _STEMS.items():
        if match := re.fullmatch(re.escape(stem) + r"(\d\d)\.csv(\.gz)?", name, re.ASCII):
            return kind, int(match[1])
    return None


def _days(directory: Path) -> dict[str, list[Path]]:
    """The files of each kind, by day. Raises TraceError: there are none, or a day misses one."""
    found: dict[str, dict[int, Path]] = {kind: {} for kind in _STEMS}
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise TraceError(f"{directory}: {error.strerror}", hint="name the directory of the trace's files") from None
    for file in entries:
        if (place := _kind_and_day(file.name)) is not None:
            kind, day = place
            if day in found[kind]:
                raise TraceError(f"{file} and {found[kind][day].name} are of one day", hint="remove one of the two")
            found[kind][day] = file
    days = sorted(found["invocations"])
    if not days:
        raise TraceError(
            f"{directory}: no file {_STEMS['invocations']}01.csv", hint="name the directory of the trace's files"
        )
    missing = [
        f"{stem}{day:02}.csv"
        for kind, stem in _STEMS.items()
        for day in range(days[0], days[-1] + 1)
        # Memory is missing from the last days of the published trace.
        if kind != "memory" and day not in found[kind]
    ]
    if missing:
        raise TraceError(
            f"{directory}: {', '.join(missing)} is missing", hint="copy the file there, or leave the day out"
        )
    return {kind: [by_day[day] for day in days if day in by_day] for kind, by_day in found.items()}


def _rows(file: Path) -> Iterator[tuple[Function, Integers]]:
    """Each function with its counts (minutes,). Raises TraceError."""
    for number, line in read_rows(file, INVOCATIONS_HEAD):
        owner, app, function, _, counts = (line.split(",", 4) + [""] * 4)[:5]
        yield (owner, app, function), _line_counts(file, number, line, counts)


def _line_counts(file: Path, number: int, line: str, text: str) -> Integers:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            # Twenty times as fast as a conversion of each column.
            counts = np.fromstring(text, dtype=np.int64, sep=",")
        except (DeprecationWarning, ValueError):
            counts = np.zeros(0, dtype=np.int64)
    if len(counts) == MINUTES and counts.min() >= 0 and counts.max() <= MOST_IN_MINUTE:
        return counts
    fields = fields_of(file, number, line, INVOCATIONS_HEAD)
    found = np.zeros(MINUTES, dtype=np.int64)
    for place, (column, field) in enumerate(zip(INVOCATIONS_HEAD[4:], fields[4:], strict=True)):
        value = number_of(file, number, f"minute {column}", field, most=MOST_IN_MINUTE)
        if value != int(value):
            raise TraceError(
                f"{file}:{number}: minute {column} is {field}, not a whole number", hint="correct or remove the line"
            )
        found[place] = int(value)
    return found


def _counts(file: Path, index: Mapping[Function, int]) -> tuple[Integers, Integers, Integers]:
    """Minutes, functions and counts of everything above zero, in order of minute and function, each pair once."""
    minutes, functions, counts = [], [], []
    for function, row in _rows(file):
        place = index.get(function)
        if place is None:
            raise TraceError(f"{file}: it was changed while it was being read", hint="start again")
        if place >= 0:
            (filled,) = np.nonzero(row)
            minutes.append(filled.astype(np.int64))
            functions.append(np.full(len(filled), place, dtype=np.int64))
            counts.append(row[filled])
    if not minutes:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty
    key = np.concatenate(minutes) * len(index) + np.concatenate(functions)
    # A function can have a line for each of its triggers.
    pairs, where = np.unique(key, return_inverse=True)
    sums = np.zeros(len(pairs), dtype=np.int64)
    np.add.at(sums, where, np.concatenate(counts))
    return pairs // len(index), pairs % len(index), sums


def _memory_of(files: Iterable[Path], known: list[Function]) -> tuple[Integers | None, tuple[str, ...]]:
    """(functions,) and sentences about it; None without a file."""
    sums: dict[tuple[str, str], list[float]] = {}
    for file in files:
        for number, line in read_rows(file, MEMORY_HEAD):
            fields = fields_of(file, number, line, MEMORY_HEAD)
            samples, megabytes = (
                number_of(file, number, column, field, most=most)
                for column, field, most in zip(MEMORY_HEAD[2:4], fields[2:4], (_MOST_COUNT, _MOST_MB), strict=True)
            )
            entry = sums.setdefault((fields[0], fields[1]), [0.0, 0.0])
            entry[0] += samples
            entry[1] += samples * megabytes
    apps = {app: weighted / samples for app, (samples, weighted) in sums.items() if samples > 0}
    if not apps:
        return None, ("The trace has no memory file: functions take no memory of their own.",)
    usual = float(np.median(list(apps.values())))
    values = [apps.get((owner, app), usual) for owner, app, _ in known]
    guessed = sum((owner, app) not in apps for owner, app, _ in known)
    about = ["Each function's box takes the average memory of its app."]
    apart = len({(owner, app) for owner, app, _ in known})
    if apart < len(known):
        about.append(
            f"There, an app's functions share its memory. Here it counts once for each of them, which are "
            f"{len(known) / apart:.3g} per app on average."
        )
    if guessed:
        who = f"{guessed} of {len(known)} functions"
        about.append(f"{who} have no memory samples: they take the median, {usual:.0f} MiB.")
    return np.rint(np.array(values) * _MB_BYTES).astype(np.int64), tuple(about)
