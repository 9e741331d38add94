"""Published tables of storms as observations: a CSV file with a row per runtime and number of boxes.

Columns: ``runtime`` and ``n``, and any of ``first``, ``last``, ``median`` (ms since the request) and
``cpu_per_start`` (ms of CPU time). A field may be empty. Lines that begin with ``#`` are comments;
``# cpus: 104`` states the CPUs of the host, and ``# workload: NAME`` what the boxes ran. The name of the file says
nothing: the rows of one table may be in several files.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from bench.records.record import Endpoint
from bench.scenario.fields import canonical_label, older_label
from bench.sim.limits import MOST_CPUS, MOST_TABLE_NS
from bench.sim.observe.trials import NOT_STATED, Observations, Source, SummaryRow, TargetObservations
from bench.util.errors import UsageError
from bench.util.numbers import plain_number
from bench.util.paths import is_file
from bench.util.text import plain

NEEDED: Final = ("runtime", "n")
TIMES: Final = ("first", "median", "last")
OPTIONAL: Final = (*TIMES, "cpu_per_start")
_CPUS: Final = "cpus"
_WORKLOAD: Final = "workload"
_STATED: Final = re.compile(rf"#\s*({_CPUS}|{_WORKLOAD}):\s*(.*?)\s*")
_NS: Final = 10**6
_MOST_BYTES: Final = 2**24
_MOST_BOXES: Final = 20_000
"""Of all rows of a runtime: a fit simulates some thousand candidates of each, which takes minutes from here on."""
_MOST_MS: Final = MOST_TABLE_NS / _NS
"""Fourteen hours."""
_MOST_NAME: Final = 200
_FALL: Final = 1 - 2 * math.sqrt(2) * 0.05
"""Published medians scatter by some 5 % each. Below this share of a smaller storm's, which is twice what two of them
scatter by, the last box is up too soon."""
_MORE_CPU: Final = 0.95
"""CPU time that the host has is above this share of what a row says: less is more than scatter."""
_APART: Final = 3.0
"""CPU time per start grows slowly with the boxes. So far apart within a factor of ten of n, it is rather a mistake."""
_WITHIN: Final = 10
_FORM: Final = f"the columns are {','.join(NEEDED)} and any of {','.join(OPTIONAL)}, times in ms"


class _Line(NamedTuple):
    """A line that is no comment."""

    number: int
    """From 1."""
    text: str


class _Row(NamedTuple):
    line: int
    runtime: str
    row: SummaryRow


def observe_table(file: Path, *, cpus: int | None = None, targets: Sequence[str] | None = None) -> Observations:
    """The storms of a table.

    Args:
        file: see ``bench.util.package_data.find_table`` for the names of shipped tables.
        cpus: of the host that was measured; None: the table's own line ``# cpus: N``.
        targets: runtimes; None: all.

    Raises:
        UsageError: the file cannot be read; a line, a column or a value is wrong; rows contradict each other; the
            number of CPUs is not known; there is no such runtime.
    """
    content = _content(file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text", hint=f"write a CSV file; {_FORM}") from None
    # str.splitlines would also split at control characters, and count lines as no editor does.
    lines = [_Line(number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), start=1)]
    known = _cpus(file, lines, cpus)
    rows = list(_rows(file, [line for line in lines if line.text.strip() and not line.text.startswith("#")]))
    by_runtime: dict[str, list[_Row]] = {}
    for row in rows:
        by_runtime.setdefault(row.runtime, []).append(row)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Observations(
        sources=(Source(name=file.name, digest=digest, host=None, cpus=known, memory_bytes=None),),
        workload=_workload(file, lines),
        targets=_chosen(file, {name: _target(file, name, found, known) for name, found in by_runtime.items()}, targets),
    )


def _chosen(
    file: Path, known: Mapping[str, TargetObservations], wanted: Sequence[str] | None
) -> Mapping[str, TargetObservations]:
    """The runtimes that are wanted, in the table's order; all of them where none is named."""
    wanted = None if wanted is None else tuple(map(canonical_label, wanted))
    for label in wanted or ():
        if label not in known:
            raise UsageError(f"{file.name} has no runtime {label!r}", hint=f"it has {', '.join(known)}")
    return {label: one for label, one in known.items() if wanted is None or label in wanted}


def _content(file: Path) -> bytes:
    if not is_file(file):
        raise UsageError(f"{file} is not a file", hint=f"name a CSV file; {_FORM}")
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="check its owner and mode") from None
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{file} is larger than 16 MiB", hint="a table has one line per runtime and number of boxes")
    return content


