"""What a figure is as files: SVG in light and dark, PNG, and the numbers as CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator

from bench.render.figures.base import Figure


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
