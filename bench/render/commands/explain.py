"""The explanation of a difference between two cells, for a terminal and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.stats import Estimate, Interval
from bench.anatomy.steps import explained
from bench.explain.difference import Explanation, Part
from bench.render.text import MISSING, clean, format_estimate, quantity

_STYLES: Final = {"slower": "red", "faster": "green", "cannot tell": "dim"}
_NOISE: Final = "cannot be distinguished from noise"


def view_explanation(found: Explanation) -> RenderableType:
    """The whole difference in a sentence, its phases and steps ranked, and other differences. Never prints."""
    parts: list[RenderableType] = [_summary(found)]
    if found.steps:
        parts += [Text(""), _table("step (traced starts)", found.steps)]
    parts += [Text(""), _table("phase", found.phases)]
    how = "paired by block" if found.paired else "two campaigns, so not paired by block"
    parts += [Text(f"· {how}; shares of medians need not add up to the whole difference", style="dim")]
    parts += [Text(f"· {line}", style="dim") for line in explained(part.name for part in found.steps)]
    if not found.steps:
        parts.append(Text("· run `boxbench anatomy` on both for steps instead of phases", style="dim"))
    parts += [Text(f"· {clean(note)}", style="yellow") for note in found.notes]
    return Group(*parts)


def _summary(found: Explanation) -> Text:
    total = found.total
    text = Text(f"{clean(found.b)} against {clean(found.a)}: ", "bold")
    sizes = f"{_median(total.b)} against {_median(total.a)} to {found.headline}"
    if total.verdict == "cannot tell":
        return text.append(f"{sizes}; the difference, {_signed(total)}, {_NOISE}", "not bold")
    return text.append(f"{sizes}: {total.verdict} by {_size(total)}", "not bold")


def _size(part: Part) -> str:
    """A difference without its sign, for a sentence that says which way it goes."""
    sign = -1 if part.change_ns < 0 else 1
    text = quantity(sign * part.change_ns, "ns")
    if part.interval is None:
        return f"{text} (n = {part.n}: no interval)"
    low, high = sorted(sign * limit for limit in (part.interval.low, part.interval.high))
    return f"{text} [{quantity(low, 'ns')}, {quantity(high, 'ns')}]"


def _table(head: str, parts: Sequence[Part]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(head, overflow="fold")
    for name in ("A", "B", "difference [95 %]", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in parts:
        verdict = part.verdict
        table.add_row(
            Text(part.label),
            Text(quantity(part.a.value, "ns")),
            Text(quantity(part.b.value, "ns")),
            Text(_signed(part), style=_STYLES[verdict]),
            Text("noise" if verdict == "cannot tell" else _share(part), style=_STYLES[verdict]),
        )
    return table


def _median(value: Estimate) -> str:
    return format_estimate(value, "ns")


def _share(part: Part) -> str:
    # Adding 0.0 turns a rounded -0 into 0.
    return MISSING if part.share is None else f"{round(part.share, 2) + 0.0:.0%}".replace("-", "−")


def _signed(part: Part) -> str:
    sign = "+" if part.change_ns > 0 else ""
    text = f"{sign}{quantity(part.change_ns, 'ns')}"
    if part.interval is None:
        return f"{text} (n = {part.n}: no interval)"
    low, high = (quantity(limit, "ns") for limit in (part.interval.low, part.interval.high))
    return f"{text} [{low}, {high}]"


def explanation_json(found: Explanation) -> dict[str, Any]:
    """The explanation as a JSON value; times in ns."""
    return {
        "a": found.a,
        "b": found.b,
        "endpoint": str(found.headline),
        "paired": found.paired,
        "total": _part_json(found.total),
        "phases": [_part_json(part) for part in found.phases],
        "steps": [_part_json(part) for part in found.steps],
        "notes": list(found.notes),
    }


def _part_json(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "label": part.label,
        "a_ns": part.a.value,
        "b_ns": part.b.value,
        "change_ns": part.change_ns,
        "interval_ns": _interval_json(part.interval),
        "share": part.share,
        "n": part.n,
        "verdict": part.verdict,
    }


def _interval_json(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None:
        return None
    ends = (limit if math.isfinite(limit) else None for limit in (interval.low, interval.high))
    return dict(zip(("low", "high"), ends, strict=True)) | {"level": interval.level}
