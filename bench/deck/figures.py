"""The figures of what a directory holds, in any style: of a campaign, a gate, a history, a simulated answer."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.analysis.analyse import analyse
from bench.deck.reading import Kind, kind_of
from bench.gate.block_ratios import block_ratios
from bench.gate.result import read_result
from bench.history.detect import check_lines
from bench.history.store import DirectoryStore, read_history
from bench.records.campaign import read_campaign
from bench.render.commands.gate_page import gate_figures
from bench.render.figures import Figure, campaign_figures
from bench.render.figures.base import Drawing, finish, styled
from bench.render.figures.foot import with_foot
from bench.render.figures.history import draw as draw_series
from bench.render.figures.simulation_check import draw as draw_check
from bench.render.figures.style import Style, using
from bench.render.simulation.drawings import answer_drawings
from bench.render.simulation.read import read_answer
from bench.sim.answer.answer import Answer
from bench.util.errors import UsageError

_DIGEST: Final = re.compile(r"([0-9a-f]{12})[0-9a-f]+")


def figures_of(path: Path, style: Style, *, only: Sequence[str] = ()) -> tuple[Figure, ...]:
    """Every figure of a directory, with a PNG of each; their order is that of all figures, whichever are wanted.

    Args:
        only: names of figures, or their ends: ``hello-ecdf`` or ``ecdf``; all when empty.

    Raises:
        UsageError: the directory holds none of the kinds, has nothing to draw, or has no figure of a name.
        CampaignError, RecordError, HistoryError: a file is damaged.
    """
    found = _READERS[kind_of(path)](path, style)
    if not found:
        raise UsageError(
            f"{path} has no figures: no boot of it has a result",
            hint=f"`boxbench report {shlex.quote(str(path))}` says why",
        )
    names = [figure.name for figure in found]
    for wanted in only:
        if not any(_is_meant(name, wanted) for name in names):
            raise UsageError(f"--only {wanted}: {path} has no such figure", hint=f"it has {', '.join(names)}")
    return tuple(one for one in found if not only or any(_is_meant(one.name, wanted) for wanted in only))


def _is_meant(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f"-{wanted}")


def _of_campaign(path: Path, style: Style) -> tuple[Figure, ...]:
    return campaign_figures(analyse(*read_campaign(path)), style=style, png=True)


def _of_gate(path: Path, style: Style) -> tuple[Figure, ...]:
    result = read_result(path)
    with using(style, foot_lines=0):
        return _ordered(gate_figures(result, block_ratios(result, path)))


def _of_history(path: Path, style: Style) -> tuple[Figure, ...]:
    checked = check_lines(read_history(DirectoryStore(path)), acknowledgements=(), today=datetime.now(UTC).date())
    command = shlex.join(["boxbench", "history", "check", "--dir", str(path)])

    def drawings() -> Iterable[Drawing]:
        for number, series in enumerate(checked.series):
            drawing = draw_series(series, [change for change in checked.changes if change.series is series], number)
            if drawing is not None:
                yield with_foot(drawing, f"host {series.fingerprint} · {series.accel}", command)

    return _finished(drawings, style)


def _of_simulation(path: Path, style: Style) -> tuple[Figure, ...]:
    found = read_answer(path)
    where = f"simulated, no box ran · model {_short(found.model)} · seed {found.seed}"

    def drawings() -> Iterable[Drawing]:
        if isinstance(found, Answer):
            drawn: Iterable[Drawing] = answer_drawings(found)
        else:
            drawn = (one for target in found.targets for one in draw_check(target, found.cpus))
        return (with_foot(drawing, where, "") for drawing in drawn)

    return _finished(drawings, style)


def _short(model: str | None) -> str:
    """The digest of a model file in 12 letters, as those of data are; a check may have fitted its own."""
    return _DIGEST.sub(lambda found: found[1], model) if model else "fitted for this check"


def _finished(draw: Callable[[], Iterable[Drawing]], style: Style) -> tuple[Figure, ...]:
    with styled(), using(style):
        return _ordered(finish(drawing, png=True) for drawing in draw())


def _ordered(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    return tuple(replace(figure, order=order) for order, figure in enumerate(figures, start=1))


_READERS: Final[dict[Kind, Callable[[Path, Style], tuple[Figure, ...]]]] = {
    "campaign": _of_campaign,
    "gate": _of_gate,
    "history": _of_history,
    "simulation": _of_simulation,
}
