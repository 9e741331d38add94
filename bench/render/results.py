"""The directory of a simulated answer: its page, its data, and its figures for slides. All of it, or nothing.

A new directory appears whole. In one that an earlier answer made all files are replaced, or none, once all of the new
content is on the disk. Any other directory is refused.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.render.figures.base import SLIDE_DPI, Drawing, Figure, finish
from bench.render.figures.contents import ENDS, write_figure
from bench.render.figures.settings import styled
from bench.render.figures.style import PAGE as PAGE_STYLE
from bench.render.figures.style import style_in_use
from bench.util.durable import sync_directory, write_durably
from bench.util.errors import ResultError, UsageError
from bench.util.nofollow import real_directory
from bench.util.outputs import exchange
from bench.util.paths import is_file

PAGE: Final = "index.html"
FIGURES: Final = "figures"
_IN_FIGURES: Final = f"{FIGURES}/"
GENERATOR: Final = "boxbench simulate"
"""The page's mark: what has it was made by a command of this group, and may be replaced by one."""

Draw = Callable[[], Iterable[Drawing]]

_MARK_WITHIN: Final = 4096
"""Bytes at the beginning of a page that hold the mark."""
_FIGURE: Final = re.compile(r'<figure id="([^"/]+)">')
_HINT: Final = "choose another directory with -o, or make room"
_OTHER: Final = "choose a new directory with -o, or one that a former answer made"


def check_place(directory: Path, *, known: Iterable[str] = (), generator: str = GENERATOR) -> None:
    """Refuse a place where no answer can be written, before the work that answers.

    Args:
        known: names of files that the command itself may have put there.
        generator: the mark of a page that may be replaced.

    Raises:
        UsageError: a file, a directory with files of others, or one in which this user cannot write.
    """
    try:
        names = _names(directory)
    except OSError as error:
        raise UsageError(f"-o {directory}: {error.strerror}", hint=_OTHER) from None
    # Hidden files are of no answer, such as what a kill has left of one.
    foreign = sorted(name for name in set(names) - set(known) if not name.startswith("."))
    if foreign and not _is_ours(directory, generator):
        raise UsageError(f"-o {directory} holds files of something else, such as {foreign[0]!r}", hint=_OTHER)
    nearest = next((place for place in (directory, *directory.absolute().parents) if place.exists()), directory)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"-o {directory}: {nearest} is no directory in which you can write", hint=_OTHER)


def draw_all(draw: Draw) -> tuple[Figure, ...]:
    """The finished figures of an answer, with a PNG of each that fills a slide.

    Args:
        draw: makes the drawings, in the order in which they are shown. It is called with our settings of matplotlib.
    """
    with styled():
        dpi = SLIDE_DPI if style_in_use() is PAGE_STYLE else None
        return tuple(finish(drawing, png=True, dpi=dpi) for drawing in draw())


def write_results(
    directory: Path,
    page: str,
    figures: Sequence[Figure],
    data: Mapping[str, str],
    *,
    known: Iterable[str] = (),
    generator: str = GENERATOR,
) -> Path:
    """Write ``index.html``, ``figures/`` and data files; returns the page's path. The same input gives the same bytes.

    Args:
        page: has our mark, and each figure in an element ``<figure id="NAME">``.
        data: text of further files, by name.
        known, generator: as for ``check_place``.

    Raises:
        UsageError: the place is wrong; see ``check_place``.
        ResultError: the disk is full or fails. What was there before is as it was.
    """
    if _mark(generator) not in page[:_MARK_WITHIN]:
        raise ValueError("the page has no mark, so that no later answer could replace it")
    names = [*(figure.name for figure in figures), *data]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ValueError(f"two figures or files have the name {twice!r}, so that one would replace the other")
    check_place(directory, known=known, generator=generator)
    try:
        _write(directory.resolve(), page, figures, data)
    except OSError as error:
        raise ResultError(f"{directory} cannot be written: {error.strerror}", hint=_HINT) from None
    return directory / PAGE


def _names(directory: Path) -> list[str]:
    """What is in a directory; nothing when there is none. Raises OSError: a file, or it cannot be read."""
    try:
        return [place.name for place in directory.iterdir()]
    except FileNotFoundError:
        return []


def _mark(generator: str) -> str:
    return f'<meta name="generator" content="{generator}">'


def _is_ours(directory: Path, generator: str) -> bool:
    # Something else of this name, such as a pipe, would never end.
    if not is_file(directory / PAGE):
        return False
    try:
        with (directory / PAGE).open("rb") as page:
            return _mark(generator).encode() in page.read(_MARK_WITHIN)
    except OSError:
        return False


def _write(final: Path, page: str, figures: Sequence[Figure], data: Mapping[str, str]) -> None:
    with made_parents(final) as is_new, staged(final.parent if is_new else final) as stage:
        if figures:
            (stage / FIGURES).mkdir()
        for figure in figures:
            write_figure(stage / FIGURES, figure)
        for name, text in {**data, PAGE: page}.items():
            write_durably(stage / name, text)
        if is_new:
            stage.rename(final)
            sync_directory(final.parent)
        else:
            _replace(stage, final)


@contextmanager
def made_parents(final: Path) -> Iterator[bool]:
    """Make the directories above a new one, and remove them again when it fails. Gives whether it is new."""
    if final.exists():
        yield False
        return
    missing = [place for place in final.parents if not place.exists()]
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield True
    except BaseException:
        for place in missing:
            try:
                place.rmdir()
            except OSError:
                break
        raise


@contextmanager
def staged(parent: Path) -> Iterator[Path]:
    """A new directory on the same disk, which is gone afterwards unless it was renamed."""
    stage = parent / f".boxbench-{secrets.token_hex(4)}"
    try:
        stage.mkdir()
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _replace(stage: Path, final: Path) -> None:
    """Put new files in the place of those of a former answer, and remove figures that are no longer shown."""
    former = _shown(final)
    # A link in place of the figures is refused before anything is replaced.
    with real_directory(final / FIGURES) as place:
        exchange(
            stage,
            lambda name: place / name.removeprefix(_IN_FIGURES) if name.startswith(_IN_FIGURES) else final / name,
            sorted(f"{_IN_FIGURES}{name}" for name in former),
        )
    if not (stage / FIGURES).exists():
        _remove_if_empty(final / FIGURES)
    sync_directory(final)


def _shown(directory: Path) -> set[str]:
    """File names of the figures that a page shows."""
    if not is_file(directory / PAGE):
        return set()
    try:
        page = (directory / PAGE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return {f"{name}{end}" for name in _FIGURE.findall(page) for end in ENDS}


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return
