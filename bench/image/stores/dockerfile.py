"""What can be seen in a Dockerfile before it is built: its syntax line, and instructions that need BuildKit."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_DIRECTIVE: Final = re.compile(r"^\s*(?:#|//)\s*(?P<key>[A-Za-z][A-Za-z0-9]*)\s*=\s*(?P<value>.+?)\s*$")
_COMMENT: Final = re.compile(r"^\s*#")
_HEREDOC: Final = re.compile(r"""^\d*<<(?P<tabs>-?)(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<bare>[^<"'\s]+))$""")
_HEREDOC_INSTRUCTIONS: Final = ("RUN", "COPY", "ADD")
_FLAGS: Final = {
    "RUN": ("mount", "network", "security", "device"),
    "COPY": ("chmod", "link", "parents", "exclude"),
    "ADD": ("chmod", "link", "checksum", "exclude", "keep-git-dir", "unpack"),
}
"""The flags that only BuildKit has, by instruction."""
_OFFICIAL: Final = re.compile(r"^(?:[^/]+/)*docker/dockerfile(?:-upstream)?(?:[:@].*)?$")


@dataclass(frozen=True)
class Instruction:
    """One instruction with its flags, as words that keep their quotes."""

    line: int
    """Where it begins, from 1."""
    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Need:
    """Something that only BuildKit can build."""

    line: int
    what: str
    """``RUN --mount``, ``COPY with a heredoc``."""


def syntax_image(text: str) -> str | None:
    """The image that the syntax line names; None if there is none."""
    found = _syntax_line(text)
    return None if found is None else found[1].split()[0]


def is_official(image: str) -> bool:
    """Whether an image, of any registry, is by its name the language that BuildKit has built in."""
    return _OFFICIAL.match(image) is not None


def without_syntax(text: str) -> str:
    """The same Dockerfile without its syntax line. All other lines keep their numbers."""
    found = _syntax_line(text)
    if found is None:
        return text
    lines = text.splitlines(keepends=True)
    lines[found[0] - 1] = "# (the syntax line was here)\n"
    return "".join(lines)


def needs_of_buildkit(text: str) -> tuple[Need, ...]:
    """The instructions that the classic builder refuses or misunderstands, in the file's order."""
    found = [need for instruction in instructions(text) for need in _needs(instruction)]
    syntax = _syntax_line(text)
    if syntax is not None and not is_official(syntax_image(text) or ""):
        found.insert(0, Need(syntax[0], f"the syntax line's image {syntax_image(text)}"))
    return tuple(found)


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile. The lines of heredocs are no instructions."""
    lines = text.splitlines()
    escape = _escape(lines)
    at = 0
    while at < len(lines):
        start, logical = at, ""
        while at < len(lines):
            line, at = lines[at], at + 1
            if _COMMENT.match(line) or (logical and not line.strip()):
                continue  # also between the lines of one instruction
            logical += line.rstrip()
            if not logical.endswith(escape):
                break
            logical = logical[:-1]
        words = _words(logical)
        if words:
            found = Instruction(_first(lines, start) + 1, words[0].upper(), tuple(words[1:]))
            yield found
            for end, tabs in _heredocs(found):
                at = _after_heredoc(lines, at, end, tabs=tabs)


def _first(lines: list[str], start: int) -> int:
    while start < len(lines) - 1 and (_COMMENT.match(lines[start]) or not lines[start].strip()):
        start += 1
    return start


def _words(logical: str) -> list[str]:
    lexer = shlex.shlex(logical, posix=False, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:  # a quote without its end, as in `RUN echo it's`
        return logical.split()


def _needs(instruction: Instruction) -> Iterator[Need]:
    for word in instruction.words:
        if not word.startswith("--"):
            break
        flag = word[2:].partition("=")[0]
        if flag in _FLAGS.get(instruction.name, ()):
            yield Need(instruction.line, f"{instruction.name} --{flag}")
    if any(_heredocs(instruction)):
        yield Need(instruction.line, f"{instruction.name} with a heredoc")


def _heredocs(instruction: Instruction) -> Iterator[tuple[str, bool]]:
    """The words that end the heredocs of an instruction, each with whether tabs before it are ignored."""
    if instruction.name not in _HEREDOC_INSTRUCTIONS:
        return
    for word in instruction.words:
        match = _HEREDOC.match(word)
        if match:
            yield match["double"] or match["single"] or match["bare"], bool(match["tabs"])


def _after_heredoc(lines: list[str], at: int, end: str, *, tabs: bool) -> int:
    while at < len(lines):
        line, at = lines[at], at + 1
        if (line.lstrip("\t") if tabs else line) == end:
            break
    return at


def _directives(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Number, key and value of the lines at the top that are directives."""
    for number, line in enumerate(lines, 1):
        match = _DIRECTIVE.match(line.lstrip("\ufeff"))
        if match is None:
            if number == 1 and line.startswith("#!"):
                continue
            return
        yield number, match["key"].lower(), match["value"]


def _syntax_line(text: str) -> tuple[int, str] | None:
    for number, key, value in _directives(text.splitlines()):
        if key == "syntax":
            return number, value
    return None


def _escape(lines: list[str]) -> str:
    for _, key, value in _directives(lines):
        if key == "escape" and value in ("`", "\\"):
            return value
    return "\\"
