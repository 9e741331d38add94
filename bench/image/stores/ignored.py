"""What a build leaves out of its context: the user's list of ignored files, and directories of results at its end."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.host.scratch import scratch
from bench.image.stores.base import BuildOrder, StoreError
from bench.util.files import open_file
from bench.util.paths import is_file

DOCKER: Sequence[str] = (".dockerignore",)
PODMAN: Sequence[str] = (".containerignore", ".dockerignore")


def ignore_file(order: BuildOrder) -> Path:
    """Where a Dockerfile's own list of ignored files is, which the classic builder does not read."""
    dockerfile = order.context / order.dockerfile
    return dockerfile.with_name(f"{dockerfile.name}.dockerignore")


def ignore_list(order: BuildOrder, names: Sequence[str]) -> bytes:
    """The user's list, with the order's directories after all patterns, so that no ``!`` brings them back.

    Args:
        names: of lists in the context; the first one there counts. A Dockerfile's own list comes before them.

    Raises:
        StoreError: the list cannot be read.
    """
    places = (ignore_file(order), *(order.context / name for name in names))
    found = next((file for file in places if is_file(file)), None)
    own = b"" if found is None else _read(found)
    return own + "".join(f"\n{pattern(path)}" for path in order.leave_out).encode() + b"\n"


def _read(file: Path) -> bytes:
    try:
        with open_file(file) as content:
            return content.read()
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error.strerror}", hint="check its mode") from None


def pattern(path: str) -> str:
    """A pattern of a list of ignored files that matches a path. Builders do not agree on how to quote, so that any
    character stands for one that could have a meaning.
    """
    return "".join(letter if letter.isalnum() or letter in "/._-" else "?" for letter in path)


@contextmanager
def copied(order: BuildOrder, dockerfile: bytes, names: Iterable[str] = DOCKER) -> Iterator[BuildOrder]:
    """The same order with a copy of its Dockerfile outside of the context, and its list of ignored files beside it."""
    with scratch() as folder:
        copy = folder / Path(order.dockerfile).name
        copy.write_bytes(dockerfile)
        listed = ignore_file(replace(order, dockerfile=str(copy)))
        if order.leave_out:
            listed.write_bytes(ignore_list(order, tuple(names)))
        elif is_file(ignore_file(order)):
            shutil.copyfile(ignore_file(order), listed)
        yield replace(order, dockerfile=str(copy))
