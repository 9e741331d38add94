"""The figures of what a path holds, in any style: of campaigns, what commands make of them, and what is simulated."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeGuard

from bench.analysis.analyse import analyse
from bench.compare.stored import read_comparison
from bench.deck.history import HistoryBranch, check_command, checked_history
from bench.deck.reading import Kind, kind_of
from bench.deck.simulated import model_name
from bench.explain.stored import read_explanations
from bench.floor.model import read_floors
from bench.gate.block_ratios import block_ratios
from bench.gate.result import read_result
from bench.records.campaign import read_campaign
from bench.records.manifest import MANIFEST, read_manifest
from bench.render.commands.compare import comparison_drawings
from bench.render.commands.explain import explain_drawings
from bench.render.commands.floor_page import floor_drawings
from bench.render.commands.gate_page import gate_figures
from bench.render.commands.sweep import drawings as sweep_drawings
from bench.render.figures import LEAST_BOXES, Figure, campaign_drawings
from bench.render.figures.base import Drawing, finish
from bench.render.figures.foot import with_foot
from bench.render.figures.history import draw as draw_series
from bench.render.figures.settings import styled
from bench.render.figures.shown import against_shown, check_choice, choice_words, choosing
from bench.render.figures.simulation_check import draw as draw_check
from bench.render.figures.stages import draw_stages
from bench.render.figures.style import Style, style_in_use, using
from bench.render.simulation.drawings import answer_drawings
from bench.render.simulation.read import read_answer, read_sweep_results
from bench.render.simulation.skeleton import SIMULATED
from bench.render.text import clean
from bench.sim.answer.answer import Answer
from bench.sim.model.file import model_digest, read_model
from bench.util.errors import UsageError
from bench.util.paths import is_file
from bench.util.text import meant_or_listed

Finish = Callable[[], Figure]
"""Makes a figure of a drawing, which takes longer than to draw it."""


Place = Path | HistoryBranch
"""Where figures come from."""


def figures_of(
    place: Place, style: Style, *, only: Sequence[str] = (), targets: Sequence[str] = ()
) -> tuple[Figure, ...]:
    """Every figure of a place, with a PNG of each; their order is that of all figures, whichever are wanted.

    Args:
        only: names of figures, or their ends: ``hello-ecdf`` or ``ecdf``; all when empty. Others are not finished.
        targets: of a campaign, whose boxes are shown; as many as the style has room for when empty.

    Raises:
        UsageError: the directory holds none of the kinds, has nothing to draw, or has no figure or target of a name.
        CampaignError, RecordError, HistoryError: a file is damaged.
    """
    names: list[str] = []
    figures: list[Figure] = []
    check_targets(place, targets)
    with styled(), using(style), choosing(targets):
        for order, (name, finished) in enumerate(_finishers(place), start=1):
            names.append(name)
            if not only or any(_is_meant(name, wanted) for wanted in only):
                figures.append(replace(finished(), order=order, again=_command(place, style, name)))
    if not names:
        raise UsageError(
            f"{_said(place)} has no figures: no boot of it has a result",
            hint=f"`boxbench report {shlex.quote(_said(place))}` says why",
        )
    for wanted in only:
        if not any(_is_meant(name, wanted) for name in names):
            raise _missing(place, wanted, names, targets)
    return tuple(figures)


def _finishers(place: Place) -> Iterator[tuple[str, Finish]]:
    if isinstance(place, HistoryBranch):
        return _of_history(place)
    return _READERS[kind_of(place)](place)


def _said(place: Place) -> str:
    return f"the branch {place.name}" if isinstance(place, HistoryBranch) else str(place)


def _command(place: Place, style: Style, name: str) -> str:
    """The command that draws one figure again, with the choice of boxes in use."""
    where = place.words if isinstance(place, HistoryBranch) else (str(place),)
    return shlex.join(["boxbench", "figures", *where, "--style", style.name, "--only", name, *choice_words()])


def _missing(place: Place, wanted: str, names: Sequence[str], targets: Sequence[str]) -> UsageError:
    """Says whether the figure needs more boxes than are shown, or is not known."""
    there = f"it has {', '.join(names)}"
    least = _least_boxes(place, wanted)
    if least is None:
        hint = meant_or_listed(wanted, [*names, *_ends(names)], there)
        return UsageError(f"--only {wanted}: {_said(place)} has no such figure", hint=hint)
    few = f"of {', '.join(map(clean, targets))} are fewer" if targets else f"{_said(place)} has fewer"
    more = "name more targets with -t, or leave -t out" if targets else f"add targets with `boxbench run`; {there}"
    return UsageError(f"--only {wanted}: this figure needs at least {least} boxes that were ready; {few}", hint=more)


def _least_boxes(place: Place, wanted: str) -> int | None:
    """How many boxes a figure needs that would be there with more; None: no scenario of a campaign has one so named."""
    if not _is_campaign(place):
        return None
    for name, entry in read_manifest(place).scenarios.items():
        for kind, count in LEAST_BOXES.items():
            could_be = kind != "exercise" or entry.scenario.exercise is not None
            if could_be and wanted in (kind, f"{name}-{kind}"):
                return count
    return None


def _is_campaign(place: Place) -> TypeGuard[Path]:
    return isinstance(place, Path) and is_file(place / MANIFEST) and kind_of(place) == "campaign"


def check_targets(place: Place, targets: Sequence[str]) -> None:
    """Raises UsageError: targets are named, and the place is no campaign, or has no box of one of them."""
    if not targets:
        return
    if not _is_campaign(place):
        raise UsageError(
            f"--targets has no effect on {_said(place)}: it holds no campaign",
            hint="leave --targets out, or name a campaign",
        )
    check_choice(analyse(*read_campaign(place)), targets)


def _is_meant(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f"-{wanted}")


def _ends(names: Iterable[str]) -> Iterator[str]:
    """``ratios`` of ``hello-ratios``: what ``only`` may name, too."""
    for name in names:
        words = name.split("-")
        yield from ("-".join(words[number:]) for number in range(1, len(words)))


def _of_campaign(path: Path) -> Iterator[tuple[str, Finish]]:
    manifest, records = read_campaign(path)
    return _each(campaign_drawings(analyse(against_shown(manifest), records)))


def _of_gate(path: Path) -> Iterator[tuple[str, Finish]]:
    result = read_result(path)
    figures = gate_figures(result, block_ratios(result, path))
    return ((figure.name, partial(replace, figure)) for figure in figures)


def _of_history(place: Place) -> Iterator[tuple[str, Finish]]:
    checked = checked_history(place)
    command = check_command(place)

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


def _of_explanation(path: Path) -> Iterator[tuple[str, Finish]]:
    return _each(explain_drawings(read_explanations(path)))


def _of_floors(path: Path) -> Iterator[tuple[str, Finish]]:
    return _each(floor_drawings(read_floors(path)))


def _has_tables_alone(path: Path, why: str) -> UsageError:
    hint = f"`boxbench slides {shlex.quote(str(path))}` makes slides of its tables"
    return UsageError(f"{path} has no figures: {why}", hint=hint)


def _of_comparison(path: Path) -> Iterator[tuple[str, Finish]]:
    found = read_comparison(path)
    if found.no_ratios:
        raise _has_tables_alone(path, clean(found.no_ratios, limit=300))
    drawings = list(comparison_drawings(found))
    if not drawings:
        raise _has_tables_alone(path, "no ratio of it is a finite number above 0")
    return _each(drawings)


_READERS: Final[dict[Kind, Callable[[Path], Iterator[tuple[str, Finish]]]]] = {
    "campaign": _of_campaign,
    "gate": _of_gate,
    "history": _of_history,
    "simulation": _of_simulation,
    "sweep": _of_sweep,
    "model": _of_model,
    "comparison": _of_comparison,
    "explanation": _of_explanation,
    "floor": _of_floors,
}