def _stated(file: Path, lines: Sequence[_Line], key: str) -> _Line | None:
    """What the comments state under a key, and where; None: nothing."""
    found = [
        _Line(line.number, match[2]) for line in lines if (match := _STATED.fullmatch(line.text)) and match[1] == key
    ]
    for other in found[1:]:
        if other.text != found[0].text:
            raise UsageError(
                f"{file}:{other.number}: {key} is {plain(other.text)!r} here, and {plain(found[0].text)!r} in line "
                f"{found[0].number}",
                hint="a table is of one host and one workload; write a file for each",
            )
    return found[0] if found else None


def _cpus(file: Path, lines: Sequence[_Line], given: int | None) -> int:
    stated = _stated(file, lines, _CPUS)
    if stated is not None and not (re.fullmatch(r"[1-9][0-9]{0,5}", stated.text) and int(stated.text) <= MOST_CPUS):
        raise UsageError(
            f"{file}:{stated.number}: cpus: {plain(stated.text)!r} is not a number of CPUs from 1 to {MOST_CPUS}",
            hint="write `# cpus: 104`",
        )
    if given is not None:
        return given
    if stated is None:
        raise UsageError(
            f"{file} does not say how many CPUs the host had",
            hint="add a line `# cpus: 104` above the columns, or the option --table-cpus 104",
        )
    return int(stated.text)


def _workload(file: Path, lines: Sequence[_Line]) -> str:
    stated = _stated(file, lines, _WORKLOAD)
    if stated is None:
        return NOT_STATED
    return _name(f"{file}:{stated.number}", _WORKLOAD, stated.text)


def _name(where: str, key: str, text: str) -> str:
    """A name that can be printed as it is."""
    if not text:
        raise UsageError(f"{where}: {key} is empty", hint=f"name the {key}, or leave the line out")
    if len(text) > _MOST_NAME:
        raise UsageError(f"{where}: {key} has more than {_MOST_NAME} characters", hint="write a shorter name")
    if plain(text) != text:
        raise UsageError(
            f"{where}: {key}: {plain(text)!r} has control or invisible characters", hint="remove them from the name"
        )
    return text


def _rows(file: Path, lines: list[_Line]) -> Iterator[_Row]:
    if not lines:
        raise UsageError(f"{file} has no columns and no rows", hint=_FORM)
    header = _columns(file, lines[0])
    if len(lines) == 1:
        raise UsageError(f"{file}:{lines[0].number}: there is no row below the columns", hint=_FORM)
    for line in lines[1:]:
        fields = _fields(file, line)
        if len(fields) != len(header):
            raise UsageError(
                f"{file}:{line.number}: {len(fields)} fields for {len(header)} columns",
                hint="leave a field empty where nothing is known, and keep its comma",
            )
        yield _row(file, line.number, dict(zip(header, fields, strict=True)))


def _fields(file: Path, line: _Line) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line.text]))]
    except csv.Error as error:
        raise UsageError(f"{file}:{line.number}: not a line of a CSV file: {error}", hint=_FORM) from None


def _columns(file: Path, line: _Line) -> list[str]:
    header = _fields(file, line)
    for name in header:
        if name not in (*NEEDED, *OPTIONAL):
            raise UsageError(f"{file}:{line.number}: there is no column {plain(name)!r}", hint=_FORM)
        if header.count(name) > 1:
            raise UsageError(f"{file}:{line.number}: the column {name} is there twice", hint=_FORM)
    missing = [name for name in NEEDED if name not in header]
    if missing or not {"median", "last"} & set(header):
        lacking = " and ".join(missing) or "median or last"
        raise UsageError(f"{file}:{line.number}: the column {lacking} is missing", hint=_FORM)
    return header


def _row(file: Path, number: int, fields: dict[str, str]) -> _Row:
    where = f"{file}:{number}"
    runtime = canonical_label(_name(where, "runtime", fields["runtime"]))
    times = {name: _milliseconds(where, name, fields.get(name, "")) for name in OPTIONAL}
    _check_order(where, times)
    row = SummaryRow(
        boxes=_boxes(where, fields["n"]),
        first_ns=times["first"],
        median_ns=times["median"],
        last_ns=times["last"],
        cpu_per_start_ns=times["cpu_per_start"],
    )
    return _Row(number, runtime, row)


