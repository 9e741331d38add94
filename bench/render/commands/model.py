"""A fitted model for a terminal, as JSON, and as a page with figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.render.commands.model_words import (
    HEAD,
    KINDS,
    MAIN_HEAD,
    NARROWED,
    Shown,
    legend,
    notes_of,
    open_sentences,
    shown,
    trust_sentences,
    warnings_of,
)
from bench.render.figures.stages import draw_stages
from bench.render.results import draw_all, write_results
from bench.render.simulation.skeleton import render_page
from bench.render.text import clean
from bench.sim.model.file import assumed_sentences, edit_warnings, model_digest
from bench.sim.model.schema import Model
from bench.sim.model.summary import Summary, parameters, summaries
from bench.util.units import format_bytes

_STYLES: Final = {"measured": "green", "limit": "yellow", "assumed": "red", "edited": "bold red"}
_NARROW_HEAD: Final = HEAD[:-1]
"""For a terminal: the sources are below the table."""
_JSON: Final = "explained.json"
_NAME_WIDTH: Final = 26
_VALUE_WIDTH: Final = 27


def view_fitted(model: Model) -> RenderableType:
    """What was fitted: the numbers of each target, and what the data could not decide. Never prints."""
    parts: list[RenderableType] = []
    for label in model.targets:
        table = _table(MAIN_HEAD)
        for one in map(shown, summaries(model, label)):
            table.add_row(one.name, Text(one.text), _kind(one))
        parts += [Text(f"\n{clean(label)}", style="bold"), table, *_notes(model, label)]
    return Group(*parts, Text(f"\n{KINDS}", style="dim"))


def view_explained(model: Model, digest: str) -> RenderableType:
    """Every parameter of every target, with its source. Never prints."""
    parts: list[RenderableType] = [Text(f"{name}: {text}") for name, text in model_facts(model, digest)]
    parts += [Text(sentence, style="bold red") for sentence in warnings_of(model)]
    for label in model.targets:
        table = _table(_NARROW_HEAD)
        for one in _parameters(model, label):
            table.add_row(one.name, Text(one.text), one.narrowed, _kind(one))
        parts += [Text(f"\n{clean(label)}", style="bold"), Text(_stages(model, label), style="dim"), table]
        parts += [_point(f"{names}: {text}", "dim") for text, names in _sources_of(model, label).items()]
        parts += _notes(model, label)
    words = [_point(f"{name}: {meaning}", "dim") for name, meaning in legend(model)]
    return Group(*parts, Text(""), *words, Text(f"\n{KINDS} {NARROWED}", style="dim"))


def _parameters(model: Model, label: str) -> list[Shown]:
    return [shown(one, as_in_file=True) for one in parameters(model, label)]


def _kind(one: Shown) -> Text:
    return Text(one.kind, style=_STYLES[one.kind])


def _stages(model: Model, label: str) -> str:
    """The stages of a start, in order."""
    entry = model.targets[label]
    levels = "; ".join(f"{axis} {', '.join(map(str, found))}" for axis, found in entry.measured.items() if found)
    return f"stages: requested → {' → '.join(entry.endpoints)}. Levels that were used: {levels or 'none'}."


def _sources_of(model: Model, label: str) -> dict[str, str]:
    """Where parameters come from, each with their names; those of stages without the stage."""
    found: dict[str, list[str]] = {}
    for one in parameters(model, label):
        names = found.setdefault(clean(one.note, limit=300), [])
        part = one.name.rpartition(".")[2]
        if part not in names:
            names.append(part)
    return {text: ", ".join(names) for text, names in found.items()}


def _table(head: Sequence[str]) -> Table:
    """A table that fits 80 columns: only names may be broken."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(head[0], min_width=_NAME_WIDTH, overflow="fold")
    table.add_column(head[1], min_width=_VALUE_WIDTH, no_wrap=True)
    for name in head[2:]:
        table.add_column(name, no_wrap=True)
    return table


def _notes(model: Model, label: str) -> list[RenderableType]:
    return [_point(sentence, "yellow") for sentence in known_sentences(model, label)]


def _point(text: str, style: str) -> RenderableType:
    """A sentence whose further lines begin below its first word."""
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text("·", style=style), Text(text, style=style))
    return grid


