"""The generated pages of the reference are current, and say what the program does."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from bench.gate.model import GateResult
from bench.history.line import Line
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.scenario.model import Scenario
from bench.scenario.option_meanings import MEANINGS, option_meaning
from bench.scenario.schema import scenario_schema
from bench.scenario.target_table import TARGETS
from bench.util.errors import EXIT_DETAILS, EXIT_MEANINGS, ExitCode
from bench.util.field_docs import field_docs, models_in
from tests.docs_check import cli_commands
from tests.docs_reference import __main__ as program
from tests.docs_reference import pages
from tests.docs_reference.markdown import MADE, shown, table


def test_every_page_is_current() -> None:
    # When this fails: python -m tests.docs_reference
    assert pages.stale() == []


def test_every_page_says_how_it_is_made() -> None:
    assert [name for name, text in pages.texts().items() if MADE not in text] == []


def test_check_names_a_page_that_is_not_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages, "PLACE", tmp_path)
    monkeypatch.setattr(program, "PLACE", tmp_path)
    assert program.main([]) == 0
    assert program.main(["--check"]) == 0
    (tmp_path / "exit-codes.md").write_text("old\n", encoding="utf-8")
    (tmp_path / "commands.md").unlink()
    assert program.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert [f"{tmp_path / name}: out of date" in said for name in pages.PAGES] == [
        name in ("exit-codes.md", "commands.md") for name in pages.PAGES
    ]


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--chekc"]) == 2
    assert "--chekc" in capsys.readouterr().err


def test_text_is_shown_as_it_is() -> None:
    assert shown("a <b> [c] `d_*` e_f\n *g*") == "a \\<b\\> \\[c\\] `d_*` e\\_f \\*g\\*"


def test_a_cell_cannot_end_itself() -> None:
    assert list(table(("x",), [("a|b",)])) == ["| x |", "| :-- |", "| a\\|b |", ""]
    assert list(table(("x",), [])) == []


def test_every_command_and_option_is_on_the_page() -> None:
    text = pages.texts()["commands.md"]
    for name, options in cli_commands().items():
        assert not name or f"\n## boxbench {name}\n" in text
        missing = [option for option in options if option.startswith("--") and option not in text]
        assert not [option for option in missing if option != "--version"], name


def test_a_default_of_several_parts_is_whole() -> None:
    text = pages.texts()["commands.md"]
    assert "| 5; with --replay all | 1 to 10000 |" in text
    assert "| as many as --detect needs; 5 runs | 1 to 10000 |" in text


def test_a_gate_says_which_metrics_it_judges() -> None:
    judged = [row for row in pages.texts()["commands.md"].splitlines() if row.startswith("| `-m, --metric METRIC`")]
    assert judged
    assert all("| headline, load test, memory, CPU, disk |" in row for row in judged)


def test_every_key_of_a_scenario_is_on_its_page_with_a_meaning() -> None:
    schema = scenario_schema()
    text = pages.texts()["scenario-keys.md"]
    for name, part in {"": schema, **schema["$defs"]}.items():
        for key, said in part["properties"].items():
            assert said.get("description"), f"{name}.{key} has no text below it"
            assert "const" in said or f"{key}` | " in text, f"{name}.{key}"


def test_every_option_of_a_target_has_a_meaning_and_every_meaning_an_option() -> None:
    named = {(target, option) for target, info in TARGETS.items() for option in info.options}
    assert all(option_meaning(target, option) for target, option in named)
    assert {name for name in MEANINGS if "." not in name} <= {option for _target, option in named}
    assert {tuple(name.split(".")) for name in MEANINGS if "." in name} <= named


@pytest.mark.parametrize("root", [Record, Manifest, GateResult, Line], ids=lambda root: root.__name__)
def test_every_field_that_programs_read_has_a_meaning(root: type[BaseModel]) -> None:
    models = models_in(root, without=(Scenario,))
    missing = [
        f"{model.__name__}.{name}" for model in models for name in model.model_fields if not field_docs(model).get(name)
    ]
    assert missing == []
    text = pages.texts()["records.md"]
    assert [model.__name__ for model in models[1:] if f"\n### {model.__name__}\n" not in text] == []


def test_every_exit_code_has_a_meaning_and_details_name_commands() -> None:
    known = cli_commands()
    assert set(EXIT_MEANINGS) == set(ExitCode)
    for details in EXIT_DETAILS.values():
        for commands, meaning in details:
            assert meaning
            assert [command for command in commands if command.partition(" --")[0] not in known] == []
