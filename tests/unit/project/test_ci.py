"""The CI files are valid, and their script works with a real shell."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml
from markdown_it import MarkdownIt

from bench.gate.model import RESULT, GateResult
from bench.util import proc
from bench.util.errors import EXIT_MEANINGS, ExitCode
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


@pytest.mark.host
def test_the_action_hands_the_place_of_the_cache_and_proxies_to_root(tmp_path: Path) -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("id") == "gate"]
    for name, body in (("id", "echo 1000"), ("sudo", 'printf "%s\\n" "$@"')):
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\n{body}\n", encoding="ascii")
        file.chmod(0o755)
    env = {"GITHUB_ACTION_PATH": "/action", "ARGUMENTS": "compare\na b\n", "DIRECTORY": "out", "AS_ROOT": "true"}
    env["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    preserved, *words = proc.run(["bash", "-euc", script], timeout_s=60, env=env).text.splitlines()
    assert words == ["/action/ci/gate.sh", "out", "compare", "a b"]
    kept = set(preserved.removeprefix("--preserve-env=").split(","))
    assert kept > {"BOXBENCH_CACHE", "BOXBENCH_CACHE_MAX", "HTTPS_PROXY", "no_proxy"}


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


def scripts_of(file: Path) -> list[str]:
    jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


@pytest.mark.host
def test_the_job_that_may_write_obeys_no_command_of_a_box(tmp_path: Path) -> None:
    """Its script as it stands in the example, with a `boxbench` whose box forges a command."""
    (script,) = [text for text in scripts_of(EXAMPLES / "github-history.yml") if "boxbench run" in text]
    command = tmp_path / "boxbench"
    command.write_text("#!/bin/sh\necho '::error::from a box'\nexit 6\n", encoding="ascii")
    command.chmod(0o755)
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = proc.run(["bash", "-e", "-c", script], timeout_s=60, check=False, env=env)
    assert done.returncode == 6
    assert re.fullmatch(r"::stop-commands::(boxbench-[0-9a-f]{32})\n::error::from a box\n::\1::\n", done.text)


def test_forks_do_not_run_on_a_machine_that_stays() -> None:
    rules = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text(encoding="utf-8"))["boxbench-gate"]["rules"]
    assert rules[0]["when"] == "never"
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID != $CI_MERGE_REQUEST_PROJECT_ID" in rules[0]["if"]
    history = yaml.safe_load((EXAMPLES / "github-history.yml").read_text(encoding="utf-8"))
    # YAML reads the key `on` as true.
    assert history[True] == {"push": {"branches": ["main"]}}


HOSTILE_SUMMARY: Final = """\
## ✅ Boxbench: no regression\r## outside
[a](http://evil.example) ![i](https://evil.example/i.png) [b][r] <https://evil.example> www.evil.example
[r]: https://evil.example
<img src="https://evil.example/i.png"> <a href="//evil.example">a</a> <!-- x --></blockquote>
@everyone \\@everyone &#64;everyone &commat;everyone #12 GH-12 o/r#12

```mermaid
graph TD
```

</details></details>
    code
<details>
<summary>Not regressed: 3</summary>

| a | b |
| - | - |
| 1 | \\<b\\> \\& \\[x\\] http&#8203;:y |

</details>
\x1b[31m\x00
~~~geojson
"""


@pytest.mark.host
def test_a_comment_has_nothing_of_its_text_but_words(tmp_path: Path) -> None:
    body, summary = tmp_path / "body", tmp_path / "summary.md"
    gh = tmp_path / "gh"
    gh.write_text(
        f"""#!/bin/sh
case "$*" in
    *pulls*) echo 7 ;;
    *POST*) for word; do case $word in body=@*) cat "${{word#body=@}}" >{body} ;; esac; done ;;
