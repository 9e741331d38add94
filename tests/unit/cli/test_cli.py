"""The command line: every expected error is one paragraph and its exit code; help is plain and quick."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bench import cli
from bench.cli.console import print_json
from bench.cli.messages import complain
from bench.cli.program import make_program
from bench.history.store import DirectoryStore, add_line
from bench.scenario.target_table import TARGETS
from bench.util.errors import BoxbenchError, ExitCode
from bench.util.package_data import scenarios_dir, shipped_scenarios
from tests.factories import make_manifest, make_records, write_campaign
from tests.histories import make_history

COMMANDS_WITH_TARGETS = ("run", "plan", "certify", "anatomy", "floor", "instructions")


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` takes SIGTERM and SIGHUP, which pytest must keep."""
    monkeypatch.setattr("signal.signal", lambda *_: None)


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run `boxbench WORDS`; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["boxbench", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == ExitCode.OK
    assert capsys.readouterr().out.startswith("boxbench ")


@pytest.mark.parametrize(
    "words", [("--help",), ("-h",), ("run", "--help"), ("clean", "-h"), ("report", "-h"), ("simulate", "fit", "-h")]
)
def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert call(monkeypatch, *words) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "Usage: boxbench" in shown
    # No Python types: `DIR`, not `DIR <list[str]>`.
    assert " <" not in shown


def test_a_cache_that_cannot_be_used_is_one_error_of_targets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    assert call(monkeypatch, "targets") == ExitCode.HOST_UNFIT
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"boxbench: {tmp_path / 'cache'} is not a directory\n")
    assert "set BOXBENCH_CACHE" in said.err


def test_targets_as_json_have_needs_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.cli.targets.availability", lambda _engines: dict.fromkeys(TARGETS, "why not"))
    assert call(monkeypatch, "targets", "--json") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert list(found) == list(TARGETS)
    assert found["docker"]["unavailable"] == "why not"
    assert found["docker"]["needs"] == "Docker"
    assert found["docker"]["options"]["seccomp"] == {
        "values": [True, False],
        "meaning": "whether the engine's filter of system calls is on",
    }
    assert found["runc"]["options"]["program"]["values"] == []


