"""The file formats of decks, and a directory that gets all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bench.deck.slides import Deck
from bench.render.results import made_parents, staged
from bench.util.durable import sync_directory
from bench.util.errors import ResultError, UsageError
from bench.util.outputs import check_place, install, list_files
from bench.util.text import meant_or_listed


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        file: its name in the directory of a deck.
        writer: ``module:function`` as text, so that a format's library is imported only when it is used.
        png: needs pictures as PNG.
        needs: a module that it needs beside those that Boxbench always has; empty: none.
        package: the package that has this module.
        pictures: also writes into the folder ``picture_folder``.
    """

    file: str
    writer: str
    png: bool = False
    needs: str = ""
    package: str = ""
    pictures: bool = False


FORMATS: Final[dict[str, Format]] = {
    "html": Format("deck.html", "bench.deck.html:write_html"),
    "pdf": Format("deck.pdf", "bench.deck.pdf:write_pdf"),
    "pptx": Format("deck.pptx", "bench.deck.pptx.write:write_pptx", png=True, needs="pptx", package="python-pptx"),
    "marp": Format("deck.marp.md", "bench.deck.markdown:write_marp", png=True, pictures=True),
    "quarto": Format("deck.quarto.md", "bench.deck.markdown:write_quarto", png=True, pictures=True),
}
ALL: Final = "all"


def read_formats(text: str) -> tuple[str, ...]:
    """Names of formats from ``html,pdf`` or ``all``. Raises UsageError: a word is no format, or empty."""
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    if not all(names):
        raise UsageError(f"--format {text!r} has a comma without a format", hint="write it like --format html,pdf")
    unknown = next((name for name in names if name not in (*FORMATS, ALL)), None)
    if unknown is not None:
        raise UsageError(
            f"--format {unknown}: there is no such format",
            hint=meant_or_listed(unknown, (*FORMATS, ALL), f"there are {', '.join(FORMATS)} and {ALL}"),
        )
    return tuple(FORMATS) if ALL in names else names


def is_missing(name: str) -> bool:
    """Whether a format needs a package that is not installed."""
    return bool(FORMATS[name].needs) and find_spec(FORMATS[name].needs) is None


def picture_folder(file: str) -> str:
    """The folder beside a Markdown file that has its pictures. Each file has its own, so that none loses them."""
    return f"{file.removesuffix('.md')}-pictures"


def write_deck(
    deck: Deck, directory: Path, formats: Sequence[str], *, template: Path | None = None
) -> tuple[Path, ...]:
    """Write a deck in some formats; returns the files. All of them appear, or none.

    Files of an earlier deck in other formats stay.

    Args:
        template: a PowerPoint file whose layouts ``pptx`` uses.

    Raises:
        UsageError: the directory holds something else, a file was edited since, or the template is not usable.
        BoxbenchError: a package is missing.
        ResultError: the disk is full or fails. What was there before is as it was.
    """
    check_place(directory)
    final = directory.resolve()
    try:
        with made_parents(final) as is_new, staged(final.parent if is_new else final) as stage:
            for name in formats:
                _writer(name, template)(deck, stage / FORMATS[name].file)
            if is_new:
                list_files(stage)
                stage.rename(final)
                sync_directory(final.parent)
            else:
                old = tuple(f"{picture_folder(FORMATS[name].file)}/" for name in formats)
                install(stage, final, lambda name: name.startswith(old))
    except OSError as error:
        raise ResultError(
            f"{directory} cannot be written: {error.strerror or error}",
            hint="choose another directory with -o, or make room",
        ) from None
    return tuple(directory / FORMATS[name].file for name in formats)


def _writer(name: str, template: Path | None) -> Callable[[Deck, Path], None]:
    module, _, function = FORMATS[name].writer.partition(":")
    writer: Callable[..., None] = getattr(import_module(module), function)
    return partial(writer, template=template) if name == "pptx" else writer