esac
""",
        encoding="ascii",
    )
    gh.chmod(0o755)
    names = ("REPOSITORY", "HEAD_OWNER", "HEAD_BRANCH", "HEAD_SHA")
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", **dict.fromkeys(names, "x")}
    summary.write_text(HOSTILE_SUMMARY, encoding="utf-8")
    proc.run(["sh", ROOT / "ci" / "comment.sh", summary], timeout_s=60, env=env)
    text = body.read_text(encoding="utf-8")
    own, _, quoted = text.partition("\n\n")
    assert own.startswith("<!-- boxbench gate -->\n")
    assert "computed by the pull request's own job" in own
    assert all(line.startswith(">") for line in quoted.splitlines())
    assert not re.search(r"://|www\.|@\w|(?<!&)#\d|GH-\d|(```|~~~)[a-z]|[\0\x1b\r]", quoted)
    # What a reader of Markdown makes of it: one quotation, with the summary's own fold and table.
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert set(re.findall(r"</?([a-z0-9]+)", html)) == {
        *("p", "strong", "blockquote", "h2", "pre", "code"),
        *("details", "summary", "table", "thead", "tbody", "tr", "th", "td"),
    }
    assert html.count("<blockquote>") == 1
    assert html.index("<blockquote>") < html.index("<h2>")
    assert html.rstrip().endswith("</blockquote>")
    assert "<summary>Not regressed: 3</summary>" in html
    # What the summary has escaped is shown as before.
    assert "<td>&lt;b&gt; &amp; [x]\u200b http\u200b:y</td>" in html
    summary.write_text("é@" * 60_000, encoding="utf-8")
    proc.run(["sh", ROOT / "ci" / "comment.sh", summary], timeout_s=60, env=env)
    assert 50_000 < len(body.read_bytes()) < 65_536


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_made_belongs_to_the_workspaces_owner(tmp_path: Path) -> None:
    workspace, victim = tmp_path / "workspace", tmp_path / "victim"
    workspace.mkdir()
    victim.touch()
    os.chown(workspace, 4321, 4322)
    # The box's files may be links.
    result = make_gate(GREEN)
    command = make_boxbench(tmp_path, result, 0)
    command.write_text(command.read_text(encoding="utf-8").replace("exit 0", f'ln -s {victim} "$last/link"; exit 0'))
    env = {"BOXBENCH": str(command), "PYTHONPATH": f"{ROOT}"}
    argv = ["sh", str(SCRIPT), "deep/gate", "compare", "a", "b"]
    assert proc.run(argv, timeout_s=60, env=env, cwd=workspace).returncode == 0
    found = [path.lstat() for path in workspace.rglob("*")]
    assert len(found) >= 6
    assert {(one.st_uid, one.st_gid) for one in found} == {(4321, 4322)}
    assert victim.stat().st_uid == 0
    # A directory that is refused is not touched.
    (workspace / "other").mkdir()
    (workspace / "other" / "file").touch()
    argv[2] = "other"
    assert proc.run(argv, timeout_s=60, env=env, cwd=workspace, check=False).returncode == 2
    assert (workspace / "other" / "file").stat().st_uid == 0


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_an_interrupted_gate_gives_its_files_back(tmp_path: Path) -> None:
    workspace, command = tmp_path / "workspace", tmp_path / "boxbench"
    workspace.mkdir()
    os.chown(workspace, 4321, 4322)
    command.write_text("#!/bin/sh\ncase $1 in gate) mkdir g/screening; kill -TERM $PPID ;; esac\n", encoding="ascii")
    command.chmod(0o755)
    argv = ["sh", str(SCRIPT), "g", "compare", "a", "b"]
    (workspace / "g").mkdir()
    done = proc.run(argv, timeout_s=60, env={"BOXBENCH": str(command)}, cwd=workspace, check=False)
    assert done.returncode == 130
    assert {path.stat().st_uid for path in workspace.rglob("*")} == {4321}


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
@pytest.mark.parametrize(
    ("code", "words"), [(code, EXIT_MEANINGS[code]) for code in (ExitCode.HOST_UNFIT, ExitCode.ERROR)]
)
def test_without_a_verdict_the_script_fails_with_the_reason(code: int, words: str, tmp_path: Path) -> None:
    done, page, _ = run_script(tmp_path, None, code)
    assert done.returncode == code
    assert page.startswith("## ⚠️ Boxbench: no verdict")
    assert words in page


@pytest.mark.host
def test_the_script_has_the_programs_words_for_exit_codes() -> None:
    """A verdict is a word before a colon, and that of success is about gates."""
    verdicts = (ExitCode.OK, ExitCode.REGRESSION, ExitCode.CANNOT_TELL)
    words = {code: meaning.removeprefix("success; for a gate: ") for code, meaning in EXIT_MEANINGS.items()}
    words |= {code: words[code].split(":")[0] for code in verdicts}
    function = re.search(r"^meaning\(\) \{\n.*?^\}\n", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert function
    asked = f"{function[0]}for code in {' '.join(str(int(code)) for code in words)}; do meaning $code; done"
    said = proc.run(["sh", "-c", asked], timeout_s=60).text.splitlines()
    assert said == list(words.values())


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
