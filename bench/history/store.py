"""Where a history is stored: a directory, or a git branch that is not checked out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from bench.history.line import HistoryError, Line, merged, parse_line
from bench.util.durable import write_durably
from bench.util.locks import SHORT_WAIT_S, wait_for_lock

SUFFIX: Final = ".jsonl"


class Store(Protocol):
    """Text files by name.

    Attributes:
        where: its place, for messages.
    """

    where: str

    def read(self) -> dict[str, str]:
        """The text of every file by name, in order of names; empty when there is no history yet."""
        ...

    def change(self, name: str, edit: Edit, message: str) -> None:
        """Replace one file's text (empty when new) by ``edit`` of it, atomically."""
        ...


class Edit(Protocol):
    """Makes a file's new text from its old one. Called again when the file changed meanwhile."""

    def __call__(self, old: str, /) -> str: ...


class DirectoryStore:
    """Files in a directory. A lock makes writers take turns: ``change`` raises HostUnfitError if one takes too long."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path

    def read(self) -> dict[str, str]:
        try:
            files = sorted(self._path.glob(f"*{SUFFIX}"))
            return {file.name: file.read_text(encoding="utf-8") for file in files}
        except (OSError, UnicodeDecodeError) as error:
            raise HistoryError(f"{self._path} cannot be read: {error}", hint="check its owner and mode") from None

    def change(self, name: str, edit: Edit, message: str) -> None:
        del message
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with _locked(self._path):
                file = self._path / name
                text = edit(file.read_text(encoding="utf-8") if file.exists() else "")
                write_durably(file, text)
        except OSError as error:
            raise HistoryError(
                f"{self._path} cannot be written: {error.strerror}",
                hint="check its owner and the free space",
            ) from None
        except UnicodeDecodeError as error:
            raise HistoryError(f"{self._path / name} is not UTF-8 text: {error}", hint="restore the file") from None


def add_line(store: Store, line: Line, *, replace: bool = False) -> None:
    """Add a line to its host's file, merged with the line that the commit already has.

    Raises:
        HistoryError: see ``merged``; the store cannot be written.
    """
    name = f"{line.fingerprint}{SUFFIX}"

    def edit(old: str) -> str:
        lines = {found.commit.id: found for found in _lines(old, f"{store.where}/{name}")}
        known = lines.get(line.commit.id)
        lines[line.commit.id] = line if known is None else merged(known, line, replace=replace)
        return "".join(found.text() for found in sorted(lines.values(), key=order))

    source = line.campaigns[-1] if line.counted else f"campaign {line.campaigns[-1]}"
    store.change(name, edit, f"{line.commit.id[:12]} on {line.fingerprint}: {source}")


def read_history(store: Store) -> tuple[Line, ...]:
    """Read all lines, by host, then in the order of their commits.

    Raises:
        HistoryError: there is no line, a line cannot be parsed, or a file has lines of another host.
    """
    found: list[Line] = []
    for name, text in store.read().items():
        lines = list(_lines(text, f"{store.where}/{name}"))
        strangers = {line.fingerprint for line in lines} - {name.removesuffix(SUFFIX)}
        if strangers:
            raise HistoryError(
                f"{store.where}/{name} holds lines of another host: {', '.join(sorted(strangers))}",
                hint="lines of two hosts are never mixed; move those lines to a file of that name",
            )
        found.extend(sorted(lines, key=order))
    if not found:
        raise HistoryError(f"there is no history in {store.where}", hint="add one with `boxbench history add`")
    return tuple(found)


def order(line: Line) -> tuple[float, str, str]:
    """Sort key: the committer's time, then the time of the measurement."""
    return line.commit.committed_s, line.measured_at, line.commit.id


def _lines(text: str, where: str) -> Iterator[Line]:
    # Not splitlines: text in JSON may hold U+2028, U+2029 and U+0085, which are no line ends here.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield parse_line(line, where=f"{where}:{number}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        wait_for_lock(fd, f"the history {path}", limit_s=SHORT_WAIT_S)
        yield
    finally:
        os.close(fd)
