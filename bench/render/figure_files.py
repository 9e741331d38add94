"""Figures in a directory of their own, which gets all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.render.figures.base import Figure
from bench.render.figures.contents import contents
from bench.render.results import made_parents, staged
from bench.util.durable import sync_directory
from bench.util.errors import ResultError
from bench.util.outputs import check_place as check_output
from bench.util.outputs import install, list_files


def check_figures_place(directory: Path, *, force: bool = False) -> None:
    """Refuse a place that holds something else than figures, before the work.

    Args:
        force: other files may be there. They stay.

    Raises:
        UsageError: it holds something else, or a figure that was edited since it was written.
    """
    check_output(directory, others=force)


def write_figures(
    directory: Path, figures: Sequence[Figure], *, force: bool = False, all_of_them: bool = True
) -> tuple[Path, ...]:
    """Write the figures; returns the paths of the light SVGs.

    Former figures are replaced once all new files are on the disk; those of other styles stay.

    Args:
        all_of_them: former figures of these styles that are not among the new ones are removed.

    Raises:
        UsageError: see ``check_figures_place``.
        ResultError: the disk is full or fails. What was there before is as it was.
    """
    check_figures_place(directory, force=force)
    final = directory.resolve()
    styles = {figure.style for figure in figures} if all_of_them else set()
    try:
        with made_parents(final) as is_new, staged(final.parent if is_new else final) as stage:
            for figure in figures:
                for end, content in contents(figure):
                    (stage / f"{figure.stem}{end}").write_bytes(content)
            if is_new:
                list_files(stage)
                stage.rename(final)
                sync_directory(final.parent)
            else:
                install(stage, final, lambda name: _style(name) in styles)
    except OSError as error:
        raise ResultError(
            f"{directory} cannot be written: {error.strerror or error}",
            hint="choose another directory with -o, or make room",
        ) from None
    return tuple(directory / f"{figure.stem}.svg" for figure in figures)


def _style(name: str) -> str:
    """``talk`` of ``03-hello-memory.talk-dark.svg``."""
    return name.rpartition(".")[0].rpartition(".")[2].removesuffix("-dark")