@pytest.mark.parametrize("words", [("fly",), ("run",), ("run", "hello", "--blocks", "0"), ("run", "--nope", "x")])
def test_usage_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: Any) -> None:
    assert call(monkeypatch, *words) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.err.startswith("boxbench: ")
    assert "\n  → " in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "hello", "-b", "x"), "'--blocks' / '-b': must be a whole number (given: 'x')"),
        (("run", "hello", "-b", "0"), "'--blocks' / '-b': must be at least 1 (given: '0')"),
        (("plan", "hello", "-b", "99999999999"), "'--blocks' / '-b': must be at most 10000 (given: '99999999999')"),
        (("run", "hello", "-o", "out-\udcff"), "the argument 'out-?' is not UTF-8 text"),
        (("instructions", "hello", "--band", "0.1"), "--band: '0.1' has no percent sign"),
        (("instructions", "hello", "--band", "x%"), "--band: 'x%' is not a change"),
        (("run", "hello", "--accel", "nope"), "there is no accelerator 'nope'"),
        (("quickstart", "--accel", "icount"), "counts instructions instead of time"),
        *(((name, "hello", "-t", ""), "-t names no target") for name in COMMANDS_WITH_TARGETS),
        (("run", "hello", "-t", "docker, "), "-t 'docker, ' has a comma without a target"),
        (("figures", "c", "-t", ",docker"), "-t ',docker' has a comma without a target"),
        (("plan", "hello", "-t", "docker[nope=1]"), "target 'docker' has no option 'nope'"),
        (("run", "hello", "-t", "process", "--no-root-control"), "leaves out its only target, process"),
        (("plan", "hello", "hello"), "two scenarios are both called 'hello'"),
        (("explain", ":web/docker", "Q"), "A needs a directory: DIR:web/docker"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert call(monkeypatch, *words) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert said in err
    assert "checking" not in err


@pytest.mark.parametrize("words", [(), ("history",), ("gate",)])
def test_without_a_command_the_help_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert call(monkeypatch, *words) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.err.startswith("Usage: boxbench")
    assert "→" not in said.err


def test_the_list_of_commands_fits_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call(monkeypatch, "--help") == ExitCode.OK
    text = capsys.readouterr().out
    assert "instructions  " in text
    assert "..." not in text.partition("Options:")[2]
    assert max(map(len, text.splitlines())) <= 80


def commands() -> list[tuple[str, ...]]:
    """Every command, those of groups included."""
    found: list[tuple[str, ...]] = []
    for name, command in make_program().commands.items():
        inner = getattr(command, "commands", {})
        found += [(name,), *((name, one) for one in inner)]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_help_of_every_command_fits_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call(monkeypatch, *words, "--help") == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Usage: boxbench {' '.join(words)}")
    assert max(map(len, lines)) <= 80
    assert "default: None" not in "\n".join(lines)


@pytest.mark.parametrize(
    "words", [("--help",), ("gate", "--help"), ("history", "--help"), ("fly",), ("gate", "a", "b")]
)
def test_help_and_mistakes_import_no_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    imported: list[str] = []

    def note(name: str) -> Any:
        imported.append(name)
        return import_module(name)

    monkeypatch.setattr("bench.cli.lazy.import_module", note)
    assert call(monkeypatch, *words) in (ExitCode.OK, ExitCode.USAGE)
    shown = capsys.readouterr()
    assert shown.out or shown.err
    assert all(name.endswith(".group") for name in imported)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("scenarios",), ExitCode.OK),
        (("report", "c"), ExitCode.OK),
        (("gate", "bounds", "b.toml", "c"), ExitCode.REGRESSION),
        (("gate", "bounds", "b.toml", "c", "--json"), ExitCode.REGRESSION),
    ],
)
def test_a_closed_pipe_is_no_error_and_keeps_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: tuple[str, ...],
    expected: ExitCode,
) -> None:
    manifest = make_manifest()
    write_campaign(tmp_path / "c", manifest, make_records(manifest))
    (tmp_path / "b.toml").write_text('[[bound]]\ntarget = "docker"\nmetric = "endpoint.ready"\nmax = "1ns"\n')
    monkeypatch.chdir(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    with contextlib.suppress(BrokenPipeError), open(writing, "w", encoding="utf-8", buffering=1) as gone:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", gone)
        code = call(monkeypatch, *words)
        # What stands in for it would be open until the program ends, and a test is not the program.
        sys.stdout.close()
    assert code == expected
    assert capsys.readouterr().err == ""


def test_an_export_goes_to_the_file_that_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Devices have no suffix, and neither has a file made by mktemp; what is not there yet is a directory."""
    manifest = make_manifest()
    write_campaign(tmp_path / "c", manifest, make_records(manifest))
    monkeypatch.chdir(tmp_path)
    Path("there").touch()
    for place, file in (("there", "there"), ("folder", "folder/boots.csv")):
        assert call(monkeypatch, "export", "c", "-f", "csv", "-o", place) == ExitCode.OK
        assert capsys.readouterr().out == f"{file}\n"
        assert Path(file).read_text(encoding="utf-8").startswith("campaign,")
    # The name of a device would stand behind the content on a terminal.
    assert call(monkeypatch, "export", "c", "-f", "csv", "-o", "/dev/null") == ExitCode.OK
    assert capsys.readouterr().out == ""
    assert call(monkeypatch, "export", "c", "-f", "csv", "-o", "/dev/full") == ExitCode.USAGE
    assert "/dev/full cannot be written: No space left on device" in capsys.readouterr().err


def test_a_stream_that_is_closed_gets_nothing_and_neither_does_the_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for stream, words, code in (("stdout", ("--version",), ExitCode.OK), ("stderr", ("fly",), ExitCode.USAGE)):
        with monkeypatch.context() as closed:
            closed.setattr(sys, stream, None)
            assert call(closed, *words) == code
            getattr(sys, stream).close()
        assert capsys.readouterr() == ("", "")


def test_a_locale_without_our_characters_shows_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert call(monkeypatch, "published", "-t", "docker") == ExitCode.OK
    assert b"start: from a request until something in the box has run" in raw.getvalue()
    assert b"?" in raw.getvalue()


def test_json_is_the_same_value_in_a_locale_without_its_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    print_json({"é→": "🦀 \\ ×"})
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode("ascii")) == {"é→": "🦀 \\ ×"}


@pytest.mark.parametrize("words", [("--version",), ("schema",), ("published",)])
def test_a_full_disk_under_the_output_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Of little output the system says so when the program ends, of much output earlier."""
    with contextlib.suppress(OSError), open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        code = call(monkeypatch, *words)
        sys.stdout.close()
    assert code == ExitCode.ERROR
    said = capsys.readouterr().err
    assert said.count("boxbench: ") == 1
    assert "No space left on device" in said


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("fly",), "`boxbench --help` lists the commands"),
        (("run", "hello", "--seed"), "`boxbench run --help` lists its arguments and options"),
        (("run",), "`boxbench run --help` lists its arguments and options"),
        (("gate", "compare"), "`boxbench gate compare --help` lists its arguments and options"),
    ],
)
def test_a_usage_error_names_the_help_to_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], hint: str
) -> None:
    assert call(monkeypatch, *words) == ExitCode.USAGE
    assert capsys.readouterr().err.endswith(f"\n  → {hint}\n")


