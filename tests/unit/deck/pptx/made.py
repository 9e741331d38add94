"""Figures and decks for tests of PowerPoint files."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import cache

from PIL import Image

from bench.deck.slides import Deck, Slide, Source
from bench.render.figures.base import Figure, Kind
from bench.render.figures.data import Column, FigureData, Value

MS = 1e6
MIB = 2.0**20
DOTS = (("box", ""), ("median", "ns"), ("low", "ns"), ("high", "ns"), ("n", "count"))
RATIOS = (("metric", ""), ("box", ""), ("baseline", ""), ("ratio", "ratio"), ("low", "ratio"), ("high", "ratio"))
STACKED = (("box", ""), ("part", ""), ("value", "ns"))
SLOPE = (("series", ""), ("x", "count"), ("y", "bytes"), ("low", "bytes"), ("high", "bytes"))
CURVE = (("box", ""), ("value", "ns"), ("share", "share"))
SAMPLES = (("box", ""), ("block", "count"), ("value", "ns"))


@cache
def png(width: int = 288, height: int = 128) -> bytes:
    """A small picture of the proportions of a figure on a slide."""
    content = io.BytesIO()
    Image.new("RGB", (width, height), "#dde").save(content, "PNG")
    return content.getvalue()


def figure(
    kind: Kind,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[tuple[Value, ...]],
    *,
    name: str = "hello-time",
    picture: bytes | None = b"",
) -> Figure:
    """A figure with these numbers; ``picture=None`` leaves the picture out."""
    return Figure(
        name=name,
        scenario="hello",
        title="libvirt takes 28 times as long as docker",
        alt="How long each box takes: docker 187 ms, libvirt 5.2 s.",
        how="Dots are medians, bars are intervals.",
        light_svg="",
        dark_svg="",
        table=(("box", "median"), ("docker", "187 ms"), ("libvirt", "5.20 s")),
        light_png=png() if picture == b"" else picture,
        kind=kind,
        topic="hello: how long until ready",
        data=FigureData(tuple(Column(*column) for column in columns), tuple(rows)),
    )


def dots(**more: bytes | None) -> Figure:
    """Two boxes on a logarithmic axis, and one that never got there."""
    rows = (("docker", 187 * MS, 180 * MS, 195 * MS, 9), ("libvirt", 5200 * MS, 5000 * MS, 5600 * MS, 9))
    return figure("dots", DOTS, [*rows, ("lxc", math.inf, None, None, 9)], picture=more.get("picture", b""))


def slide(key: str, shown: Figure | None = None, **more: object) -> Slide:
    """A slide with all that a slide can have beside a figure or a table."""
    given: dict[str, object] = {
        "key": key,
        "sentence": f"libvirt takes 28 times as long as docker ({key})",
        "figure": shown,
        "caveat": "No KVM here: a VM is emulated, which is several times slower.",
        "notes": "docker takes 187 ms.\n\nThe interval is 180 to 195 ms, n = 9.",
        "alt": "" if shown is None else shown.alt,
        "source": Source(command="boxbench run hello --seed 7", seed="7", digest="sha256:4f2a", host="host h, tcg"),
        **more,
    }
    return Slide(**given)  # type: ignore[arg-type]


def deck(*slides: Slide, date: str = "2031-02-03") -> Deck:
    """A deck of these slides."""
    return Deck(
        title="What does hello cost in a VM?", subtitle="3 boxes, 27 boots", slides=slides, date=date, source="boxbench"
    )
