"""The commands of guides that need no engine run as they stand there, and make the files that the page names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from bench.util.errors import ExitCode
from tests.commands import boxbench

_ROOT: Final = Path(__file__).parents[3]
_PAGES: Final = _ROOT / "docs"
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WITH_ENGINES: Final = ("run", "resume", "init", "gate")


def _commands(page: str) -> list[list[str]]:
    """The words of every command of Boxbench on a page, without those that start boxes."""
    text = (_PAGES / page).read_text(encoding="utf-8")
    lines = [shlex.split(line, comments=True) for block in _BLOCK.findall(text) for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["boxbench"] and words[1] not in _WITH_ENGINES]


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("tutorial/first-report.md", ["first/index.html"]),
        (
            "tutorial/your-first-talk.md",
            ["talk/deck.html", "figures/01-ladder-ladder.talk.svg", "figures/04-ladder-phases.talk.svg"],
        ),
        ("how-to/export.md", ["boots.csv", "cpu.csv", "hyperfine.json"]),
    ],
)
def test_the_commands_make_what_the_page_names(
    page: str, made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").symlink_to(_ROOT / "reports")
    text = (_PAGES / page).read_text(encoding="utf-8")
    codes = [boxbench(monkeypatch, *words) for words in _commands(page)]
    assert len(codes) > 1
    assert set(codes) == {ExitCode.OK}
    assert [name for name in made if not (tmp_path / name).is_file() or name not in text] == []
