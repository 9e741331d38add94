"""Brings made results into the repository, or says how they differ from what is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.gallery.listing import PUBLISHED, ROOT, Gallery, Result
from tests.gallery.same import is_same


def problems(result: Result, made: Path, kept: Path = ROOT / PUBLISHED) -> Iterator[str]:
    """How the kept files of a result differ from those that its commands made.

    Args:
        made: the gallery in which the commands ran.
        kept: the gallery of the repository.
    """
    new, old = set(result.files(made)), set(result.files(kept))
    for name in sorted(new | old):
        file = f"{PUBLISHED / result.directory / name}"
        if name not in old:
            yield f"{file} is made, and is not in the repository"
        elif name not in new:
            yield f"{file} is in the repository, and is not made any more"
        elif not is_same(made / result.directory / name, kept / result.directory / name):
            yield f"{file} differs from what is made"


def install(result: Result, made: Path) -> None:
    """Replace the kept files of a result, and remove all else that its commands make."""
    target = ROOT / PUBLISHED / result.directory
    for name in set(result.files(ROOT / PUBLISHED)) - set(result.files(made)):
        (target / name).unlink()
    for file in sorted((made / result.directory).rglob("*")):
        name = file.relative_to(made / result.directory).as_posix()
        if file.is_file() and result.keeps(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / name)


def strangers(gallery: Gallery) -> Iterator[str]:
    """Files of the gallery that the listing neither keeps nor calls a source."""
    for file in sorted((ROOT / PUBLISHED).rglob("*")):
        name = file.relative_to(ROOT / PUBLISHED).as_posix()
        if file.is_file() and file.name != "lock" and not gallery.is_kept(name) and not gallery.is_source(name):
            yield str(PUBLISHED / name)
