"""Hostile scenarios and campaigns as files: values that break out of a line, a directory, a number or a name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest

from bench.host.run_directory import campaign_tag, run_root
from bench.records.campaign import read_records
from bench.records.manifest import read_manifest
from bench.scenario.model import load_scenario
from bench.util.errors import ExitCode, ScenarioError
from tests.lab import write_scenario
from tests.live.attack.verdict import Judge
from tests.live.command import refused

BASE: Final = "FROM boxbench/base-busybox:latest\n"
SLEEP: Final = BASE + 'CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]\n'
DIGITS: Final = "9" * 5000
# By what is hostile: a text of the good file, what replaces it, and what the refusal names.
FILES: Final[dict[str, tuple[str, str, str]]] = {
    "NUL in a value": ("workload:", 'workload:\n  env: {A: "x\\0y"}', "workload.env"),
    "NUL in a name": ("workload:", 'workload:\n  env: {"A\\0B": x}', "workload.env"),
    "= in a name": ("workload:", 'workload:\n  env: {"A=B": x}', "workload.env"),
    "surrogate": ("workload:", 'workload:\n  env: {A: "\\ud800"}', "scenario.yaml"),
    "name with slashes": ("name: made", "name: ../../made", "name"),
    "name with a newline": ("name: made", 'name: "made\\nx"', "name"),
    "name that is a number": ("name: made", "name: 1", "name"),
    "base with a blank": ('tag: "boxbench/base', 'tag: "--privileged boxbench/base', "workload.base.tag"),
    "many digits of memory": ("memory: 128MiB", f"memory: {DIGITS}GiB", "resources.memory"),
    "a huge memory": ("memory: 128MiB", "memory: 999999999GiB", "resources.memory"),
    "many digits of CPUs": ("cpus: 1", f"cpus: {DIGITS}", "scenario.yaml"),
    "negative blocks": ("blocks: 1", "blocks: -1", "design.blocks"),
    "very many blocks": ("blocks: 1", "blocks: 1000000000000", "design.blocks"),
    "an endless time": ("timeout: 90s", f"timeout: {DIGITS}s", "ready.timeout"),
    "infinite": ("cpus: 1", "cpus: .inf", "resources.cpus"),
    "a date as a key": ("workload:", "workload:\n  2026-01-01: x", "scenario.yaml"),
    "no date": ("name: made", "name: 2026-99-99", "not a valid timestamp"),
    "a bomb of aliases": (
        "question:",
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
        "f: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\nquestion:",
        "scenario.yaml",
    ),
    "a tag of YAML": (
        "question: ",
        'question: !!python/object/apply:os.system ["touch PROOFS/yaml"] # ',
        "scenario.yaml",
    ),
    "a program that is a directory": ("[process]", "[{target: runc, options: {program: /etc/runc.d/..}}]", "program"),
    "a program that is a device": ("[process]", "[{target: runc, options: {program: /dev/zero}}]", "program"),
    "a program with an option": ("[process]", '[{target: runc, options: {program: "/bin/sh -c id"}}]', "program"),
    "an option that is a flag": ("[process]", '[{target: docker, options: {runtime: "--privileged"}}]', "runtime"),
}


@pytest.mark.parametrize("how", FILES)
def test_a_hostile_file_is_refused(judge: Judge, tmp_path: Path, how: str) -> None:
    old, new, names = FILES[how]
    scenario = write_scenario(tmp_path / "made", SLEEP, name="made")
    text = scenario.read_text()
    assert old in text
    scenario.write_text(text.replace(old, new.replace("PROOFS", str(judge.ground.place)), 1))
    with pytest.raises(ScenarioError, match=names):
        load_scenario(scenario)
    judge.refused()


def test_all_that_is_hostile_in_a_file_is_refused_in_one_paragraph(judge: Judge, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "made", SLEEP, name="made")
    text = scenario.read_text()
    names = []
    for old, new, name in (FILES[how] for how in ("name with slashes", "a huge memory", "very many blocks")):
        text = text.replace(old, new, 1)
        names.append(name)
    scenario.write_text(text.replace("question: ", 'question: "\\e[2J::error::forged" #'))
    said = refused(judge.boxbench("run", scenario, "-o", "out"), ExitCode.USAGE, "3 problems", *names)
    assert "\x1b" not in said
    judge.refused()


def test_an_odd_program_is_refused(judge: Judge, tmp_path: Path) -> None:
    """Reading the FIFO would wait for ever."""
    scenario = write_scenario(tmp_path / "made", SLEEP, name="made")
    program = judge.ground.place / "runc"
    os.mkfifo(program, 0o777)
    words = ("run", scenario, "-t", f"runc[program={program}]", "-o", "out")
    refused(judge.boxbench(*words), ExitCode.USAGE, str(program), "not a regular file")
    judge.refused()


FORGED: Final = "x\nuser 0 0 0\nargv /evil\n\x1b[2J'\"$(id)`id` %0A ::error::x"


def test_an_environment_keeps_its_lines_to_itself(judge: Judge, tmp_path: Path) -> None:
    """A value with newlines is one value in every box, and the workload stays the user that the image names."""
    dockerfile = BASE + (
        'CMD ["/usr/bin/busybox", "sh", "-c", '
        '"busybox id -u; busybox printenv FORGED | busybox sha256sum; exec busybox sleep 1000"]\nUSER 4321:4321\n'
    )
    scenario = write_scenario(tmp_path / "made", dockerfile, name="made")
    value = json.dumps(FORGED)
    scenario.write_text(
        scenario.read_text()
        .replace("\nworkload:", f"\nworkload:\n  env: {{FORGED: {value}}}")
        .replace("first-line", 'log, text: "  -"')
        .replace("[process]", "[process, docker-cli, runc]")
    )
    out = judge.boxbench.cwd / "out"
    result = judge.boxbench("run", scenario, "-o", out)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    judge.campaign(out, result.text + result.stderr.decode(), {})
    for record in read_records(out):
        assert record.inside["uid"] == "4321", record.trial.cell.key


@pytest.mark.parametrize("how", ["the Dockerfile", "a file"])
def test_a_build_follows_no_link_out_of_its_context(judge: Judge, tmp_path: Path, how: str) -> None:
    """Its files are sent to the engine, errors show their lines, and the workload sees them."""
    secret = judge.ground.victim / "precious"
    scenario = write_scenario(tmp_path / "made", SLEEP, name="made")
    dockerfile = scenario.parent / "Dockerfile"
    if how == "the Dockerfile":
        dockerfile.unlink()
        dockerfile.symlink_to(secret)
    else:
        (scenario.parent / "linked").symlink_to(secret)
        dockerfile.write_text(BASE + 'COPY linked /linked\nCMD ["/usr/bin/busybox", "cat", "/linked"]\n')
    said = refused(judge.boxbench("run", scenario, "-t", "docker", "-o", "out"), ExitCode.ERROR)
    judge.ground.assert_nothing_gained(said)
    judge.refused()


IDS: Final = ("", "x/../../../tmp/p")


def test_a_campaign_with_a_hostile_id_is_refused(judge: Judge, tmp_path: Path) -> None:
    """Its id becomes part of paths that root makes and removes, and of what it searches for."""
    scenario, out = write_scenario(tmp_path / "made", SLEEP, name="made"), judge.boxbench.cwd / "out"
    assert judge.boxbench("run", scenario, "-o", out).returncode == ExitCode.OK
    tag = campaign_tag(read_manifest(out).id)
    whole = (out / "manifest.json").read_text()
    (out / "records.jsonl").write_bytes(b"")
    before = sorted(run_root().iterdir())
    for hostile in IDS:
        stored = json.loads(whole)
        stored["id"] = hostile
        (out / "manifest.json").write_text(json.dumps(stored))
        refused(judge.boxbench("resume", out), ExitCode.USAGE, "manifest.json")
        assert sorted(run_root().iterdir()) == before
    (out / "manifest.json").write_text(whole)
    result = judge.boxbench("resume", out)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    assert campaign_tag(read_manifest(out).id) == tag
    judge.campaign(out, result.text + result.stderr.decode(), {})
