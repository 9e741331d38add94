"""Numbers and untrusted text as people read them, for every output format."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

from bench.analysis.estimates import Estimate, Interval, Spread
from bench.analysis.in_order import boots_for_interval
from bench.analysis.metrics import INSTRUCTIONS, Metric
from bench.analysis.results import CellSummary, Comparison
from bench.analysis.verdicts import RatioVerdict
from bench.plan.trials import Cell
from bench.records.component import Component
from bench.util.cache import content_key
from bench.util.text import plain
from bench.util.units import format_bytes, format_ns, grouped

BEYOND: Final = "beyond the limit"
FAILED: Final = "never: failed"
MISSING: Final = "–"
NONE_SEEN: Final = "none seen"
MAX_TEXT: Final = 400
_STEM_BYTES: Final = 80
_KEY_CHARS: Final = 8
_KEYED: Final = re.compile(r"(^|-)[0-9a-f]{8}$")
_IN_STEM: Final = {"/": "_"}
_LEAST, _MOST = 0.1, 999.5
"""Ends of intervals that are outside of these, in the unit of the middle, have a unit of their own."""

FACTORS: Final = {
    "s": 1e9,
    "ms": 1e6,
    "µs": 1e3,
    "ns": 1.0,
    "GiB": 2.0**30,
    "MiB": 2.0**20,
    "KiB": 2.0**10,
    "B": 1.0,
    "G/s": 1e9,
    "M/s": 1e6,
    "k/s": 1e3,
    "/s": 1.0,
    "GiB/s": 2.0**30,
    "MiB/s": 2.0**20,
    "KiB/s": 2.0**10,
    "B/s": 1.0,
}
_RATES: Final = ((1e9, "G/s"), (1e6, "M/s"), (1e3, "k/s"))


def clean(text: str, *, limit: int = MAX_TEXT) -> str:
    """Untrusted text on one line, without escape sequences and invisible characters, cut to ``limit`` characters.

    The caller still escapes it for its own format (markup, Markdown, HTML).
    """
    line = " ".join(plain(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def file_stem(text: str) -> str:
    """A cell's or a target's name as part of a file name, of at most 80 bytes: different for different names.

    Letters, digits and dashes stay, and a slash becomes an underscore: ``libvirt_tcg``. A name with anything else, a
    long one, and one that looks as if it had a key already, has a key of its text at the end.
    """
    stem = "".join(_IN_STEM.get(letter, letter if letter.isalnum() else "-") for letter in text).strip("-_")
    if stem and stem.replace("_", "/") == text and len(stem.encode()) <= _STEM_BYTES and not _KEYED.search(stem):
        return stem
    key = content_key(text)[:_KEY_CHARS]
    room = _STEM_BYTES - _KEY_CHARS - 1
    short = stem.encode()[:room].decode("utf-8", "ignore").strip("-_")
    return f"{short}-{key}" if short else key


def clean_lines(text: str, *, limit: int = 64_000) -> str:
    """Like ``clean``, line by line with the indentation kept, for files that are shown whole."""
    lines = text[:limit].splitlines()
    return "\n".join(line[: len(line) - len(line.lstrip(" "))] + clean(line.lstrip(" "), limit=1000) for line in lines)


def significant(value: float) -> str:
    """Three significant digits, two below 0.1, no exponent: ``0.035``, ``1.04``, ``18.2``, ``4190``."""
    if value == 0:
        return "0"
    # Rounding comes first: 0.9997 becomes 1.00, not 1.000.
    size = float(f"{abs(value):.3g}")
    digits = 2 if size < 0.1 else 3
    decimals = max(0, digits - 1 - math.floor(math.log10(size) + 1e-9))
    text = f"{abs(value):.{min(decimals, 6)}f}"
    return f"−{text}" if value < 0 else text


def quantity(value: float | None, unit: str) -> str:
    """``188 ms``, ``64.0 MiB``; ``beyond the limit`` for inf, a dash for None."""
    if value is None:
        return MISSING
    if math.isinf(value):
        return BEYOND
    return _WRITERS.get(unit, significant)(value)


def exact_change(ratio: float) -> str:
    """A ratio of exact counts as a change: ``+0.0123 %``, ``18.2×``; ``0 %`` when equal. All digits are significant."""
    if ratio >= 10:
        return f"{significant(ratio)}×"
    sign = "+" if ratio > 1 else ""
    return f"{sign}{significant((ratio - 1) * 100)} %"


def _rate(value: float) -> str:
    """``28.5 k/s``."""
    scale, name = next((entry for entry in _RATES if abs(value) >= 0.9995 * entry[0]), (1.0, "/s"))
    return f"{significant(value / scale)} {name}"


def _number(value: float, unit: str) -> str:
    if unit not in ("B", "ns"):
        return significant(value)
    whole = round(value)
    return f"−{-whole}" if whole < 0 else f"{whole}"


_WRITERS: Final[Mapping[str, Callable[[float], str]]] = {
    "ns": format_ns,
    "bytes": format_bytes,
    "per_s": _rate,
    "bytes_per_s": lambda value: f"{format_bytes(value)}/s",
    INSTRUCTIONS: lambda value: grouped(round(value)),
}
"""By unit. Other numbers have three significant digits."""


def bracket(interval: Interval) -> str:
    """``[205, 232]`` of plain numbers; ``[205, ∞)`` when time-outs leave no upper limit.

    ``(most boots failed)`` when failures leave no lower limit either.
    """
    if math.isinf(interval.low):
        return "(most boots failed)"
    return _enclosed(interval, (significant(interval.low), _end(interval.high, significant)))


def _enclosed(interval: Interval | Spread, ends: tuple[str, str]) -> str:
    """``[205, 232]``, or ``(205–232)``: a range is not an interval, and does not look like one."""
    low, high = ends
    if isinstance(interval, Spread):
        return f"({low}–{high})"
    return f"[{low}, {high})" if math.isinf(interval.high) else f"[{low}, {high}]"


def _end(value: float, writer: Callable[[float], str]) -> str:
    return "∞" if math.isinf(value) else writer(value)


def _ends(interval: Interval | Spread, name: str, unit: str, *, own: bool = False) -> tuple[str, str]:
    """Both ends in the unit ``name``, or each with a unit of its own: if ``own``, or where one is too far from it."""
    if own or any(_needs_unit(end, name, unit) for end in (interval.low, interval.high)):
        return _end(interval.low, lambda end: _alone(end, unit)), _end(interval.high, lambda end: _alone(end, unit))
    factor = FACTORS.get(name, 1.0)
    low, high = (_end(end, lambda value: _number(value / factor, name)) for end in (interval.low, interval.high))
    return low, high


def _needs_unit(end: float, name: str, unit: str) -> bool:
    """Whether an end has too many or too few digits in the unit ``name``, and another one is better."""
    if name not in FACTORS or end == 0 or math.isinf(end):
        return False
    size = abs(end) / FACTORS[name]
    return (size >= _MOST or size < _LEAST) and quantity(end, unit).rpartition(" ")[2] != name


def _alone(end: float, unit: str) -> str:
    """An end with its unit, which 0 does not need."""
    return quantity(end, unit) if end else "0"


_BESIDE: Final = re.compile(r" (\[|\([^()–]*–)")


def alone(text: str) -> str:
    """A number without the interval or the range beside it."""
    return _BESIDE.split(text, maxsplit=1)[0]


def with_interval(value: float, interval: Interval | Spread | None, unit: str) -> str:
    """``224 ms [205, 232]``, or ``224 ms (205–232)`` for a range: in the value's own unit.

    Ends that are far from it have units of their own: ``707 ms [0, 28.4 s]``.
    """
    text = quantity(value, unit)
    if interval is None or math.isinf(interval.low):
        return text
    # A median of 0 or beyond the limit has no unit of its own, so one of the limits gives the unit.
    shown = quantity({0.0: interval.high, math.inf: interval.low}.get(value, value), unit)
    name = shown.rpartition(" ")[2] if unit else ""
    if value == 0 and name in FACTORS:
        # Zero needs no unit; where all is 0 it stays, so that a reader sees what is 0.
        none = interval.high == 0
        return f"{text if none else 0} {_enclosed(interval, _ends(interval, name, unit, own=not none))}"
    limits = _enclosed(interval, _ends(interval, name, unit))
    return f"{text} {limits} {name}" if math.isinf(value) else f"{text} {limits}"


def format_estimate(found: Estimate, unit: str) -> str:
    """A median with its interval: ``224 ms [205, 232]``; with the range ``224 ms (205–232)`` where it has none."""
    return with_interval(found.value, found.shown, unit)


def median_text(summary: CellSummary | None) -> str:
    """A summary's median with its interval, or a dash when the metric was not measured.

    ``none seen`` of a difference of counters that is not above its own error.
    """
    if summary is None:
        return MISSING
    if summary.metric.component == Component.HOST_OTHER and summary.median.value <= 0:
        return NONE_SEEN
    text = format_estimate(summary.median, summary.metric.unit)
    # A box that crashed met no limit. In a storm boxes are lost in other ways too.
    crashed = summary.failures and not summary.timeouts
    return text.replace(BEYOND, FAILED) if crashed else text


def short_median(summary: CellSummary | None) -> str:
    """The median alone, for narrow columns."""
    return alone(median_text(summary)) if summary else MISSING


def p95_text(summary: CellSummary | None) -> str:
    """p95 with its interval, or ``n < 72`` when the boots are worth too few independent ones for it."""
    if summary is None:
        return MISSING
    found = summary.p95
    return f"n < {boots_for_interval(0.95)}" if found is None else with_interval(found.value, found.interval, "ns")


def format_ratio(value: float | None) -> str:
    """``18.5×``; ``∞`` when the median above is beyond the limit; a dash for None."""
    if value is None:
        return MISSING
    return "∞" if math.isinf(value) else f"{significant(value)}×"


def ratio_text(comparison: Comparison | None) -> str:
    """``18.5× [17.7, 19.0]``, or a dash when there is no ratio."""
    if comparison is None or comparison.ratio is None:
        return MISSING
    return f"{format_ratio(comparison.ratio.value)} {bracket(comparison.ratio.interval)}"


def upward_text(comparison: Comparison | None) -> str:
    """``3.76× faster [3.52, 4.01]``: a ratio with a verdict has its word and is read upwards, so it is 1 or more.

    A ratio without a verdict has no word and stays as it is: ``0.970× [0.910, 1.04]``.
    """
    return " ".join(filter(None, upward_parts(comparison)))


def upward_parts(comparison: Comparison | None) -> tuple[str, str, str]:
    """The ratio, the word and the interval of ``upward_text``; a dash and two empty texts without a ratio."""
    if comparison is None or comparison.ratio is None or comparison.ratio.value is None:
        return MISSING, "", ""
    value, limits = comparison.ratio.value, comparison.ratio.interval
    if comparison.verdict not in (RatioVerdict.FASTER, RatioVerdict.SLOWER):
        return format_ratio(value), "", bracket(limits)
    if value < 1:
        value, limits = _upwards(value), Interval(_upwards(limits.high), _upwards(limits.low), limits.level)
    return format_ratio(value), verdict_text(comparison), bracket(limits)


def _upwards(ratio: float) -> float:
    return 1 / ratio if ratio else math.inf


def sure_text(comparison: Comparison | None) -> str:
    """``sure`` beside a ratio whose word says which way; ``same``; ``cannot tell``. Empty without a comparison."""
    if comparison is None:
        return ""
    return "sure" if comparison.verdict in (RatioVerdict.FASTER, RatioVerdict.SLOWER) else str(comparison.verdict)


def verdict_text(comparison: Comparison) -> str:
    """The verdict; of resources ``more`` and ``less`` in place of ``slower`` and ``faster``."""
    if is_speed(comparison.metric):
        return str(comparison.verdict)
    names = {RatioVerdict.FASTER: "less", RatioVerdict.SLOWER: "more"}
    return names.get(comparison.verdict, str(comparison.verdict))


def is_speed(metric: Metric) -> bool:
    """Whether a box is faster or slower by the metric: a time or a rate. Of others it takes more or less."""
    return metric.is_duration or metric.higher_is_better


EMULATED: Final = ("tcg", "icount")
"""Accelerators whose CPU is emulated, so that times have a shape and no size."""


def is_emulated(cell: Cell) -> bool:
    """Whether the cell's CPU is emulated. Figures draw such a cell with dashed lines and hollow markers."""
    return cell.accel in EMULATED


BASELINE: Final = "1 (baseline)"
"""In place of the ratio of the box that others are compared with."""


def is_baseline(cell: Cell, baseline: str) -> bool:
    """Whether the cell is of the box that a scenario names as its baseline."""
    return baseline in (cell.target, cell.box)


def cell_label(cell: Cell) -> str:
    """The box, and its factor levels when it has any: ``libvirt/tcg cache=cold``."""
    levels = " ".join(f"{name}={cell.factors[name]}" for name in sorted(cell.factors))
    return clean(f"{cell.box} {levels}".strip())


def block_text(block: int, *, warmup: bool = False) -> str:
    """A block as people count, from 1: ``3``, ``1 (warm-up)``. Records count from 0."""
    return f"{block + 1}{' (warm-up)' if warmup else ''}"


_UNTIL: Final = {
    "replied": "the first correct reply",
    "start_returned": "the start call returns",
    "kernel": "the kernel's first message",
    "init": "the agent's first message",
    "exec": "the agent starts the workload",
    "listening": "the port is open",
    "gone": "everything is gone",
}


def describe_endpoint(metric: Metric) -> str:
    """An endpoint metric as the end of a title that begins with "time until": ``the first correct reply``."""
    return _UNTIL.get(metric.rest, metric.rest)
