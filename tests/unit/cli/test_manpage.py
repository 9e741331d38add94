"""The manual page has every command and option, is the committed one, and troff takes it without a warning."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bench import __version__
from bench.cli.manpage import man_page
from bench.cli.program import PANELS
from bench.cli.reference import all_commands
from bench.util import proc
from bench.util.errors import EXIT_MEANINGS, ExitCode
from tests.needs import need

PAGE = Path(__file__).parents[3] / "man/boxbench.1"


def _shown(troff: str) -> str:
    """Text of the page as a reader sees it, for the escapes that occur in names."""
    return re.sub(r"\\f[BIR]", "", troff).replace("\\-", "-")


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == man_page(), "run `python -m bench.cli.manpage > man/boxbench.1`"


def test_it_has_every_command_and_every_option() -> None:
    page = _shown(man_page())
    commands = list(all_commands())
    assert {command.path for command in commands} >= {
        "boxbench",
        "boxbench gate compare",
        *(f"boxbench {name}" for entries in PANELS.values() for name in entries),
    }
    for command in commands[1:]:
        part = page.split(f'.SS "{command.path} ', 1)[1].split("\n.SS ")[0]
        for _, rows in command.sections:
            for name, _ in rows:
                assert name.startswith("-h,") or name in part.replace("\\(aq", "'"), (command.path, name)
    assert f"boxbench {__version__}" in page


def test_every_exit_code_has_its_meaning() -> None:
    assert EXIT_MEANINGS.keys() == set(ExitCode)
    page = _shown(man_page())
    assert all(f".TP\n{int(code)}\n" in page for code in ExitCode)


@pytest.mark.host
def test_troff_has_no_warning(tmp_path: Path) -> None:
    troff = shutil.which("groff")
    need(None if troff else "groff is not installed")
    assert troff is not None
    copy = tmp_path / "page"
    copy.write_text(man_page())
    done = proc.run([troff, "-man", "-ww", "-z", "-Tutf8", copy], timeout_s=60)
    assert done.stderr == b""
