"""The commands of docs/how-to/fleet.md run as they stand there, with fewer draws, on a model like a calibration."""

from __future__ import annotations

import re
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from bench import cli
from bench.render.answer_tables import quantity_label
from bench.sim.fleet.numbers import UNITS
from bench.sim.model.file import write_model
from bench.util.errors import ExitCode
from tests.fleets import few_windows, without_memory
from tests.synthetic_models import make_model

_TEXT = (Path(__file__).parents[3] / "docs/how-to/fleet.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(kind: str) -> list[str]:
    return [text for name, text in _BLOCK.findall(_TEXT) if name == kind]


def _commands() -> list[list[str]]:
    lines = "".join(_blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    few_windows(monkeypatch)


@pytest.mark.parametrize("words", _commands(), ids=lambda words: words[2])
def test_every_command_ends_with_an_answer(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(Path("model.json"), without_memory(make_model(draws=4), "runc"))
    for text in _blocks("yaml"):
        head, _, _ = text.partition("\n")
        Path(head.removeprefix("# ")).write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [*words, "--draws", "2"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    assert int(end.value.code or 0) == ExitCode.OK, said.err
    assert said.out.lstrip("⚠ ").strip()
    for word, value in pairwise(words):
        if word == "-o":
            assert (tmp_path / value / "index.html").is_file()


def test_the_commands_are_found() -> None:
    assert [words[:3] for words in _commands()] == [
        ["boxbench", "simulate", "pool"],
        ["boxbench", "simulate", "pool"],
        ["boxbench", "simulate", "fleet"],
    ]


@pytest.mark.parametrize("name", UNITS)
def test_every_row_is_explained(name: str) -> None:
    """By its label, or by the part of it before a comma."""
    rows = [line.split("|")[1].strip() for line in _TEXT.splitlines() if line.startswith("| ")]
    label = quantity_label(f"fleet.{name}")
    parts = [part.strip() for row in rows for part in (row, *row.split(","))]
    assert label in parts or label.split(",")[0] in parts