def _boxes(where: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < 1:
        raise UsageError(f"{where}: n: {plain(text)!r} is not a number of boxes", hint="n is a whole number from 1 on")
    if int(text) > _MOST_BOXES:
        raise UsageError(
            f"{where}: n: {text} is above {_MOST_BOXES}, the most boxes that a fit can hold", hint="leave the row out"
        )
    return int(text)


def _milliseconds(where: str, name: str, text: str) -> float | None:
    if not text:
        return None
    value = plain_number(text)
    if value is None or value <= 0:
        raise UsageError(f"{where}: {name}: {plain(text)!r} is not a time", hint="times are in ms and above 0")
    if value > _MOST_MS:
        raise UsageError(
            f"{where}: {name}: {plain(text)} ms is above {_MOST_MS:g} ms",
            hint="times are in ms; was the column written in another unit?",
        )
    return value * _NS


def _check_order(where: str, times: dict[str, float | None]) -> None:
    known = [(name, value) for name in TIMES if (value := times[name]) is not None]
    if not known:
        raise UsageError(f"{where}: neither first, median nor last is given", hint="leave the row out")
    for (one, less), (other, more) in pairwise(known):
        if less > more:
            raise UsageError(
                f"{where}: {one} is {less / _NS:g} ms and {other} is {more / _NS:g} ms",
                hint=f"{one} cannot be later than {other}; were the columns exchanged?",
            )


def _target(file: Path, runtime: str, rows: list[_Row], cpus: int) -> TargetObservations:
    lines: dict[int, int] = {}
    total = 0
    for row in rows:
        first = lines.setdefault(row.row.boxes, row.line)
        if first != row.line:
            raise UsageError(
                f"{file}:{row.line}: {runtime} with n = {row.row.boxes} is in line {first} already",
                hint="give one row per runtime and number of boxes",
            )
        total += row.row.boxes
        if total > _MOST_BOXES:
            raise UsageError(
                f"{file}:{row.line}: the rows of {runtime} up to here have {total} boxes together, and a fit can hold "
                f"{_MOST_BOXES}",
                hint="leave out some of its rows of many boxes",
            )
    ordered = sorted(rows, key=lambda row: row.row.boxes)
    return TargetObservations(
        label=runtime,
        goal=Endpoint.READY,
        endpoints=(Endpoint.READY,),
        rows=tuple(row.row for row in ordered),
        notes=(*_falls(file, ordered), *_cpu_notes(ordered), *_too_much_cpu(ordered, cpus)),
    )


def _falls(file: Path, rows: Sequence[_Row]) -> tuple[str, ...]:
    """A note where the last of more boxes is up a little sooner. Raises UsageError: where it is more than that."""
    notes = []
    latest: _Row | None = None
    for row in rows:
        if row.row.last_ns is None:
            continue
        if latest is None or row.row.last_ns >= (latest.row.last_ns or 0.0):
            latest = row
            continue
        before = latest.row.last_ns or 0.0
        said = (
            f"last is {row.row.last_ns / _NS:g} ms with n = {row.row.boxes}, and {before / _NS:g} ms with n = "
            f"{latest.row.boxes} in line {latest.line}"
        )
        if row.row.last_ns < _FALL * before:
            raise UsageError(
                f"{file}:{row.line}: {row.runtime}: {said}",
                hint="the last of more boxes cannot be up sooner; were rows or columns exchanged?",
            )
        notes.append(f"Line {row.line}: {said}, which only scatter explains.")
    return tuple(notes)


def _cpu_notes(rows: Sequence[_Row]) -> Iterator[str]:
    """A note on the two rows of a factor of ten whose CPU time per start is farthest apart, where that is too far."""
    used = [(row, row.row.cpu_per_start_ns) for row in rows if row.row.cpu_per_start_ns is not None]
    pairs = [
        (max(one / other, other / one), first, second)
        for place, (first, one) in enumerate(used)
        for second, other in used[place + 1 :]
        if second.row.boxes <= _WITHIN * first.row.boxes
    ]
    far, first, second = max(pairs, key=lambda pair: pair[0], default=(0.0, None, None))
    if far > _APART and first is not None and second is not None:
        yield (
            f"Lines {first.line} and {second.line}: the CPU time of a start with n = {first.row.boxes} and with n = "
            f"{second.row.boxes} is {far:.3g} times apart. No model of starts explains that; is one of them a mistake?"
        )


def _too_much_cpu(rows: Sequence[_Row], cpus: int) -> Iterator[str]:
    """A note on the first row whose boxes used more CPU time than the host has until the last box is up."""
    for row in rows:
        last, used = row.row.last_ns, row.row.cpu_per_start_ns
        if last is not None and used is not None and row.row.boxes * used > last * cpus / _MORE_CPU:
            yield (
                f"Line {row.line}: {row.row.boxes} starts of {used / _NS:g} ms of CPU time are more than {cpus} CPUs "
                f"have in {last / _NS:g} ms. Work after the last box was up may have been counted, or the number of "
                "CPUs is wrong."
            )
            return


def row_digest(label: str, row: SummaryRow) -> str:
    """``sha256:...`` of a row's content: what a check must not score when the fit has used it."""
    times = (row.first_ns, row.median_ns, row.last_ns, row.cpu_per_start_ns)
    return f"sha256:{hashlib.sha256(repr((older_label(label), row.boxes, times)).encode()).hexdigest()}"
