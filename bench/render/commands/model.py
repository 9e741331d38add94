"""A fitted model for a terminal, as JSON, and as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.render.html import page_environment
from bench.render.palette import PALETTE
from bench.render.text import clean, significant
from bench.sim.kind import Kind
from bench.sim.model.file import assumed_sentences, model_digest
from bench.sim.model.schema import Model
from bench.sim.model.summary import Summary, parameters, summaries
from bench.util.result_file import write_result_file
from bench.util.units import format_bytes, format_ns

_STYLES: Final[dict[Kind, str]] = {"measured": "green", "limit": "yellow", "assumed": "red"}
_MAIN_HEAD: Final = ("target", "number", "value", "95 % band", "kind")
_HEAD: Final = ("parameter", "value", "95 % band", "narrowed", "kind", "from")
_NARROW_HEAD: Final = _HEAD[:-1]
"""For a terminal: the sources are below the table."""
_LABELS: Final = {
    "single start": "single start",
    "CPU time": "CPU time per start",
    "hold": "hold of its lock",
    "inflation": "inflation per busy CPU",
    "growth": "growth of the hold per box",
    "block_sd": "scatter between trials",
    "box_sd": "scatter between boxes",
    "memory_fixed": "memory, fixed",
    "memory_slope": "memory per box",
}
_KINDS: Final = (
    "measured: the data narrow the number by at least half of what was assumed before. limit: by less, so answers that "
    "depend on it are bounds. assumed: stated by you, or not in the data."
)


def view_fitted(model: Model) -> RenderableType:
    """What was fitted: the numbers of each target, and what the data could not decide. Never prints."""
    table = _table(_MAIN_HEAD)
    for label in model.targets:
        for number, one in enumerate(summaries(model, label)):
            table.add_row(clean(label) if number == 0 else "", *_cells(one), Text(one.kind, style=_STYLES[one.kind]))
        table.add_section()
    return Group(table, *_text_notes(model), Text(f"\n{_KINDS}", style="dim"))


def view_explained(model: Model, digest: str) -> RenderableType:
    """Every parameter of every target, with its source. Never prints."""
    parts: list[RenderableType] = [Text(f"{name}: {text}") for name, text in _facts(model, digest)]
    for label in model.targets:
        table = _table(_NARROW_HEAD)
        for one in parameters(model, label):
            row = (one.name, _quantity(one.middle, one), _band(one), _narrowed(one))
            table.add_row(*row, Text(one.kind, style=_STYLES[one.kind]))
        parts += [Text(f"\n{clean(label)}", style="bold"), table]
        parts += [Text(f"· {names}: {text}", style="dim") for text, names in _sources_of(model, label).items()]
    return Group(*parts, *_text_notes(model), Text(f"\n{_KINDS}", style="dim"))


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
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in head:
        table.add_column(name, no_wrap=name != "from", overflow="fold")
    return table


def _text_notes(model: Model) -> Iterator[RenderableType]:
    for sentence in _sentences(model):
        yield Text(f"· {clean(sentence, limit=400)}", style="yellow")


def _sentences(model: Model) -> Iterator[str]:
    for label, target in model.targets.items():
        yield from (f"{label}: {sentence}" for sentence in target.notes)
    yield from assumed_sentences(model)


def _cells(one: Summary) -> tuple[str, str, str]:
    return _LABELS.get(one.name, one.name), _quantity(one.middle, one), _band(one)


def _quantity(value: float, one: Summary) -> str:
    if one.unit == "ns":
        return format_ns(value) if value else "0"
    if one.unit == "bytes":
        return f"-{format_bytes(-value)}" if value < 0 else format_bytes(value)
    if one.name in ("inflation", "block_sd", "box_sd"):
        return f"{significant(100 * value)} %"
    return significant(value)


def _band(one: Summary) -> str:
    if one.low == one.high:
        return "–"
    return f"[{_quantity(one.low, one)}, {_quantity(one.high, one)}]"


def _narrowed(one: Summary) -> str:
    return "–" if one.narrowed is None else f"{max(one.narrowed, 0.0):.0%}"


def _facts(model: Model, digest: str) -> Iterator[tuple[str, str]]:
    yield "model", digest
    for source in model.sources:
        used = f"{len(source.trials)} trials of {len(source.cells)} cells in {source.blocks} blocks"
        yield "source", f"{clean(source.name)} ({used}), {source.digest}"
    host = model.host
    memory = f", {format_bytes(host.memory_bytes)}" if host.memory_bytes else ""
    yield "host", f"{clean(host.fingerprint or 'not known')}, {host.cpus} CPUs{memory}"
    yield "workload", clean(model.workload)
    yield "draws", f"{len(model.weights)}, made by boxbench {clean(model.boxbench)}"
    yield (
        "beyond the data",
        f"log(truth / prediction) is taken to scatter by {model.discrepancy.log_sd_per_doubling:g} more with each "
        f"doubling of the distance: {clean(model.discrepancy.source, limit=300)}",
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
        "assumed": list(assumed_sentences(model)),
    }


def _target_json(model: Model, label: str) -> dict[str, Any]:
    target = model.targets[label]
    return {
        "endpoints": list(target.endpoints),
        "measured": {axis: list(levels) for axis, levels in target.measured.items()},
        "summary": _numbers_json(summaries(model, label)),
        "parameters": _numbers_json(parameters(model, label)),
        "notes": list(target.notes),
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


def write_model_page(model: Model, file: Path) -> None:
    """Write the page, which loads nothing. Raises ResultError."""
    environment = page_environment()
    style = Markup(environment.get_template("report.css.j2").render(colours=PALETTE))
    text = environment.get_template("model.html.j2").render(
        style=style,
        facts=list(_facts(model, model_digest(model))),
        targets=[_page_target(model, label) for label in model.targets],
        assumed=assumed_sentences(model),
        kinds=_KINDS,
    )
    write_result_file(file, text, hint="choose another --page")


def _page_target(model: Model, label: str) -> dict[str, Any]:
    target = model.targets[label]
    return {
        "label": label,
        "main": [(*_cells(one), one.kind) for one in summaries(model, label)],
        "parameters": [
            (one.name, _quantity(one.middle, one), _band(one), _narrowed(one), one.kind, one.note)
            for one in parameters(model, label)
        ],
        "measured": [f"{axis}: {', '.join(map(str, levels))}" for axis, levels in target.measured.items() if levels],
        "notes": target.notes,
        "main_head": _MAIN_HEAD[1:],
        "head": _HEAD,
    }
