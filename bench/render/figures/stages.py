"""One start of each target as a model has it: what each stage is made of, and what works beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.endpoints import endpoint_lines, lines_in, write_lines
from bench.render.figures.simulated import subtitle
from bench.render.figures.simulated_sentences import stages_sentence
from bench.render.palette import INK, MUTED, phase_colour, text_colour_on_phase
from bench.render.text import clean, quantity
from bench.sim.answer.words import count_text
from bench.sim.model.schema import Model
from bench.sim.model.values import target_values
from bench.sim.values import StageValues, TargetValues

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_HOW: Final = (
    "A start that is alone on an idle host, with values from the middle of the model's draws. Each target has its own "
    "scale: a bar ends at the time on its right. Lines across a bar are the instants at which stages end. Below it is "
    "the CPU work that begins with a stage and is not waited for. While other boxes start, CPU work and the lock's "
    "hold take longer; delays do not."
)
_PARTS: Final = (
    ("delay", "delay", "start_returned"),
    ("hold_work", "lock held, on a CPU", "kernel"),
    ("hold_delay", "lock held, off the CPU", "root"),
    ("work", "CPU work", "vmm"),
    ("background", "CPU work that is not waited for", "exec"),
)
"""Part, name, and the phase whose colour it has; in the order in which a stage has them, the background last."""
_COLOURS: Final = {part: colour for part, _, colour in _PARTS}
_BAR: Final = 0.42
_LANE: Final = 0.13
_BELOW: Final = 0.28
"""Heights of a start, of background work, and of all of it together, in rows."""
_ROW_IN: Final = 0.74
_CHAR_IN: Final = 0.068
"""The width of a character of the texts in the axes."""
_MOST_BEYOND: Final = 1.25
"""Background work is drawn up to this multiple of the start."""
_LABEL: Final = 20


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a stage at its place in time, ns since the request.

    Attributes:
        lane: 0 for what a start waits for; background work has lanes from 1 on, so that no two pieces overlap.
    """

    part: str
    begins_ns: int
    length_ns: int
    lane: int = 0


def pieces(values: TargetValues) -> tuple[Piece, ...]:
    """The parts of one start alone on an idle host, in order of time. Parts of no length are left out."""
    found: list[Piece] = []
    at = 0
    free: list[int] = []
    for stage in values.stages:
        if stage.background_ns:
            lane = next((number for number, end in enumerate(free) if end <= at), len(free))
            free[lane : lane + 1] = [at + stage.background_ns]
            found.append(Piece(part="background", begins_ns=at, length_ns=stage.background_ns, lane=lane + 1))
        for part, length in _foreground(stage):
            if length:
                found.append(Piece(part=part, begins_ns=at, length_ns=length))
            at += length
    return tuple(found)


def _foreground(stage: StageValues) -> tuple[tuple[str, int], ...]:
    return (
        ("delay", stage.delay_ns),
        ("hold_work", stage.hold_work_ns),
        ("hold_delay", stage.hold_delay_ns),
        ("work", stage.work_ns),
    )


def draw_stages(model: Model) -> Drawing:
    """The figure of all targets of a model."""
    starts = {label: target_values(model, label, None) for label in model.targets}
    title = stages_sentence([(label, values.solo_ns) for label, values in starts.items()])
    meanings = endpoint_lines(str(stage.endpoint) for values in starts.values() for stage in values.stages)
    below = lines_in(meanings)
    where = f"alone on an idle host of {count_text(model.host.cpus, 'CPU')}"
    said = subtitle(where, starts, more="each target on its own scale")
    figure = canvas(1.75 + below + _ROW_IN * len(starts), title, said)
    longest = max(len(_short(label)) for label in starts)
    axes = add_axes(figure, left_in=0.25 + 0.083 * longest, bottom_in=0.78 + below, right_in=0.85, top_in=0.80)
    beyond = max(map(_beyond, starts.values()))
    # As a share of a bar.
    char = _CHAR_IN / (axes.bbox.width / figure.dpi) * beyond
    for row, values in enumerate(starts.values()):
        _bars(axes, row, values, char)
        _ends(axes, row, values, char)
        _total(axes, row, values)
    _frame(axes, tuple(starts), beyond)
    _legend(figure, tuple(starts.values()), below)
    write_lines(figure, meanings)
    return Drawing(
        name="model-stages",
        scenario="",
        title=title,
        alt=_alt(starts),
        how=_HOW,
        canvas=figure,
        topic="One start in the model, stage by stage",
        table=_table(starts),
    )


def _short(label: str) -> str:
    return clean(label, limit=_LABEL)


