"""Parameters and values in words, for sentences of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench.sim.answer.answer import Quantity
from bench.util.units import format_bytes, format_ns, grouped

CPU_GROWTH: Final = "cpu_growth"
"""The role of inflation and crowding: both make CPU work longer when more boxes start."""
START: Final = "start"
"""The role of the delays: how long a single start takes."""
WAY: Final = "way"
"""The role of where the lock is held, and how."""
NOISE: Final = "noise"
"""What runs of one draw differ by, as a name among those of parameters."""
TRACE: Final = "trace"
"""What runs of one draw on other traces of the same kind differ by."""
REST: Final = (NOISE, TRACE, "misfit", "beyond")
"""What is open besides parameters, under names that stand among those of parameters."""
TOGETHER: Final = "together"
"""What parameters explain together and none by itself, as a name among theirs."""
LIMITS: Final = {
    "start": "the start itself",
    "CPU": "CPU",
    "lock": "the lock",
    "requests": "the time between requests",
    "memory": "memory",
    "hosts": "the limit of boxes of a host",
    "none": "nothing",
}
"""What limits an answer, by the name of a ``Bottleneck``."""
_PARTS: Final = {
    "delay": "delay before {}",
    "work": "CPU work before {}",
    "background": "background CPU work before {}",
    "hold_work": "lock hold before {}",
    "hold_delay": "lock hold without CPU before {}",
}
_NAMES: Final = {
    "inflation": "CPU inflation per busy CPU",
    "crowding": "growth of CPU work with the boxes that start at once",
    "growth": "growth of the lock hold per living box",
    "block_sd": "noise that the boxes of a trial share",
    "block_correlation": "correlation of that noise between blocks",
    "box_sd": "noise of single boxes",
    "memory_fixed": "fixed memory",
    "memory_slope": "memory of a further box",
    "inflation_form": "form of CPU inflation beyond the measured CPUs",
    START: "length of a single start",
    WAY: "place and manner of the lock",
    CPU_GROWTH: "growth of CPU work with more boxes",
    NOISE: "noise of single runs",
    TRACE: "luck of the trace",
    TOGETHER: "several parameters together",
    "misfit": "what the model misses within the data",
    "beyond": "errors of predictions beyond the data",
}
_MORE_CPUS: Final = "the same storms on a host with more CPUs"
_CELLS: Final = {
    "delay": "a cell with one box",
    START: "a cell with one box, more blocks",
    "work": "`concurrency: [2, 4, 8]`, 20 blocks",
    "background": "`concurrency: [2, 4, 8]`, 20 blocks",
    WAY: "`concurrency: [2]`, 20 blocks, on a host with at least 2 CPUs",
    "hold_work": "`concurrency: [2]`, 20 blocks, on a host with at least 2 CPUs",
    "hold_delay": "`concurrency: [2]`, 20 blocks, on a host with at least 2 CPUs",
    "inflation": "`concurrency: [8]`, 20 blocks, on all CPUs of the host",
    "crowding": "storms of at least twice as many boxes as CPUs, `concurrency: [4, 8]` on 2 CPUs, 20 blocks",
    "growth": "`concurrency: [4]` beside `residents: [8]`, 20 blocks",
    "memory_fixed": "`residents: [1, 8, 16]`, 20 blocks",
    "memory_slope": "`residents: [1, 8, 16]`, 20 blocks",
    "inflation_form": _MORE_CPUS,
}
_ALL_DIGITS: Final = 999.5
_EXPONENT: Final = 1e-4
BOUND: Final = " No estimate, but a bound: "
"""Before the bounds in a headline."""
_SOME_CELL: Final = "20 blocks of the same cells"
_MORE_RESIDENTS: Final = "the same storms beside more residents"


def parameter_label(name: str) -> str:
    """``created.hold_work`` as ``lock hold before created``; a role as ``role_label`` has it."""
    stage, _, part = name.rpartition(".")
    return _PARTS[part].format(stage) if stage and part in _PARTS else _NAMES.get(name) or _ROLES.get(name, name)


_ENOUGH_BOXES: Final = 4
"""From so many boxes at once on, storms were measured."""
_ROLES: Final = {
    "hold": "lock hold",
    "delay": "delays",
    "work": "CPU work",
    "background": "background CPU work",
}


def role_of(name: str) -> str:
    """What a parameter stands for, whatever its stage: ``hold`` for ``created.hold_work``."""
    stage, _, part = name.rpartition(".")
    return part.partition("_")[0] if stage else name


def role_label(role: str) -> str:
    """``lock hold``; a parameter of the whole target as its own label."""
    return _ROLES.get(role) or parameter_label(role)


def identifying_cell(name: str, measured: Mapping[str, Sequence[int]], *, blocks_help: bool = True) -> str:
    """What to measure so that the data narrow a parameter.

    Args:
        measured: levels that the fit has used, as ``TargetEntry.measured`` has them.
        blocks_help: more blocks of the measured storms would tell more: their noise exceeds what the model misses.
    """
    part = name.rpartition(".")[2]
    storms = max(measured.get("boxes", ()), default=1) >= _ENOUGH_BOXES
    beside = max(measured.get("residents", ()), default=0) > 0
    if storms and part in ("hold_work", "hold_delay"):
        return f"more blocks of the small storms, or {_MORE_CPUS}" if blocks_help else _MORE_CPUS
    if storms and part in ("work", "background", "inflation"):
        return "more blocks of the same storms" if blocks_help else f"{_MORE_CPUS} (more blocks would not narrow it)"
    if beside and part == "growth":
        return (
            _MORE_RESIDENTS if not blocks_help else f"more blocks of the storms beside residents, or {_MORE_RESIDENTS}"
        )
    if storms and part == "crowding":
        most = max(measured["boxes"])
        return f"storms of more boxes, and of at least twice as many as CPUs: `concurrency: [{2 * most}, {4 * most}]`"
    return _CELLS.get(part, _SOME_CELL)


def _share(value: float) -> str:
    return f"{value:.1%}"


def _ratio(value: float) -> str:
    return f"{number_text(value)}×"


def _rate(value: float) -> str:
    return f"{number_text(value)}/s"


def _count(value: float) -> str:
    return grouped(round(value))


def _mean_hosts(value: float) -> str:
    return f"{number_text(value)} hosts"


def number_text(value: float) -> str:
    """A number for a sentence, never with an exponent: ``0.25``, ``3.14``, ``100``, ``1 200``."""
    size = abs(value)
    if size >= _ALL_DIGITS:
        return grouped(round(value))
    # Three digits, or six behind the point: from there on three would need an exponent.
    return f"{value:.6f}" if 0 < size < _EXPONENT else f"{value:.3g}"


_WRITERS: Final[Mapping[str, Callable[[float], str]]] = {
    "ns": format_ns,
    "cpu_ns": format_ns,
    "bytes": format_bytes,
    "boxes": _count,
    "hosts": _count,
    "mean_hosts": _mean_hosts,
    "share": _share,
    "ratio": _ratio,
    "per_s": _rate,
}


def in_unit(value: float, unit: str) -> str:
    """A value of an answer or of a parameter: ``3.40 s``, ``1 200``, ``3.1×``."""
    writer: Callable[[float], str] = _WRITERS.get(unit, number_text)
    return writer(value)


def count_text(number: float, one: str, many: str | None = None) -> str:
    """``1 box``, ``2 boxes``, ``1 200 boxes``."""
    return f"{grouped(round(number))} {one if number == 1 else many or f'{one}s'}"


def box_text(number: float) -> str:
    """``1 box``, ``64 boxes``."""
    return count_text(number, "box", "boxes")


def either_text(one: Quantity) -> str:
    """``2.69 s or 15.7 s``: the two answers of a quantity that has two; its middle is the answer of no draw."""
    if one.either is None:
        raise ValueError(f"{one.name} of {one.target} has one answer")
    return " or ".join(in_unit(value, one.unit) for value in one.either)
