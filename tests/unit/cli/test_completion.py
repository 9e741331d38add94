"""Completion in shells: the scripts, and the answers that they ask the program for."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bench.cli.completing import complete_results, complete_scenarios, complete_shown, complete_targets
from bench.cli.completion import VARIABLE, Shell
from bench.util import proc
from bench.util.errors import ExitCode
from tests.commands import boxbench


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        (Shell.BASH, ("complete -o default -F _boxbench_completion boxbench",)),
        (Shell.ZSH, ("#compdef boxbench", "compdef _boxbench_completion boxbench", "== _boxbench ]]")),
        (Shell.FISH, ("complete --command boxbench",)),
    ],
)
def test_every_shell_has_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: Shell, words: tuple[str, ...]
) -> None:
    assert boxbench(monkeypatch, "completion", shell.value) == ExitCode.OK
    script = capsys.readouterr().out
    assert all(word in script for word in (*words, f"{VARIABLE}=complete_{shell.value}"))


def test_another_shell_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert boxbench(monkeypatch, "completion", "ksh") == ExitCode.USAGE
    assert "'ksh' is not one of 'bash', 'zsh', 'fish'" in capsys.readouterr().err


_ASKED = {
    "complete_bash": lambda words, last: {"COMP_WORDS": " ".join((*words, last)), "COMP_CWORD": str(len(words))},
    "complete_zsh": lambda words, last: {"_TYPER_COMPLETE_ARGS": " ".join((*words, last))},
    "complete_fish": lambda words, last: {
        "_TYPER_COMPLETE_ARGS": " ".join((*words, last)),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    },
}


@pytest.mark.parametrize("instruction", _ASKED)
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("qu", ("quickstart", "doctor", 0)),
        ("gate ", ("judge", "quickstart", 0)),
        ("run --bl", ("--blocks", "--seed", 1)),
        ("history check --js", ("--json", "--seed", 1)),
        ("completion f", ("fish", "zsh", 1)),
        ("run -t docker,lib", ("docker,libvirt", "podman", 1)),
        ("run hel", ("hello", "redis", 1)),
        ("gate compare hel", ("hello", "redis", 1)),
        ("figures --style paper-", ("paper-wide", "talk", 1)),
        ("slides -f html,p", ("html,pptx", "marp", 1)),
        ("figures -t docker,lib", ("docker,libvirt", "podman", 1)),
        ("published --metric me", ("memory", "start", 1)),
        ("export -f par", ("parquet", "csv", 1)),
        ("run --accel t", ("tcg", "kvm", 1)),
        ("run --pull al", ("always", "never", 1)),
        ("run --profile f", ("full", "quick", 1)),
        ("explain /us", ("/usr", "/var", 1)),
    ],
)
def test_the_answers_to_a_shell(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    instruction: str,
    line: str,
    answer: tuple[str, str, int],
) -> None:
    """What is offered, what is not, and how many commands are imported for it: a Tab must take no second."""
    offered, other, commands = answer
    imported: list[str] = []

    def note(name: str) -> Any:
        imported.append(name)
        return import_module(name)

    monkeypatch.setattr("bench.cli.lazy.import_module", note)
    monkeypatch.setenv(VARIABLE, instruction)
    *words, last = ["boxbench", *line.split(" ")]
    for name, value in _ASKED[instruction](words, last).items():
        monkeypatch.setenv(name, value)
    boxbench(monkeypatch)
    shown = capsys.readouterr().out
    assert [word in shown for word in (offered, other)] == [True, False]
    assert len([name for name in imported if not name.endswith(".group")]) == commands


def test_targets_are_completed_after_a_comma() -> None:
    assert "docker" in complete_targets("")
    found = complete_targets("docker,")
    assert "docker,libvirt" in found
    assert "docker,docker" not in found
    assert complete_targets("nonsense") == []


def test_scenarios_are_bundled_ones_and_what_may_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/compose.yaml").touch()
    (tmp_path / "shop/notes.txt").touch()
    (tmp_path / "she lf").mkdir()
    assert complete_scenarios("sh") == ["shop"]
    assert complete_scenarios("shop/") == ["shop/compose.yaml"]
    assert complete_scenarios("hell") == ["hello"]
    assert complete_scenarios("no/where") == []


def test_results_are_directories_that_have_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = ("m;touch hit", "m$(x)", "m`x`", "m'x", "m*", "m&x", "m\nx")
    names = ("reports/out/b/manifest.json", "mine/manifest.json", "gated/fresh/manifest.json", "empty/x")
    for name in (*names, *(f"{one}/manifest.json" for one in hostile), "größe/manifest.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert sorted(complete_results("")) == ["gated", "größe", "mine", "reports/out/b"]
    assert complete_results("m") == ["mine"], "a shell inserts names as they are"
    assert complete_results("reports/o") == ["reports/out/b", "reports/out"]
    assert complete_results("em") == ["empty"], "it may lead to one"


def test_what_has_slides_is_more_than_campaigns_and_gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("comparison.json", "explain.json", "floor.json", "answer.json", "results.json", "gate.json"):
        place = tmp_path / f"d-{Path(name).stem}"
        place.mkdir()
        (place / name).touch()
    (tmp_path / "d-other").mkdir()
    with_deck = ["d-answer", "d-comparison", "d-explain", "d-floor", "d-gate", "d-results"]
    assert sorted(complete_shown("d")) == with_deck
    assert complete_results("d") == ["d-gate"]


@pytest.mark.host
def test_bash_completes(tmp_path: Path) -> None:
    """The script in a real bash, whose Tab calls the program on PATH."""
    bash = shutil.which("bash")
    assert bash is not None, "bash is essential in Debian"
    program = tmp_path / "boxbench"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bench.cli "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(boxbench completion bash)"; COMP_WORDS=(boxbench gate co); COMP_CWORD=2\n'
        '_boxbench_completion boxbench; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = proc.run([bash, "--norc", "-c", script], timeout_s=60, env={"PATH": path}, keep=("PYTHONPATH",))
    assert done.text == "compare\n"