def test_a_path_that_looks_like_an_option_is_answered_with_how_to_type_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "-a b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "run", "-a b", "-t", "docker") == ExitCode.USAGE
    assert capsys.readouterr().err.endswith(" lists its arguments and options; write the path as './-a b'\n")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--nada", "-b", "5"), ""),  # -b is an option, though there is such a file
        (("--nope",), "; write the path as ./--nope"),
        (("-qz",), "; write the path as ./-qz"),
        (("-z\x1b",), ""),  # what is printed would not be its name
    ],
)
def test_only_the_unknown_option_is_taken_for_a_path(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: tuple[str, ...],
    named: str,
) -> None:
    for name in ("-b", "--nope", "-qz", "-z\x1b"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "run", *words) == ExitCode.USAGE
    assert capsys.readouterr().err.endswith(f" lists its arguments and options{named}\n")


def test_schema_is_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "schema") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["title"] == "Boxbench scenario"


def test_scenarios_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "scenarios", "--json") == ExitCode.OK
    assert {entry["name"] for entry in json.loads(capsys.readouterr().out)} == set(shipped_scenarios())


def test_plan_is_repeatable(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for _ in range(2):
        assert call(monkeypatch, "plan", str(scenarios_dir() / "hello"), "--seed", "3", "-b", "2") == ExitCode.OK
        outputs.append(capsys.readouterr())
    assert outputs[0].out == outputs[1].out
    blocks = [line.partition("  block ")[2].split()[0] for line in outputs[0].out.splitlines()]
    assert blocks == ["1"] * 3 + ["2"] * 3 + ["3"] * 3
    assert outputs[0].err == "seed 3: give it to run with --seed 3\n"


@pytest.mark.parametrize("command", ["run", "plan", "anatomy", "instructions"])
def test_a_seed_below_zero_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The generators of random numbers take none, and would say so only at the end."""
    assert call(monkeypatch, command, "hello", "--seed", "-1") == ExitCode.USAGE
    assert "'--seed': must be at least 0 (given: '-1')" in " ".join(capsys.readouterr().err.split())


def test_a_plan_prints_its_random_seed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "plan", "hello", "-b", "1", "--json") == ExitCode.OK
    drawn = json.loads(capsys.readouterr().out)
    assert call(monkeypatch, "plan", "hello", "-b", "1", "--json", "--seed", str(drawn["seed"])) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == drawn
    assert len(drawn["trials"]) == 6


def test_a_plan_without_the_root_control(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "plan", "hello", "-b", "1", "-t", "runc", "--no-root-control", "--json") == ExitCode.OK
    trials = json.loads(capsys.readouterr().out)["trials"]
    assert {trial["cell"]["target"] for trial in trials} == {"runc"}
    assert call(monkeypatch, "plan", "hello", "-b", "1", "-t", "runc", "--json") == ExitCode.OK
    trials = json.loads(capsys.readouterr().out)["trials"]
    assert {trial["cell"]["target"] for trial in trials} == {"runc", "process"}


def test_a_report_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    manifest = make_manifest()
    write_campaign(tmp_path / "c", manifest, make_records(manifest))
    assert call(monkeypatch, "report", str(tmp_path / "c"), "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["campaign"] == manifest.id
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"manifest.json", "records.jsonl"}


def test_a_damaged_record_is_named_beside_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    manifest = make_manifest()
    write_campaign(tmp_path / "c", manifest, make_records(manifest))
    records = tmp_path / "c/records.jsonl"
    lines = records.read_bytes().splitlines(keepends=True)
    records.write_bytes(b"".join([*lines[:3], b'{"damaged\x1b[31m\n', *lines[4:]]))
    monkeypatch.setattr("warnings.filters", [])
    assert call(monkeypatch, "report", str(tmp_path / "c"), "--json") == ExitCode.OK
    said = capsys.readouterr()
    assert said.err.startswith(f"warning: {tmp_path / 'c'}: records.jsonl:4: not a record")
    assert len(said.err.splitlines()) == 1
    assert json.loads(said.out)["notes"][-1].startswith("records.jsonl:4: not a record")


@pytest.mark.parametrize(
    ("threshold", "code"),
    [("2%", ExitCode.REGRESSION), ("0.02", ExitCode.REGRESSION), ("20%", ExitCode.OK), ("5", ExitCode.USAGE)],
)
def test_the_threshold_of_a_history_is_a_share_or_per_cent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threshold: str, code: ExitCode
) -> None:
    for line in make_history([100.0] * 20 + [108.0] * 20):
        add_line(DirectoryStore(tmp_path / "h"), line)
    assert call(monkeypatch, "history", "check", "--dir", str(tmp_path / "h"), "--threshold", threshold) == code


@pytest.mark.parametrize("words", [("export", "x" * 300, "-f", "csv"), ("gate", "aa", "x" * 300)])
def test_an_error_of_the_system_is_an_error_with_its_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert call(monkeypatch, *words) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert said.startswith("boxbench: xxx")
    assert ": File name too long\n  → check the path" in said


def test_links_that_lead_to_each_other_are_an_error_with_their_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for words in (("slides", "a", "-f", "html"), ("resume", "a")):
        monkeypatch.chdir(tmp_path)
        assert call(monkeypatch, *words) == ExitCode.ERROR
        said = capsys.readouterr().err
        assert "Too many levels of symbolic links\n  → check the path" in said
        assert "/a" in said


@pytest.mark.parametrize(
    "words",
    [
        ("report", ""),
        ("resume", " "),
        ("slides", "", "-f", "html"),
        ("figures", ""),
        ("export", "", "-f", "csv"),
        ("compare", "c", ""),
    ],
)
def test_an_empty_path_is_not_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    manifest = make_manifest()
    write_campaign(tmp_path / "c", manifest, make_records(manifest))
    monkeypatch.chdir(tmp_path / "c")
    before = sorted(tmp_path.rglob("*"))
    assert call(monkeypatch, *words) == ExitCode.USAGE
    assert "an empty path names nothing\n  → check the variable that it comes from" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_markup_in_a_value_is_printed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "run", "[bold]x[/bold]") == ExitCode.USAGE
    assert "[bold]x[/bold]" in capsys.readouterr().err


def test_an_error_keeps_its_lines_but_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    complain("2 problems:\nfile:1:  \x1b[31mred\x1b[0m\nfile:2: \x9b5m\r\u202e.", "mend\x07 it")
    assert capsys.readouterr().err == "boxbench: 2 problems:\n    file:1:  red\n    file:2:  5m  .\n  → mend  it\n"


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted before a trial began"),
        (BoxbenchError("it broke", hint="mend it"), ExitCode.ERROR, "boxbench: it broke\n  → mend it\n"),
    ],
)
def test_interrupts_and_expected_errors_end_with_their_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    code: ExitCode,
    words: str,
) -> None:
    def breaks() -> None:
        raise raised

    monkeypatch.setattr("bench.cli.scenarios.scenario_schema", breaks)
    assert call(monkeypatch, "schema") == code
    assert words in capsys.readouterr().err


def test_an_interrupted_command_without_boxes_speaks_of_its_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_target: str, _metric: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.published.select", interrupted)
    assert call(monkeypatch, "published") == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.startswith("boxbench: interrupted; each file is written whole or stays as it was\n")


def test_an_interrupt_during_the_report_says_how_to_write_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All trials are recorded then, so "start again" would be the wrong advice."""

    def interrupted(_campaign: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.run.read_manifest", lambda _campaign: None)
    monkeypatch.setattr("bench.cli.run.stored_scenarios", lambda *_: ())
    monkeypatch.setattr("bench.cli.run.resume_campaign", lambda *_, **_more: ())
    monkeypatch.setattr("bench.cli.report.write_and_show", interrupted)
    assert call(monkeypatch, "resume", "done") == ExitCode.INTERRUPTED
    err = capsys.readouterr().err
    assert "the trials of done are complete\n  → write the report with `boxbench report done`" in err


def test_a_resumed_campaign_ends_with_the_code_of_all_its_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest()
    for name, troubles, code in (("good", False, ExitCode.OK), ("bad", True, ExitCode.PARTIAL)):
        place = write_campaign(tmp_path / name, manifest, make_records(manifest, troubles=troubles))
        monkeypatch.setattr("bench.cli.run.resume_campaign", lambda *_, **_more: ())
        monkeypatch.setattr("bench.cli.report.write_and_show", lambda _campaign: None)
        assert call(monkeypatch, "resume", str(place)) == code
        said = capsys.readouterr()
        assert "no trial remained to be run" in said.out
        assert ("gave no result" in said.err) == troubles


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bench.cli.scenarios.scenario_schema", breaks)
    monkeypatch.setattr(sys, "argv", ["boxbench", "schema"])
    with pytest.raises(ZeroDivisionError):
        cli.main()
