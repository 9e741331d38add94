"""The plain progress output of ``docker buildx build``, read line by line.

Every line of a step begins with the step's number, so what a RUN step prints cannot be taken for anything else.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from bench.image.stores.base import Log

TAIL_LINES: Final = 30
_STEP: Final = re.compile(r"^#(?P<number>\d+) (?P<rest>.*)$")
_OUTPUT: Final = re.compile(r"^\d+\.\d+ ?(?P<text>.*)$")
_SIZE: Final = re.compile(r"\d[kMG]?i?B\b")
_FRONTEND: Final = re.compile(r"^docker-image://(?P<image>\S+@sha256:[0-9a-f]{64})$")
_PLACE: Final = re.compile(r"^(?P<file>\S.*):(?P<line>\d+)$")
_RULE: Final = re.compile(r"^-{6}$")
_RESOLVING: Final = "resolve image config for"


class Progress:
    """What a build has said so far.

    Attributes:
        frontend: the image with its digest that read the Dockerfile; empty if it was the builder itself.
        lines: the last lines that steps have printed.
    """

    def __init__(self, log: Log) -> None:
        # Indented, as lines that a log without details leaves out.
        self._log: Log = lambda text: log(f"  {text}")
        self._names: dict[str, str] = {}
        self._failed = ""
        self._place = ""
        self._error: list[str] = []
        self._told = ""
        self.frontend = ""
        self.lines: deque[str] = deque(maxlen=TAIL_LINES)

    @property
    def error(self) -> str:
        """The builder's own words; empty if it has not complained."""
        return " ".join(self._error).removeprefix("failed to solve: ").strip()

    @property
    def where(self) -> str:
        """The step that failed and its line in the Dockerfile; empty if not known."""
        return " ".join(filter(None, (repr(self._failed) if self._failed else "", self._place and f"({self._place})")))

    @property
    def lacks_frontend(self) -> bool:
        """Whether the build failed because the image of the syntax line could not be had."""
        return bool(self._error) and self._failed.startswith(_RESOLVING)

    def read(self, line: str) -> None:
        """Take one line of the output, without its end."""
        match = _STEP.match(line)
        if match:
            self._read_step(match["number"], match["rest"])
        elif line.startswith("ERROR: "):
            self._error = [line.removeprefix("ERROR: ")]
        elif self._error and line.strip():
            self._error.append(line.strip())
        elif self._told:
            self._read_summary(line)
        elif _RULE.match(line):
            self._told = "rule"

    def _read_summary(self, line: str) -> None:
        """The summary of a failure: a rule, the step's name and last output, a rule, the place in the Dockerfile."""
        if _RULE.match(line):
            self._told = "rule"
        elif self._told == "rule" and line.startswith(" > "):
            self._told = "name"
        elif self._told == "rule" and (match := _PLACE.match(line)):
            self._place, self._told = f"{match['file']}:{match['line']}", ""

    def _read_step(self, number: str, rest: str) -> None:
        name = self._names.get(number)
        if name is None:
            self._names[number] = rest
            self._begin(number, rest)
        elif rest.startswith("ERROR: "):
            self._failed = self._failed or name
        elif rest == "CACHED":
            self._log(f"{name}: as before, from the builder's cache")
        elif match := _OUTPUT.match(rest):
            self.lines.append(match["text"])
            self._log(match["text"])
        elif _SIZE.search(rest):
            self._log(f"{name}: {rest}")

    def _begin(self, number: str, name: str) -> None:
        if found := _FRONTEND.match(name):
            self.frontend = found["image"]
        if number != "0" and not name.startswith("[internal]"):
            self._log(name)