def _beyond(values: TargetValues) -> float:
    """Where the last piece ends, as a share of the start; at least 1."""
    last = max((piece.begins_ns + piece.length_ns for piece in pieces(values)), default=0)
    return min(max(1.0, last / max(values.solo_ns, 1)), _MOST_BEYOND)


def _bars(axes: Axes, row: int, values: TargetValues, char: float) -> None:
    whole = max(values.solo_ns, 1)
    found = pieces(values)
    lane = min(_LANE, _BELOW / max(1, max((piece.lane for piece in found), default=1)))
    for piece in found:
        begins, length = piece.begins_ns / whole, piece.length_ns / whole
        colour = _COLOURS[piece.part]
        place = row if piece.lane == 0 else row + _BAR / 2 + lane * (piece.lane - 0.5)
        axes.barh(
            place,
            min(length, _MOST_BEYOND - begins) if begins < _MOST_BEYOND else 0.0,
            left=begins,
            height=_BAR if piece.lane == 0 else lane,
            color=phase_colour(colour),
            edgecolor=MUTED,
            linewidth=0.5,
        )
        text, ink = quantity(piece.length_ns, "ns"), text_colour_on_phase(colour)
        if piece.lane == 0 and length >= char * (len(text) + 1):
            axes.text(begins + length / 2, place, text, ha="center", va="center", size=8, color=ink)


def _ends(axes: Axes, row: int, values: TargetValues, char: float) -> None:
    """Marks at the ends of stages, with the endpoints' names where there is room; the goal is always named."""
    whole = max(values.solo_ns, 1)
    at, places = 0, []
    for stage in values.stages:
        at += stage.solo_ns
        places.append((at / whole, str(stage.endpoint)))
    kept: list[tuple[float, float]] = []
    top = row - _BAR / 2
    for place, name in reversed(places):
        axes.plot([place, place], [top - 0.07, top + _BAR], color=MUTED, linewidth=0.8, clip_on=False)
        half = char * (len(name) + 1) / 2
        if all(place + half <= low or place - half >= high for low, high in kept):
            kept.append((place - half, place + half))
            axes.text(place, top - 0.08, name, ha="center", va="bottom", size=7.5, color=MUTED)


def _total(axes: Axes, row: int, values: TargetValues) -> None:
    axes.annotate(
        quantity(values.solo_ns, "ns"),
        (1.0, row),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        size=9.5,
        color=INK,
    )


def _frame(axes: Axes, labels: Sequence[str], beyond: float) -> None:
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels], fontsize=9)
    axes.set_ylim(len(labels) - 0.35, -0.55)
    for tick in axes.get_yticklabels():
        tick.set_fontweight("bold")
    axes.set_xlim(0, beyond)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"], fontsize=8.5)


def _legend(figure: Canvas, starts: Sequence[TargetValues], below_in: float) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    there = {piece.part for values in starts for piece in pieces(values)}
    patches = [Patch(color=phase_colour(colour), label=name) for part, name, colour in _PARTS if part in there]
    figure.legend(
        handles=patches,
        loc="lower left",
        bbox_to_anchor=(0.0, below_in / figure.get_size_inches()[1]),
        ncol=3,
        fontsize=8.5,
        labelcolor=INK,
        handlelength=1.1,
        labelspacing=0.4,
        columnspacing=1.2,
    )


def _alt(starts: dict[str, TargetValues]) -> str:
    return f"Stages of one start: {'; '.join(f'{clean(label)} {_said(values)}' for label, values in starts.items())}."


def _said(values: TargetValues) -> str:
    stages = values.stages
    sums = (
        ("delay", sum(stage.delay_ns for stage in stages)),
        ("lock held", values.hold_ns),
        ("CPU work", sum(stage.work_ns for stage in stages)),
    )
    parts = ", ".join(f"{name} {quantity(length, 'ns')}" for name, length in sums if length)
    return f"{quantity(values.solo_ns, 'ns')} in all, of it {parts or 'nothing'}"


def _table(starts: dict[str, TargetValues]) -> tuple[tuple[str, ...], ...]:
    head = ("target", "stage until", "delay", "lock held", "CPU work", "CPU work that is not waited for")
    return (head, *(row for label, values in starts.items() for row in _rows(label, values)))


def _rows(label: str, values: TargetValues) -> Iterator[tuple[str, ...]]:
    for stage in values.stages:
        lengths = (stage.delay_ns, stage.hold_work_ns + stage.hold_delay_ns, stage.work_ns, stage.background_ns)
        yield (clean(label), str(stage.endpoint), *(quantity(length, "ns") if length else "0" for length in lengths))
