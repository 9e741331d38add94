"""A deck of what paths hold: campaigns, what commands make of them, and what is simulated."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from bench.analysis.analyse import analyse
from bench.compare.stored import FILE as COMPARISON
from bench.deck.campaign import campaign_slides
from bench.deck.comparison import comparison_part
from bench.deck.drawn import with_pictures
from bench.deck.explained import explained_part
from bench.deck.floors import floors_part
from bench.deck.gate import gate_part
from bench.deck.history import HistoryBranch, history_part
from bench.deck.made import with_command
from bench.deck.model import model_part
from bench.deck.part import Part
from bench.deck.simulation import simulation_part
from bench.deck.slides import Deck, Slide
from bench.deck.sweep import sweep_part
from bench.deck.text import key_of, shortened
from bench.explain.stored import FILE as EXPLANATION
from bench.floor.model import FILE as FLOOR
from bench.gate.model import RESULT
from bench.history.store import SUFFIX
from bench.records.campaign import read_campaign
from bench.records.manifest import MANIFEST
from bench.records.results import ANATOMY, GATE_REQUEST, INSTRUCTIONS
from bench.render.figures.shown import against_shown, choice_words
from bench.render.simulation.page import JSON
from bench.render.text import clean
from bench.sim.sweep.run import RESULTS
from bench.sim.sweep.store import MANIFEST as SWEEP
from bench.util.errors import UsageError
from bench.util.paths import is_directory, is_file

Kind = Literal["campaign", "gate", "history", "simulation", "sweep", "model", "comparison", "explanation", "floor"]
HINT: Final = (
    "name the directory that a command printed: of a campaign, a gate, a history, a comparison, an explanation, a "
    "floor, or of an answer or a sweep of `boxbench simulate` with -o; or the file of a model"
)
_MARKS: Final[tuple[tuple[str, Kind], ...]] = (
    (RESULT, "gate"),
    (MANIFEST, "campaign"),
    (JSON, "simulation"),
    (RESULTS, "sweep"),
    (COMPARISON, "comparison"),
    (EXPLANATION, "explanation"),
    (FLOOR, "floor"),
)
"""By the file that a directory has, the first one that it has, what it holds."""
_OTHERS: Final = (
    (SWEEP, "the sweep {} is not finished", "give its command again; it goes on"),
    ("explained.json", "{} explains a model", "name the file of the model itself, such as model.json"),
    (GATE_REQUEST, "{} is a gate that has no verdict yet", "`boxbench resume {}` goes on to the verdict"),
    (INSTRUCTIONS, "{} holds counts of instructions", "`boxbench instructions --against` compares them"),
    (ANATOMY, "{} holds an anatomy without its campaign", "name the directory that `boxbench anatomy` printed"),
)
"""Directories of other commands: the file that each has, what it holds, and the next step."""
_BESIDE: Final = (
    ("deck.html", "{} holds a deck", "name the directory that it was made of"),
    ("scenario.yaml", "{} holds a scenario, and no results", "`boxbench run {}` measures it"),
)
"""Likewise, of files that can stand beside the lines of a history."""


def kind_of(path: Path) -> Kind:
    """What a directory holds; a file can be a model. Raises UsageError: none of these, or nothing is there."""
    if is_file(path):
        return "model"
    if not is_directory(path):
        raise UsageError(f"{path} is not a directory", hint=HINT)
    found = next((kind for name, kind in _MARKS if is_file(path / name)), None)
    if found is not None:
        return found
    _refuse_others(path, _OTHERS)
    if any(path.glob(f"*{SUFFIX}")):
        return "history"
    _refuse_others(path, _BESIDE)
    raise UsageError(f"{path} holds neither a campaign nor anything else that has a deck or figures", hint=HINT)


def _refuse_others(path: Path, others: Sequence[tuple[str, str, str]]) -> None:
    for name, what, hint in others:
        if is_file(path / name):
            raise UsageError(what.format(path), hint=hint.format(shlex.quote(str(path))))


def deck_of(
    paths: Sequence[Path], *, png: bool = True, branch: HistoryBranch | None = None, options: Sequence[str] = ()
) -> Deck:
    """The deck of some paths, a part for each. Numbers of two parts are never pooled or compared.

    Args:
        png: figures have PNGs, too.
        branch: a history on a git branch, as the last part.
        options: further words of the command that makes this deck; the choice of boxes in use is among them.

    Raises:
        UsageError: a path holds none of the kinds, is named twice, or has no results.
        CampaignError, RecordError, HistoryError: a file is damaged.
    """
    if not paths and branch is None:
        raise UsageError("there is nothing to make slides of", hint=HINT)
    _refuse_twice(paths)
    parts = [_READERS[kind_of(path)](path) for path in paths]
    parts += [] if branch is None else [history_part(branch)]
    command = shlex.join(
        ["boxbench", "slides", *map(str, paths), *choice_words(), *(branch.words if branch else ()), *options]
    )
    parts = [replace(part, slides=with_command(part.slides, command)) for part in parts]
    slides = parts[0].slides if len(parts) == 1 else _joined(parts)
    return Deck(
        title=shortened(" · ".join(dict.fromkeys(part.title for part in parts)), 120),
        subtitle=shortened(" · ".join(dict.fromkeys(part.subtitle for part in parts)), 200),
        slides=with_pictures(slides) if png else tuple(slides),
        date=max((part.date for part in parts), default=""),
        source=command,
    )


def campaign_part(path: Path) -> Part:
    """The part of a campaign. Raises UsageError: it has no results; CampaignError, RecordError: it is damaged."""
    manifest, records = read_campaign(path)
    if not any(record.outcome == "ok" for record in records):
        what = f"its {len(records)} trials all failed" if records else "no trial has ended"
        raise UsageError(
            f"{path} has no results to show: {what}",
            hint=f"`boxbench report {shlex.quote(str(path))}` says why"
            if records
            else f"finish it with `boxbench resume {shlex.quote(str(path))}`",
        )
    view, slides = campaign_slides(analyse(against_shown(manifest), records), path)
    return Part(
        title=view.title,
        subtitle=f"{view.extent.partition(' (')[0]}, host {clean(str(manifest.host.get('fingerprint', 'unknown')))}",
        date=clean(manifest.created_at[:10]),
        slides=slides,
    )


_READERS: Final[dict[Kind, Callable[[Path], Part]]] = {
    "campaign": campaign_part,
    "gate": gate_part,
    "history": history_part,
    "simulation": simulation_part,
    "sweep": sweep_part,
    "model": model_part,
    "comparison": comparison_part,
    "explanation": explained_part,
    "floor": floors_part,
}


def _refuse_twice(paths: Sequence[Path]) -> None:
    real = [path.resolve() for path in paths]
    twice = next((path for at, path in enumerate(paths) if real[at] in real[:at]), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", hint="name each directory once")


def _joined(parts: Sequence[Part]) -> tuple[Slide, ...]:
    """All parts behind one another, each with a slide that names it; the backup slides of all parts come last."""
    shown: list[Slide] = []
    backup: list[Slide] = []
    for number, part in enumerate(parts, start=1):
        own = [replace(slide, key=key_of(f"part-{number}", slide.key)) for slide in part.slides]
        shown.append(_opening(part, number, len(parts)))
        shown += [slide for slide in own if not slide.hidden]
        backup += [slide for slide in own if slide.hidden]
    return (*shown, *backup)


def _opening(part: Part, number: int, count: int) -> Slide:
    return Slide(
        key=f"part-{number}",
        sentence=shortened(f"Part {number} of {count}: {part.title}"),
        lines=(part.subtitle, part.date) if part.date else (part.subtitle,),
        caveat="Numbers of two parts are not compared.",
        notes="Each part was made by itself. Its numbers are not pooled with those of other parts.",
        source=part.slides[-1].source if part.slides else Slide(key="none", sentence="None.").source,
    )
