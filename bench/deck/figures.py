"""The figures of what a path holds, in any style: of a campaign, gate, history, simulated answer, sweep or model."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from bench.analysis.analyse import analyse
from bench.deck.history import check_command, checked_history
from bench.deck.reading import Kind, kind_of
from bench.deck.simulated import model_name
from bench.gate.block_ratios import block_ratios
from bench.gate.result import read_result
from bench.records.campaign import read_campaign
from bench.render.commands.gate_page import gate_figures
from bench.render.commands.sweep import drawings as sweep_drawings
from bench.render.figures import Figure, campaign_drawings
from bench.render.figures.base import Drawing, finish
from bench.render.figures.foot import with_foot
from bench.render.figures.history import draw as draw_series
from bench.render.figures.settings import styled
from bench.render.figures.shown import check_choice, choosing
from bench.render.figures.simulation_check import draw as draw_check
from bench.render.figures.stages import draw_stages
from bench.render.figures.style import Style, style_in_use, using
from bench.render.simulation.drawings import answer_drawings
from bench.render.simulation.read import read_answer, read_sweep_results
from bench.render.simulation.skeleton import SIMULATED
from bench.sim.answer.answer import Answer
from bench.sim.model.file import model_digest, read_model
from bench.util.errors import UsageError

Finish = Callable[[], Figure]
"""Makes a figure of a drawing, which takes longer than to draw it."""


def figures_of(
    path: Path, style: Style, *, only: Sequence[str] = (), targets: Sequence[str] = ()
) -> tuple[Figure, ...]:
    """Every figure of a directory, with a PNG of each; their order is that of all figures, whichever are wanted.

    Args:
        only: names of figures, or their ends: ``hello-ecdf`` or ``ecdf``; all when empty. Others are not finished.
        targets: of a campaign, whose boxes are shown; as many as the style has room for when empty.

    Raises:
        UsageError: the directory holds none of the kinds, has nothing to draw, or has no figure or target of a name.
        CampaignError, RecordError, HistoryError: a file is damaged.
    """
    names: list[str] = []
    figures: list[Figure] = []
    check_targets(path, targets)
    with styled(), using(style), choosing(targets):
        for order, (name, finished) in enumerate(_READERS[kind_of(path)](path), start=1):
            names.append(name)
            if not only or any(_is_meant(name, wanted) for wanted in only):
                figures.append(replace(finished(), order=order))
    if not names:
        raise UsageError(
            f"{path} has no figures: no boot of it has a result",
            hint=f"`boxbench report {shlex.quote(str(path))}` says why",
        )
    for wanted in only:
        if not any(_is_meant(name, wanted) for name in names):
            raise UsageError(f"--only {wanted}: {path} has no such figure", hint=f"it has {', '.join(names)}")
    return tuple(figures)


def check_targets(path: Path, targets: Sequence[str]) -> None:
    """Raises UsageError: targets are named, and the directory is no campaign, or has no box of one of them."""
    if targets and kind_of(path) != "campaign":
        raise UsageError(
            f"--targets has no effect on {path}: it holds no campaign", hint="leave --targets out, or name a campaign"
        )
    if targets:
        check_choice(analyse(*read_campaign(path)), targets)


def _is_meant(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f"-{wanted}")


def _of_campaign(path: Path) -> Iterator[tuple[str, Finish]]:
    return _each(campaign_drawings(analyse(*read_campaign(path))))


def _of_gate(path: Path) -> Iterator[tuple[str, Finish]]:
    result = read_result(path)
    figures = gate_figures(result, block_ratios(result, path))
    return ((figure.name, partial(replace, figure)) for figure in figures)


def _of_history(path: Path) -> Iterator[tuple[str, Finish]]:
    checked = checked_history(path)
    command = check_command(path)

    def drawings() -> Iterator[Drawing]:
        for number, series in enumerate(checked.series):
            drawing = draw_series(series, [change for change in checked.changes if change.series is series], number)
            if drawing is not None:
                yield with_foot(drawing, f"host {series.fingerprint} · {series.accel}", command)

    return _each(drawings())


def _of_simulation(path: Path) -> Iterator[tuple[str, Finish]]:
    found = read_answer(path)
    where = f"simulated, no box ran · model {model_name(found.model)} · seed {found.seed}"
    drawings: Iterable[Drawing] = (
        answer_drawings(found)
        if isinstance(found, Answer)
        else (one for target in found.targets for one in draw_check(target, found.cpus))
    )
    return _each(with_foot(drawing, where, "") for drawing in drawings)


def _of_sweep(path: Path) -> Iterator[tuple[str, Finish]]:
    found = read_sweep_results(path)
    where = f"{SIMULATED} · model {model_name(found.model)} · seed {found.seed}"
    return _each(with_foot(drawing, where, "") for drawing in sweep_drawings(found))


def _of_model(path: Path) -> Iterator[tuple[str, Finish]]:
    model = read_model(path)
    # Its rows have more lines than a style of one height has room for.
    with using(replace(style_in_use(), height_in=None)):
        drawing = draw_stages(model)
    return _each([with_foot(drawing, f"model {model_name(model_digest(model))}", "")])


def _each(drawings: Iterable[Drawing]) -> Iterator[tuple[str, Finish]]:
    return ((drawing.name, partial(finish, drawing, png=True)) for drawing in drawings)


_READERS: Final[dict[Kind, Callable[[Path], Iterator[tuple[str, Finish]]]]] = {
    "campaign": _of_campaign,
    "gate": _of_gate,
    "history": _of_history,
    "simulation": _of_simulation,
    "sweep": _of_sweep,
    "model": _of_model,
}
