"""The CI files are valid, and their script works with a real shell."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from bench.gate.model import RESULT, GateResult
from bench.util import proc
from bench.util.errors import ExitCode
from tests.unit.export.test_gate import FASTER, GREEN, RED, UNSURE, make_gate

ROOT: Final = Path(__file__).parents[3]
EXAMPLES: Final = ROOT / "ci" / "examples"
SCRIPT: Final = ROOT / "ci" / "gate.sh"

CASES: Final = {
    "planted regression": (make_gate(GREEN, RED), ExitCode.REGRESSION, "❌ Boxbench: B is worse than A"),
    "nothing changed": (make_gate(GREEN, FASTER), ExitCode.OK, "✅ Boxbench: no regression"),
    "too noisy": (make_gate(GREEN, UNSURE), ExitCode.CANNOT_TELL, "❔ Boxbench: cannot tell"),
}


@pytest.mark.host
@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-actions", ROOT / "action.yml"),
        ("vendor.github-workflows", EXAMPLES / "github-gate.yml"),
        ("vendor.github-workflows", EXAMPLES / "github-comment.yml"),
        ("vendor.github-workflows", EXAMPLES / "github-history.yml"),
        ("vendor.gitlab-ci", EXAMPLES / "gitlab-ci.yml"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_a_ci_file_matches_its_schema(schema: str, file: Path) -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    if schema == "vendor.gitlab-ci":
        argv += ["--data-transform", "gitlab-ci"]
    assert "ok" in proc.run(argv, timeout_s=60).text


def test_no_script_contains_an_expression() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    for file in EXAMPLES.glob("github-*.yml"):
        jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
        scripts += [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


def test_the_measuring_job_has_no_secrets_and_the_commenting_job_runs_no_untrusted_code() -> None:
    gate, comment = (
        yaml.safe_load((EXAMPLES / f"github-{name}.yml").read_text("utf-8")) for name in ("gate", "comment")
    )
    assert gate["permissions"] == {"contents": "read"}
    # YAML reads the key `on` as true.
    assert list(gate[True]) == ["pull_request"]
    assert "${{ secrets" not in (EXAMPLES / "github-gate.yml").read_text(encoding="utf-8")
    checkouts = [step for step in comment["jobs"]["comment"]["steps"] if "checkout" in step.get("uses", "")]
    assert [step["with"]["repository"] for step in checkouts] == ["OWNER/boxbench"]


def make_boxbench(directory: Path, result: GateResult | None, code: int) -> Path:
    """A command whose `gate` leaves ``result`` and whose `export` is the real one: the script needs no engine."""
    stored = directory / "stored.json"
    if result is not None:
        stored.write_text(result.model_dump_json(), encoding="utf-8")
    command = directory / "boxbench"
    command.write_text(
        f"""#!/bin/sh
case $1 in
    doctor) echo "::error::from a box" ;;
    gate)
        for word in "$@"; do last=$word; done
        [ -f {stored} ] && mkdir -p "$last" && cp {stored} "$last/{RESULT}"
        exit {code} ;;
    *) exec {sys.executable} -m bench.cli "$@" ;;
esac
""",
        encoding="utf-8",
    )
    command.chmod(0o755)
    return command


def run_script(tmp_path: Path, result: GateResult | None, code: int, **env: str) -> tuple[proc.Result, str, str]:
    """The script's end, the job's summary page and its outputs, as GitHub would run it."""
    page, outputs = tmp_path / "page.md", tmp_path / "outputs"
    variables = {
        "BOXBENCH": str(make_boxbench(tmp_path, result, code)),
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(page),
        "GITHUB_OUTPUT": str(outputs),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        **env,
    }
    argv = ["sh", str(SCRIPT), str(tmp_path / "gate"), "compare", "hello:docker", "hello:runc"]
    done = proc.run(argv, timeout_s=60, check=False, env=variables)
    return done, page.read_text(encoding="utf-8"), outputs.read_text(encoding="utf-8")


@pytest.mark.host
@pytest.mark.parametrize("case", CASES)
def test_the_script_has_the_gates_exit_code_and_its_verdict_comes_first(case: str, tmp_path: Path) -> None:
    result, code, head = CASES[case]
    done, page, outputs = run_script(tmp_path, result, code)
    assert done.returncode == code
    assert page.splitlines()[0] == f"## {head}" or page.splitlines()[0].startswith(f"## {head}:")
    assert f"exit-code={int(code)}" in outputs
    assert (tmp_path / "gate" / "junit.xml").exists()
    level = {
        ExitCode.REGRESSION: "::error title=",
        ExitCode.CANNOT_TELL: "::warning title=",
        ExitCode.OK: "::notice title=",
    }
    assert level[code] in done.text


@pytest.mark.host
def test_output_of_a_box_is_no_command_of_the_runner(tmp_path: Path) -> None:
    done, _, _ = run_script(tmp_path, make_gate(GREEN), 0)
    stop = re.search(r"^::stop-commands::(boxbench-[0-9a-f]{32})$", done.text, re.MULTILINE)
    assert stop
    assert stop.end() < done.text.index("::error::from a box") < done.text.index(f"::{stop[1]}::\n", stop.end())


@pytest.mark.host
def test_cannot_tell_passes_if_the_user_allows_it(tmp_path: Path) -> None:
    done, page, outputs = run_script(tmp_path, make_gate(UNSURE), 4, BOXBENCH_CANNOT_TELL="pass")
    assert done.returncode == 0
    assert "cannot tell" in page
    assert "exit-code=4" in outputs


@pytest.mark.host
@pytest.mark.parametrize(("code", "words"), [(5, "this host cannot run what was asked"), (1, "error")])
def test_without_a_verdict_the_script_fails_with_the_reason(code: int, words: str, tmp_path: Path) -> None:
    done, page, _ = run_script(tmp_path, None, code)
    assert done.returncode == code
    assert page.startswith("## ⚠️ Boxbench: no verdict")
    assert words in page


@pytest.mark.host
def test_an_earlier_result_is_not_reported_as_this_runs(tmp_path: Path) -> None:
    """A directory that holds something is refused before anything runs, and stays as it is."""
    place = tmp_path / "gate"
    place.mkdir()
    (place / RESULT).write_text(make_gate(GREEN).model_dump_json())
    done, page, outputs = run_script(tmp_path, make_gate(GREEN), 0)
    assert done.returncode == 2
    assert page.startswith("## ⚠️ Boxbench: no verdict")
    assert "output directory was not empty" in page
    assert "exit-code=2" in outputs
    assert f"{place} exists and is not empty" in done.stderr.decode()
    assert "::error::from a box" not in done.text, "nothing was run"
    assert [path.name for path in place.iterdir()] == [RESULT]


@pytest.mark.host
@pytest.mark.parametrize("code", [1, 2, 130])
def test_a_result_counts_only_with_a_verdicts_exit_code(code: int, tmp_path: Path) -> None:
    done, page, _ = run_script(tmp_path, make_gate(GREEN), code)
    assert done.returncode == code
    assert page.startswith("## ⚠️ Boxbench: no verdict")
    assert (tmp_path / "gate" / "summary.md").read_text() == page


@pytest.mark.host
def test_a_gate_that_left_nothing_is_never_green(tmp_path: Path) -> None:
    assert run_script(tmp_path, None, 0)[0].returncode == 1
