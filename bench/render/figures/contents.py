"""What a figure is as files: SVG in light and dark, PNG, and the numbers as CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.render.figures.base import Figure
from bench.util.durable import replace_file

ENDS: Final = (".svg", "-dark.svg", ".png", ".csv", ".json")
"""What can follow the name of a figure."""


def contents(figure: Figure) -> Iterator[tuple[str, bytes]]:
    """The files of a figure: what follows its name, and the content."""
    about = {"figure": figure.name, "title": figure.title, "about": figure.topic, "source": figure.foot}
    if figure.again:
        about["again"] = figure.again
    yield ".svg", figure.light_svg.encode()
    yield "-dark.svg", figure.dark_svg.encode()
    if figure.light_png is not None:
        yield ".png", figure.light_png
    yield ".csv", figure.data.to_csv().encode()
    yield ".json", figure.data.to_json(**about).encode()


def write_figure(directory: Path, figure: Figure, *, without: str = "") -> tuple[Path, ...]:
    """Write the files of a figure, named as the figure is; returns the paths, that of the light SVG first.

    Args:
        without: one of ``ENDS``, whose file is left out.

    Raises:
        OSError: one cannot be written.
    """
    paths = []
    for end, content in contents(figure):
        if end == without:
            continue
        paths.append(directory / f"{figure.name}{end}")
        replace_file(paths[-1], content)
    return tuple(paths)
