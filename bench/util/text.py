"""Text from boxes and tools, made safe to print: without escape sequences, control or invisible characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

MOST_LISTED: Final = 20
"""How many problems an error lists."""

# Whole ANSI sequences: removing only the escape character would leave "[31m".
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# Control characters, and those that hide or reorder text, such as zero-width and bidirectional marks. XML has no place
# for the last two, which are no characters.
_HIDING: Final = "\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
_INVISIBLE: Final = re.compile(f"[\x00-\x1f{_HIDING}]")
# JSON escapes what is below U+0020 in texts, and line breaks are part of its layout. Surrogates cannot be printed.
_IN_JSON: Final = re.compile(f"[{_HIDING}\ud800-\udfff]")

# As container engines and their tools write it where no terminal is.
_LOGGED: Final = re.compile(r'level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r'\\(["\\])')
_LONG_WORD: Final = re.compile(r"(\S{200})\S{200,}(\S{100})")


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A question that names the most similar one, large letters or small; empty when none is similar."""
    names = {name.casefold(): name for name in reversed(list(known))}
    near = get_close_matches(given.casefold(), names, n=1)
    return f"did you mean {names[near[0]]!r}?" if near else ""


def meant_or_listed(given: str, known: Iterable[str], listed: str) -> str:
    """The next step after a name that nothing has: the most similar one, then the sentence that lists all."""
    return f"{did_you_mean(given, known)} {listed}".strip()


def plain(text: str) -> str:
    """The text on one line: escape sequences are removed, control and invisible characters become spaces."""
    shown = _INVISIBLE.sub(" ", _ESCAPES.sub("", text))
    # Surrogates stand for bytes that could not be decoded. They cannot be encoded as UTF-8, so they are replaced.
    return shown.encode("utf-8", "replace").decode("utf-8")


def logged(line: str) -> str:
    """The message of a line such as ``time="..." level=error msg="no such file"``; any other line as it is."""
    found = _LOGGED.search(line)
    return line if found is None else _ESCAPED.sub(r"\1", found[1])


def shortened(text: str) -> str:
    """The text with the middle of every word left out that is longer than any that a person reads."""
    return _LONG_WORD.sub(lambda found: f"{found[1]}...({len(found[0])} characters)...{found[2]}", text)


def visible_json(text: str) -> str:
    """The same JSON value; characters of its texts that move, colour or hide something on a terminal are escaped."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def first_of(texts: Sequence[str], what: str) -> list[str]:
    """At most MOST_LISTED of the texts; the last line then says how many more there are.

    Args:
        what: names them, such as ``problems``.
    """
    if len(texts) <= MOST_LISTED:
        return list(texts)
    return [*texts[:MOST_LISTED], f"... and {len(texts) - MOST_LISTED} more {what}"]


def plain_lines(text: str) -> str:
    """``plain`` applied to each line; line breaks stay."""
    # str.splitlines would also split at control characters, which become spaces here.
    return "\n".join(plain(line.removesuffix("\r")) for line in text.split("\n"))
