"""Output where the locale has an encoding that lacks characters of ours, such as ASCII or Latin-1."""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
from typing import Final

_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


def allow_every_character() -> None:
    """Print a question mark in place of a character that standard output cannot hold: it is no reason to end."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not holds_every_character():
        sys.stdout.reconfigure(errors="replace")


def holds_every_character() -> bool:
    """Whether standard output is UTF-8. A stream without an encoding is text in memory, which holds all."""
    encoding = getattr(sys.stdout, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name == "utf-8"


def ascii_json(text: str) -> str:
    """The same JSON value in ASCII. Characters beyond it can only be inside strings."""
    return _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
