"""Published tables of storms as observations: a CSV file with a row per runtime and number of boxes.

Columns: ``runtime`` and ``n``, and any of ``first``, ``last``, ``median`` (ms since the request) and
``cpu_per_start`` (ms of CPU time). A field may be empty. Lines that begin with ``#`` are comments;
``# cpus: 104`` states the CPUs of the host.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from bench.records.record import Endpoint
from bench.sim.observe.trials import Observations, Source, SummaryRow, TargetObservations
from bench.util.errors import UsageError
from bench.util.paths import is_file

NEEDED: Final = ("runtime", "n")
TIMES: Final = ("first", "median", "last")
OPTIONAL: Final = (*TIMES, "cpu_per_start")
_CPUS: Final = re.compile(r"#\s*cpus:\s*(\S+)\s*")
_NS: Final = 10**6
_MOST_BYTES: Final = 2**24
_MOST_BOXES: Final = 10**7
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


def observe_table(file: Path, *, cpus: int | None = None) -> Observations:
    """The storms of a table.

    Args:
        cpus: of the host that was measured; None: the table's own line ``# cpus: N``.

    Raises:
        UsageError: the file cannot be read; a line, a column or a value is wrong; the number of CPUs is not known.
    """
    content = _content(file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text", hint=f"write a CSV file; {_FORM}") from None
    lines = [_Line(number, line) for number, line in enumerate(text.splitlines(), start=1)]
    stated = [_stated_cpus(file, line) for line in lines if _CPUS.fullmatch(line.text)]
    known = cpus if cpus is not None else next(iter(stated), None)
    if known is None:
        raise UsageError(
            f"{file} does not say how many CPUs the host had",
            hint="add a line `# cpus: 104` above the columns, or the option --table-cpus 104",
        )
    rows = list(_rows(file, [line for line in lines if line.text.strip() and not line.text.startswith("#")]))
    by_runtime: dict[str, list[_Row]] = {}
    for row in rows:
        by_runtime.setdefault(row.runtime, []).append(row)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Observations(
        sources=(Source(name=file.name, digest=digest, host=None, cpus=known, memory_bytes=None),),
        workload=file.name,
        targets={runtime: _target(file, runtime, found) for runtime, found in by_runtime.items()},
    )


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


def _stated_cpus(file: Path, line: _Line) -> int:
    text = _CPUS.fullmatch(line.text)
    value = text[1] if text else ""
    if not re.fullmatch(r"[1-9]\d{0,5}", value):
        raise UsageError(f"{file}:{line.number}: cpus: {value!r} is not a number of CPUs", hint="write `# cpus: 104`")
    return int(value)


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
            raise UsageError(f"{file}:{line.number}: there is no column {name!r}", hint=_FORM)
        if header.count(name) > 1:
            raise UsageError(f"{file}:{line.number}: the column {name} is there twice", hint=_FORM)
    missing = [name for name in NEEDED if name not in header]
    if missing or not {"median", "last"} & set(header):
        lacking = " and ".join(missing) or "median or last"
        raise UsageError(f"{file}:{line.number}: the column {lacking} is missing", hint=_FORM)
    return header


def _row(file: Path, number: int, fields: dict[str, str]) -> _Row:
    where = f"{file}:{number}"
    if not fields["runtime"]:
        raise UsageError(f"{where}: runtime is empty", hint="name the runtime in every row")
    if not re.fullmatch(r"\d{1,8}", fields["n"]) or not 1 <= int(fields["n"]) <= _MOST_BOXES:
        raise UsageError(f"{where}: n: {fields['n']!r} is not a number of boxes", hint="n is a whole number from 1 on")
    times = {name: _milliseconds(where, name, fields.get(name, "")) for name in OPTIONAL}
    _check_order(where, times)
    row = SummaryRow(
        boxes=int(fields["n"]),
        first_ns=times["first"],
        median_ns=times["median"],
        last_ns=times["last"],
        cpu_per_start_ns=times["cpu_per_start"],
    )
    return _Row(number, fields["runtime"], row)


def _milliseconds(where: str, name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"{where}: {name}: {text!r} is not a time", hint="times are in ms and above 0")
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


def _target(file: Path, runtime: str, rows: list[_Row]) -> TargetObservations:
    lines: dict[int, int] = {}
    for row in rows:
        first = lines.setdefault(row.row.boxes, row.line)
        if first != row.line:
            raise UsageError(
                f"{file}:{row.line}: {runtime} with n = {row.row.boxes} is in line {first} already",
                hint="give one row per runtime and number of boxes",
            )
    return TargetObservations(
        label=runtime,
        goal=Endpoint.READY,
        endpoints=(Endpoint.READY,),
        rows=tuple(sorted((row.row for row in rows), key=lambda row: row.boxes)),
    )


def row_digest(label: str, row: SummaryRow) -> str:
    """``sha256:...`` of a row's content: what a check must not score when the fit has used it."""
    times = (row.first_ns, row.median_ns, row.last_ns, row.cpu_per_start_ns)
    return f"sha256:{hashlib.sha256(repr((label, row.boxes, times)).encode()).hexdigest()}"
