"""``reports/published/gallery.toml``: the results, their commands, and which of the made files are kept."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

ROOT: Final = Path(__file__).parents[2]
PUBLISHED: Final = Path("reports/published")
"""Relative to the root, as commands and readers name it."""
LISTING: Final = "gallery.toml"
INDEX: Final = "README.md"


class Cited(BaseModel):
    """A sentence with numbers of ``report.md``.

    Attributes:
        pattern: a regular expression that the text has a match of.
        text: the sentence, with ``{0}`` for the first group.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    text: str


class Entry(BaseModel):
    """What the index tells of a result.

    Attributes:
        title: a few words.
        finding: where its sentence is: the name of a scenario whose headline the report begins with; ``answer.json``
            for its headline; ``anatomy.md`` for its title; or what is cited.
        picture: a file of the result; None: it has no figure.
        not_said: what a reader must not take from it.
        readme: a file of the gallery that has the commands of the measurement.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    finding: str | Cited
    picture: str | None = None
    not_said: str
    readme: str


class Result(BaseModel):
    """One directory that commands make.

    Attributes:
        directory: below the gallery.
        commands: as a reader types them in ``inside``.
        inside: the directory of the commands, below the gallery; empty: the root of the repository.
        slow: takes more than half a minute of CPU time.
        exit_codes: with which the commands may end. Verdicts such as "cannot tell" are exit codes.
        kept: patterns of the files that are in the repository.
        entry: None for a part of another result.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    directory: str
    commands: tuple[str, ...]
    inside: str = ""
    slow: bool = False
    exit_codes: tuple[int, ...] = (0,)
    kept: tuple[str, ...]
    entry: Entry | None = None

    def keeps(self, name: str) -> bool:
        """Whether a file, relative to the directory, is kept. Pages and texts show the light pictures only."""
        return not name.endswith("-dark.svg") and any(fnmatchcase(name, pattern) for pattern in self.kept)

    def files(self, gallery: Path) -> Iterator[str]:
        """Kept files that ``gallery`` has, relative to the directory."""
        place = gallery / self.directory
        for file in sorted(place.rglob("*")):
            name = file.relative_to(place).as_posix()
            if file.is_file() and self.keeps(name):
                yield name


class Screenshot(BaseModel):
    """A picture of a page.

    Attributes:
        page, file: below the gallery.
        width, height: of the window, in pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: str
    file: str
    width: int
    height: int


class Gallery(BaseModel):
    """The listing.

    Attributes:
        sources: patterns of the files that no command makes, relative to any directory of the gallery.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[str, ...]
    screenshot: tuple[Screenshot, ...]
    result: tuple[Result, ...]

    def is_source(self, name: str) -> bool:
        """Whether a file, relative to the gallery, is a source."""
        return any(fnmatchcase(name, pattern) for pattern in self.sources)

    def is_kept(self, name: str) -> bool:
        """Whether a file, relative to the gallery, is made by a command and kept."""
        return any(
            one.keeps(name.removeprefix(f"{one.directory}/"))
            for one in self.result
            if name.startswith(f"{one.directory}/")
        )


def read_gallery() -> Gallery:
    """The listing of this repository."""
    with (ROOT / PUBLISHED / LISTING).open("rb") as file:
        return Gallery.model_validate(tomllib.load(file))
