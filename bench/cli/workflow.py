"""Nothing that a box says becomes a workflow command of GitHub's runner.

The runner reads the output of a job. It obeys lines that begin with ``::`` after blanks, and ``##[`` anywhere in a
line. Output of boxes and tools is part of our messages, tables and tracebacks. So under GitHub's runner both are taken
apart in everything that is printed, by a character without width. JSON has an escape of its own for a character, which
its readers do not notice.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO, cast

_APART: Final = "\u200b"
_COMMAND: Final = re.compile(r":(?=:)|##(?=\[)")


def under_runner() -> bool:
    """Whether GitHub's runner reads our output."""
    return bool(os.environ.get("GITHUB_ACTIONS"))


def apart(text: str) -> str:
    """Text without ``::`` and ``##[``."""
    return _COMMAND.sub(lambda found: found[0] + _APART, text)


def apart_in_json(text: str) -> str:
    """JSON with the same content, without ``::`` and ``##[``. Both can only be inside strings."""
    return text.replace("::", r":\u003a").replace("##[", r"##\u005b")


def apart_in_file(name: str, content: bytes) -> bytes:
    """An exported file without ``::`` and ``##[``: in JSON and XML with the same content, in text as ``apart``.

    Files of other kinds are not text, and stay as they are.
    """
    suffix = Path(name).suffix
    if suffix == ".json":
        return apart_in_json(content.decode()).encode()
    if suffix in (".xml", ".md", ".html"):
        # A character reference: such files show it as the character.
        return content.replace(b"::", b":&#58;").replace(b"##[", b"##&#91;")
    if suffix in (".csv", ".txt", ".yaml", ".toml"):
        return apart(content.decode()).encode()
    return content


class SafeStream:
    """A text stream that takes commands apart, also when they are written in pieces."""

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner
        self._last = ""

    def write(self, text: str) -> int:
        """Write text. Returns the length of ``text``."""
        safe = apart(self._last + text)[len(self._last) :]
        self._last = (self._last + safe)[-2:]
        self._inner.write(safe)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@contextmanager
def safe_output() -> Iterator[None]:
    """Under GitHub's runner, take commands in standard output and standard error apart.

    After an unexpected exception it stays so, since Python prints the traceback at the end.
    """
    if not under_runner():
        yield
        return
    before = sys.stdout, sys.stderr
    during = tuple(cast("TextIO", SafeStream(stream)) for stream in before)
    sys.stdout, sys.stderr = during
    try:
        yield
    except SystemExit:
        # A stream that was exchanged meanwhile (a reader that has gone) stays exchanged.
        for name, old, new in zip(("stdout", "stderr"), before, during, strict=True):
            if getattr(sys, name) is new:
                setattr(sys, name, old)
        raise