def known_sentences(model: Model, label: str) -> Iterator[str]:
    """What must be known about a target's numbers, without its name: how far it fits, what is open, what is assumed."""
    yield from trust_sentences(model, label)
    yield from notes_of(model, label)
    yield from open_sentences(model, label)
    yield from (clean(one.text) for one in assumed_sentences(model) if one.target == label)


def model_facts(model: Model, digest: str) -> Iterator[tuple[str, str]]:
    """Names and texts: what the model was fitted to, its host, its workload, its draws."""
    yield "model", digest
    for source in model.sources:
        used = f"{len(source.trials)} trials of {len(source.cells)} cells in {source.blocks} blocks"
        yield "source", f"{clean(source.name)} ({used}), {clean(source.digest)}"
    host = model.host
    memory = f", {format_bytes(host.memory_bytes)}" if host.memory_bytes else ""
    yield "host", f"{clean(host.fingerprint or 'not known')}, {host.cpus} CPUs{memory}"
    yield "workload", clean(model.workload)
    yield "draws", f"{len(model.weights)}, made by boxbench {clean(model.boxbench)}"
    yield (
        "beyond the data",
        f"log(truth / prediction) is taken to scatter by {model.discrepancy.log_sd_per_doubling:g} more with each "
        f"doubling of the distance: {clean(model.discrepancy.source, limit=600)}",
    )


def model_json(model: Model) -> dict[str, Any]:
    """A JSON value: what was fitted, without the draws."""
    return {
        "model": model_digest(model),
        "sources": [source.model_dump(mode="json") for source in model.sources],
        "host": model.host.model_dump(mode="json"),
        "workload": model.workload,
        "draws": len(model.weights),
        "discrepancy": model.discrepancy.model_dump(mode="json"),
        "targets": {label: _target_json(model, label) for label in model.targets},
        "assumed": [one.line for one in assumed_sentences(model)],
        "edited": [one.line for one in edit_warnings(model)],
    }


def _target_json(model: Model, label: str) -> dict[str, Any]:
    target = model.targets[label]
    return {
        "endpoints": list(target.endpoints),
        "measured": {axis: list(levels) for axis, levels in target.measured.items()},
        "misfit": target.misfit,
        "effective": target.effective,
        "centre": target.centre,
        "summary": _numbers_json(summaries(model, label)),
        "parameters": _numbers_json(parameters(model, label)),
        "warnings": list(target.warnings),
        "notes": list(target.notes),
        "noise": target.noise,
    }


def _numbers_json(numbers: Iterable[Summary]) -> dict[str, Any]:
    return {
        one.name: {
            "value": one.middle,
            "low95": one.low,
            "high95": one.high,
            "unit": one.unit,
            "kind": one.kind,
            "narrowed": one.narrowed,
            "note": one.note,
        }
        for one in numbers
    }


def write_model_page(model: Model, directory: Path, *, command: str) -> Path:
    """Write ``index.html``, ``explained.json`` and the figures; returns the page's path.

    Args:
        command: that makes the same page.

    Raises:
        UsageError, ResultError: as ``write_results``.
    """
    figures = draw_all(lambda: [draw_stages(model)])
    digest = model_digest(model)
    text = json.dumps(model_json(model), indent=2, ensure_ascii=False) + "\n"
    page = render_page(
        "model.html.j2",
        figures=figures,
        warnings=warnings_of(model),
        eyebrow="a model of starts",
        figures_title="One start, stage by stage",
        command=command,
        provenance=f"Model {digest}",
        files={_JSON: text.encode()},
        facts=list(model_facts(model, digest)),
        targets=[_page_target(model, label) for label in model.targets],
        legend=legend(model),
        kinds=f"{KINDS} {NARROWED}",
    )
    return write_results(directory, page, figures, {_JSON: text})


def _page_target(model: Model, label: str) -> dict[str, Any]:
    main = [(one.name, one.text, one.kind) for one in map(shown, summaries(model, label))]
    every = [(one.name, one.text, one.narrowed, one.kind, one.note) for one in _parameters(model, label)]
    return {
        "label": clean(label),
        "stages": _stages(model, label),
        "main": (MAIN_HEAD, *main),
        "parameters": (HEAD, *every),
        "notes": tuple(known_sentences(model, label)),
    }
