"""The numbers of a model in words, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from bench.analysis.estimates import Interval
from bench.render.sections.glossary import ENDPOINTS
from bench.render.text import clean, significant, with_interval
from bench.sim.answer.words import identifying_cell, role_label, role_of
from bench.sim.model.file import EDITED, edit_warnings
from bench.sim.model.schema import Model
from bench.sim.model.summary import Summary, blocks_help
from bench.util.units import format_bytes

LABELS: Final = {
    "single start": "single start",
    "CPU time": "CPU time per start",
    "hold": "hold of its lock",
    "scatter": "scatter of single starts",
    "inflation": "inflation per busy CPU",
    "crowding": "crowding, an exponent",
    "growth": "growth of the hold per box",
    "block_sd": "scatter between trials",
    "box_sd": "scatter between boxes",
    "memory_fixed": "memory, fixed",
    "memory_slope": "memory per box",
}
MAIN_HEAD: Final = ("number", "value [95 % band]", "kind")
HEAD: Final = ("parameter", "value [95 % band]", "narrowed", "kind", "from")
KINDS: Final = (
    "measured: the data narrow the number by at least half of what was assumed before. limit: by less, so answers that "
    "depend on it are bounds. assumed: not in the data. edited: your own number stands in the file. Times below 1 µs "
    "and a negative fixed memory are shown as 0; --json has them as they are."
)
NARROWED: Final = (
    "narrowed: by how much the data made a number more certain than it was before them. Of each part of a hold it is "
    "that of the whole hold, of crowding that of whether there is any; it is 0 % where the data contradict the model."
)
PARTS: Final = {
    "delay": "time in which a start uses no CPU and no lock",
    "work": "CPU work that the start waits for",
    "background": "CPU work of daemons, runtimes and shims that the start does not wait for",
    "hold_work": "CPU work during which a start holds the target's lock; one start at a time",
    "hold_delay": "the same without CPU work",
    "growth": "by how much the hold grows with each box that lives on the host",
    "inflation": "how much slower CPU work is for each further CPU that works at the same time",
    "crowding": "with s boxes that start at once on c CPUs, CPU work takes (s / c) to this power times as long",
    "block_sd": "scatter that all boxes of a trial share, as a standard deviation of the logarithm",
    "block_correlation": "how much of it neighbouring blocks have in common",
    "box_sd": "scatter of single boxes, as a standard deviation of the logarithm",
    "memory_fixed": "what daemons and the first box take once",
    "memory_slope": "what each box takes",
}
"""Parts of stages and parameters of targets."""
_SHARED: Final = ("work", "background", "inflation", "crowding", "growth")
_SHARES: Final = ("inflation", "scatter", "block_sd", "box_sd")
_LEAST_NS: Final = 1000.0


class Shown(NamedTuple):
    """A number as it is shown."""

    name: str
    text: str
    """With its band: ``4.58 s [4.44, 4.72]``."""
    narrowed: str
    kind: str
    note: str


def shown(one: Summary, *, as_in_file: bool = False) -> Shown:
    """A number with its band, in one unit.

    Args:
        as_in_file: under the name that the model file has, as whoever edits a value needs it.
    """
    return Shown(
        name=one.name if as_in_file else LABELS.get(one.name, one.name),
        text=_banded(one),
        narrowed="–" if one.narrowed is None else f"{max(one.narrowed, 0.0):.0%}",
        kind="edited" if one.note.startswith(EDITED) else one.kind,
        note=clean(one.note, limit=300),
    )


def _banded(one: Summary) -> str:
    """``4.58 s [4.44, 4.72]``, ``13.9 % [12.2, 15.2]``; without a band when all draws are equal."""
    if one.unit == "1":
        return _share(one) if one.name in _SHARES else _plain(one)
    middle, low, high = (_visible(one, value) for value in (one.middle, one.low, one.high))
    if low < 0 or middle < 0:
        return f"{_signed(middle)} [{_signed(low)}, {_signed(high)}]"
    band = None if low == high else Interval(low=low, high=high, level=0.95)
    return with_interval(middle, band, one.unit) if middle or band else "0"


def _visible(one: Summary, value: float) -> float:
    """A value without what is too small to matter."""
    if one.unit == "ns":
        return value if abs(value) >= _LEAST_NS else 0.0
    return max(value, 0.0) if one.name == "memory_fixed" else value


def _signed(size: float) -> str:
    """Memory that shrinks from one box to the next, which is scatter of the readings."""
    return f"−{format_bytes(-size)}" if size < 0 else format_bytes(size)


def _share(one: Summary) -> str:
    text = f"{significant(100 * one.middle)} %"
    return text if one.low == one.high else f"{text} [{significant(100 * one.low)}, {significant(100 * one.high)}]"


def _plain(one: Summary) -> str:
    text = significant(one.middle)
    return text if one.low == one.high else f"{text} [{significant(one.low)}, {significant(one.high)}]"


def trust_sentences(model: Model, label: str) -> Iterator[str]:
    """How well the model fits the target's data, and how far its draws can be trusted."""
    entry = model.targets[label]
    if entry.misfit:
        yield (
            f"Inside its data the model is taken to be off by {significant(100 * entry.misfit)} % beyond noise, and "
            "bands of answers are wider by that."
        )
    if entry.effective is None:
        return
    count = f"{entry.effective:.0f}"
    if entry.effective < len(model.weights) / 2:
        yield (
            f"The draws are worth only {count} independent ones: another seed of the fit gives other medians and bands."
        )
    else:
        yield f"The draws are worth {count} independent ones."


def notes_of(model: Model, label: str) -> tuple[str, ...]:
    """What the data of a target contradict, and what they could not decide."""
    entry = model.targets[label]
    return tuple(clean(note, limit=400) for note in (*entry.warnings, *entry.notes))


def open_sentences(model: Model, label: str) -> Iterator[str]:
    """What the data only bound of what boxes do to each other, by what would have to be measured.

    The hold of the lock has notes of its own.
    """
    entry = model.targets[label]
    by_cell: dict[str, list[str]] = {}
    for name, one in entry.parameters.items():
        role = role_of(name)
        if one.kind == "limit" and role in _SHARED:
            cell = identifying_cell(name, entry.measured, blocks_help=blocks_help(entry))
            roles = by_cell.setdefault(cell, [])
            if role_label(role) not in roles:
                roles.append(role_label(role))
    for cell, roles in by_cell.items():
        yield f"Only bounded by the data: {', '.join(roles)}. To narrow it, measure {cell}."


def warnings_of(model: Model) -> tuple[str, ...]:
    """What was edited."""
    return tuple(clean(one.line, limit=400) for one in edit_warnings(model))


def legend(model: Model) -> tuple[tuple[str, str], ...]:
    """The endpoints and the parts of parameters that the model has, each with its meaning."""
    ends = {end for target in model.targets.values() for end in target.endpoints}
    names = {name.rpartition(".")[2] for target in model.targets.values() for name in target.parameters}
    instants = tuple((str(end), f"a stage ends here: {meaning}") for end, meaning in ENDPOINTS.items() if end in ends)
    return (*instants, *((name, meaning) for name, meaning in PARTS.items() if name in names))
