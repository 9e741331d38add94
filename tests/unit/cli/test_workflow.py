"""Under GitHub's runner nothing that a box says is a command to the runner, whatever command prints it."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import cli
from bench.cli.workflow import SafeStream, apart, apart_in_file, apart_in_json
from bench.gate.model import RESULT, Verdict
from bench.records.record import Record
from bench.util.errors import NotReadyError
from tests.factories import make_manifest, make_records, write_campaign
from tests.gates import edit, failed, install, of_side, scenario_at
from tests.unit.export.test_gate import make_gate, make_row

EVIL: Final = "down\n::error file=x.py::forged\n   ::add-mask::a\r##[error]forged\u2028::set-output name=a::b ::: ###["
COMMAND: Final = re.compile(r"::|##\[")

Run = Callable[..., str]


@pytest.fixture(autouse=True, scope="module")
def _signals() -> Iterator[None]:
    """`main` takes signals, which pytest and the tests after these must keep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("signal.signal", lambda *_: None)
        yield


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command under the runner; returns all that it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    def call(*words: str | Path, stderr: bool = True) -> str:
        before = sys.stdout, sys.stderr
        monkeypatch.setattr(sys, "argv", ["boxbench", *map(str, words)])
        with pytest.raises(SystemExit):
            cli.main()
        assert (sys.stdout, sys.stderr) == before
        printed = capsys.readouterr()
        return printed.out + (printed.err if stderr else "")

    return call


def hostile(record: Record) -> Record:
    return failed(record, message=EVIL, code="NotReadyError") if of_side("b")(record) else record


def test_a_gate_whose_guest_forges_commands(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, hostile)
    scenario_at(tmp_path / "made", targets=["docker"])
    said = run("gate", "compare", "made", "./made", "-o", "g")
    assert "forged" in said
    assert not COMMAND.search(said)
    said = run("gate", "judge", "g", "--json", stderr=False)
    assert not COMMAND.search(said)
    rows = json.loads(said)["rows"]
    assert any("::error file=x.py::forged" in row["reason"] for row in rows), "JSON keeps what was said"
    for name in ("junit", "summary"):
        said = run("export", "g", "--format", name)
        assert "forged" in said
        assert not COMMAND.search(said)
    # What boxes have said is encoded in the commands themselves.
    lines = run("export", "g", "--format", "annotations").splitlines()
    assert lines
    assert all(re.match(r"::(error|warning|notice) title=[^:]*::", line) for line in lines)


def test_a_campaign_whose_guest_forges_commands(run: Run, tmp_path: Path) -> None:
    manifest = make_manifest(("hello",), blocks=5)
    records = [
        edit(record, outcome="ok", doubts=(EVIL,), inside={"kernel": EVIL})
        for record in make_records(manifest, troubles=False)
    ]
    write_campaign(tmp_path / "c", manifest, [failed(records[0], message=EVIL), *records[1:]])
    said = run("report", "c")
    assert "forged" in said
    assert not COMMAND.search(said)


def test_an_error_and_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(error: Exception) -> None:
        def broken(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("bench.cli.make_program", lambda: broken)

    fail(NotReadyError(EVIL, hint=EVIL))
    said = run("report", "c")
    assert not COMMAND.search(said)
    # Further lines of a message cannot look like one of ours.
    assert [line for line in said.splitlines() if line and not line.startswith((" ", "boxbench: "))] == []
    fail(RuntimeError(EVIL))
    outside = sys.stdout, sys.stderr
    with pytest.raises(RuntimeError) as caught:
        cli.main()
    # Python prints the traceback after the end of main.
    sys.excepthook(caught.type, caught.value, caught.tb)
    sys.stdout, sys.stderr = outside
    said = capsys.readouterr().err
    assert "forged" in said
    assert not COMMAND.search(said)


def test_elsewhere_text_stays_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a::b" not in run("report", "a::b")
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert "a::b" in run("report", "a::b")


@given(pieces=st.lists(st.text(alphabet=":#[\nab", max_size=6), max_size=12))
def test_no_command_comes_from_pieces(pieces: list[str]) -> None:
    inner = io.StringIO()
    stream = SafeStream(inner)
    for piece in pieces:
        assert stream.write(piece) == len(piece)
    assert not COMMAND.search(inner.getvalue())
    assert inner.getvalue().replace("\u200b", "") == "".join(pieces)


@given(text=st.text(alphabet=':#["\\\nab', max_size=30))
def test_json_keeps_its_content(text: str) -> None:
    safe = apart_in_json(json.dumps({text: [text]}, ensure_ascii=False, separators=(",", ":")))
    assert not COMMAND.search(safe)
    assert json.loads(safe) == {text: [text]}


def test_exports_keep_their_content() -> None:
    assert ElementTree.fromstring(apart_in_file("a.xml", b"<a b='::'>##[x ::: </a>")).text == "##[x ::: "
    assert apart_in_file("a.parquet", b"::##[") == b"::##["
    assert apart_in_file("a.csv", b"x::y") == apart("x::y").encode()


def test_the_verdict_file_is_not_changed(run: Run, tmp_path: Path) -> None:
    """Only what is printed is taken apart: files are data."""
    result = make_gate(make_row(Verdict.CANNOT_TELL, 1.0).model_copy(update={"reason": EVIL}))
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
    run("export", "g", "--format", "junit", "--out", "j.xml")
    assert b"::error" in (tmp_path / "j.xml").read_bytes()
