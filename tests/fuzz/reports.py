"""Reports, made from campaigns whose texts are hostile: terminal, Markdown, HTML page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Final

from bench.analysis.analyse import analyse
from bench.cli.workflow import apart
from bench.records.campaign import read_campaign
from bench.render import html, markdown
from bench.render.script.data import report_json
from bench.render.script.policy import script
from bench.render.terminal import view_report
from bench.render.view import build_view
from tests.factories import HOSTILE
from tests.fuzz.reader import Reader
from tests.fuzz.stored import campaigns, damaged_campaign, shown, write_campaign

_HOSTILE: Final = tuple(
    text.encode("utf-8")
    for text in (
        HOSTILE,
        "<img src=x onerror=alert(1)>",
        '\\"><script>x</script>',
        "'><svg onload=x>",
        "](javascript:x) ![i](http://evil/x.png)",
        "| a | b |",
        "```\\n# head",
        "\\u001b]0;title\\u0007\\u001b[2J\\r",
        "\\n::error file=x::forged\\n##[error]forged",
        "<!-- --> &lt; {{ 7*7 }} {% raw %}",
        "\\u202e\\u2028\\u0085\\u200b",
        "[red]x[/red] [link=http://evil]y[/link]",
    )
)
_TEXTS: Final = re.compile(rb'"(?:message|hint|hostname|text|question|command|notes|kernel|cwd)": ?\[?"')


def _hostile(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """A campaign some of whose texts begin with something hostile, or one that is damaged otherwise."""
    if rng.random() < 0.3:
        return damaged_campaign(rng, seeds)
    data = rng.choice(seeds)
    places = [match.end() for match in _TEXTS.finditer(data)]
    for at in sorted(rng.sample(places, k=min(len(places), rng.randint(1, 6))), reverse=True):
        text = rng.choice(_HOSTILE)
        # The file is JSON: what is not an escape already must not end the text.
        quoted = text.replace(b"\x1b", b"\\u001b") if b"\x1b" in text else text
        data = data[:at] + quoted + data[at:]
    return data


class _Page(HTMLParser):
    """Refuses whatever a page of ours does not have. Its only scripts are its data and its own code."""

    _TAGS: Final = re.compile(r"iframe|object|embed|img|form|base")
    _DATA: Final = [("type", "application/gzip"), ("id", "x_data")]

    def __init__(self) -> None:
        super().__init__()
        self.code: str | None = None
        """The text of the element of code that is being read."""
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not self._TAGS.fullmatch(tag), f"<{tag}> in the page"
        if tag == "script" and attrs != self._DATA:
            assert not attrs, f"{attrs} in <script>"
            self.code = ""
        for name, value in attrs:
            assert not name.startswith("on"), f"{name} in <{tag}>"
            if name in ("href", "src", "xlink:href"):
                assert re.match(r"#|data:,|data:application/octet-stream;", value or ""), f"{name}={value!r:.80}"

    def handle_data(self, data: str) -> None:
        if self.code is not None:
            self.code += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self.code is not None:
            self.scripts.append(self.code)
            self.code = None


_UNESCAPED: Final = re.compile(r"(?<!\\)(?:<[A-Za-z!/]|\]\()")


def _check(data: bytes, scratch: Path) -> None:
    path = write_campaign(data, scratch)
    analysis = analyse(*read_campaign(path))
    view = build_view(analysis)
    terminal = shown(view_report(view))
    text = markdown.report(view)
    page = html.render(view, (), {}, report_json(analysis))
    for name, content in (("terminal", terminal), ("Markdown", text), ("page", page)):
        content.encode()
        bad = {letter for letter in content if letter not in "\n\t" and unicodedata.category(letter) in ("Cc", "Cs")}
        assert not bad, f"{bad!r} in the {name}"
        assert not set(content) & set("\u202e\u2028\u200b"), f"a hidden character in the {name}"
    for command in ("::", "##["):
        assert command not in apart(terminal), "a workflow command in the terminal"
    for line in _outside_fences(text):
        assert not _UNESCAPED.search(line.replace("&#8203;", "")), f"markup: {line!r:.300}"
    parsed = _Page()
    parsed.feed(page)
    assert parsed.scripts == [script()], "other scripts than the page's own"


def _outside_fences(text: str) -> list[str]:
    """The lines of Markdown that are not in a code block."""
    found, fence = [], ""
    for line in text.split("\n"):
        ticks = re.match(r"`{3,}", line)
        if ticks and not fence:
            fence = ticks[0]
        elif fence:
            fence = "" if line == fence else fence
        else:
            found.append(line)
    assert not fence, "a code block is not closed"
    return found


@cache
def _seeds() -> tuple[bytes, ...]:
    return campaigns()


READERS: Final = (Reader("report", _seeds, _hostile, _check, share=4),)
