"""Figures in a directory of their own, which gets all of them or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.render.figures.base import Figure
from bench.render.figures.contents import contents
from bench.render.figures.style import STYLES
from bench.render.results import made_parents, staged
from bench.util.durable import sync_directory
from bench.util.errors import ResultError, UsageError
from bench.util.paths import exists

_STYLES: Final = "|".join(STYLES)
_OURS: Final = re.compile(rf"\d\d+-.+\.(?:{_STYLES})(?:-dark)?\.(?:svg|png|csv|json)")
_OTHER: Final = "choose a new directory with -o, or --force to write beside what is there"


def check_figures_place(directory: Path, *, force: bool = False) -> None:
    """Refuse a place that holds something else than figures, before the work. Raises UsageError.

    Args:
        force: other files may be there. They stay.
    """
    try:
        names = sorted(place.name for place in directory.iterdir()) if exists(directory) else []
    except OSError as error:
        raise UsageError(f"-o {directory}: {error.strerror}", hint="choose another directory with -o") from None
    foreign = [name for name in names if not _OURS.fullmatch(name) and not name.startswith(".")]
    if foreign and not force:
        raise UsageError(f"-o {directory} holds files of something else, such as {foreign[0]!r}", hint=_OTHER)


def write_figures(directory: Path, figures: Sequence[Figure], *, force: bool = False) -> tuple[Path, ...]:
    """Write the figures; returns the paths of the light SVGs.

    Former figures of the same style are replaced once all new files are on the disk; those of other styles stay.

    Raises:
        UsageError: see ``check_figures_place``.
        ResultError: the disk is full or fails. What was there before is as it was.
    """
    check_figures_place(directory, force=force)
    final = directory.resolve()
    try:
        with made_parents(final) as is_new, staged(final.parent if is_new else final) as stage:
            for figure in figures:
                for end, content in contents(figure):
                    (stage / f"{figure.stem}{end}").write_bytes(content)
            if is_new:
                stage.rename(final)
                sync_directory(final.parent)
            else:
                _replace(stage, final, {figure.style for figure in figures})
    except OSError as error:
        raise ResultError(
            f"{directory} cannot be written: {error.strerror}", hint="choose another directory with -o, or make room"
        ) from None
    return tuple(directory / f"{figure.stem}.svg" for figure in figures)


def _replace(stage: Path, final: Path, styles: set[str]) -> None:
    """Move new files over former ones, and remove former ones of the same styles that are not made any more."""
    new = {place.name for place in stage.iterdir()}
    for name in sorted(new):
        (stage / name).rename(final / name)
    for place in final.iterdir():
        style = place.name.rpartition(".")[0].rpartition(".")[2].removesuffix("-dark")
        if _OURS.fullmatch(place.name) and style in styles and place.name not in new:
            place.unlink()
    sync_directory(final)
