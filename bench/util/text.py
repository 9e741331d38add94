"""Text of guests and tools as it may be shown on a terminal: nothing in it moves, colours, hides or reorders."""

from __future__ import annotations

import re
from typing import Final

# ANSI sequences whole, so that "\x1b[31m" does not leave "[31m" behind.
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# Controls, and the marks that reorder or hide text: what a guest says must look like what it says.
_INVISIBLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def plain(text: str) -> str:
    """On one line: escapes taken out, every other control and invisible character a blank, no lone surrogates."""
    shown = _INVISIBLE.sub(" ", _ESCAPES.sub("", text))
    # Lone surrogates come from undecodable bytes and cannot be written to a UTF-8 file.
    return shown.encode("utf-8", "replace").decode("utf-8")


def plain_lines(text: str) -> str:
    """The same line by line: line ends stay."""
    # By line ends proper: splitlines would also make lines at characters that are to become blanks.
    return "\n".join(plain(line.removesuffix("\r")) for line in text.split("\n"))
