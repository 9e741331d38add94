"""The documentation check finds each kind of problem."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from tests import docs_check

COMMANDS = {"": frozenset({"--version"}), "run": frozenset({"--blocks", "-b"}), "plan": frozenset({"--json"})}
SESSIONS = frozenset({"lint", "docs-check"})


def _commands(text: str) -> list[str]:
    return [problem for _line, problem in docs_check.command_problems(text, COMMANDS, SESSIONS)]


@pytest.mark.parametrize(
    "text",
    [
        "`boxbench run hello --blocks 9`",
        "`boxbench --version`",
        "`boxbench`",
        "`boxbench run | plan`",
        "`boxbench plan x --json | jq .`",
        "```\n$ sudo boxbench run -b 3  # a comment\n```",
        "    boxbench run --help",
        "`./bootstrap quickstart --blocks 9`",
        "`nox -s lint docs-check`",
        "`A=1 .venv/bin/boxbench run`",
        "prose about boxbench gate, which is no command line",
        "`it's \"unbalanced`",
    ],
)
def test_what_exists_is_fine(text: str) -> None:
    assert _commands(text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("`boxbench gate`", "boxbench has no command 'gate'"),
        ("```\nboxbench run --block=9\n```", "`boxbench run` has no option --block"),
        ("`boxbench --verbose`", "`boxbench ` has no option --verbose"),
        ("`boxbench run | plan | gate`", "boxbench has no command 'gate'"),
        ("    sudo ./bootstrap test", "./bootstrap has no 'test'"),
        ("`nox -s typos`", "there is no nox session 'typos'"),
    ],
)
def test_what_does_not_exist_is_found(text: str, problem: str) -> None:
    assert _commands(text) == [problem]


def test_links(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A heading, here\n", encoding="utf-8")
    file = tmp_path / "a.md"
    text = (
        "[x](other.md) [x](other.md#a-heading-here) [x](https://example.org/y) [x](#top)\n# Top\n"
        '![pic](none.png "title")\n[x](other.md#nope)\n[x](gone/)\n'
    )
    file.write_text(text, encoding="utf-8")
    assert list(docs_check.link_problems(file, text)) == [
        (3, "the link none.png has no target"),
        (4, "the link other.md#nope: there is no such heading"),
        (5, "the link gone/ has no target"),
    ]


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "run.py").write_text("def start() -> None: ...\n", encoding="utf-8")
    text = (
        "`bench/run.py` `bench/` `bench/run.py:start` `reports/out/x` `bench/<name>/` `/tests/x` ci/nowhere\n"
        "`bench/stop.py` `docs/x.md`\n"
        "`bench/run.py:star` `bench/:start` `bench/run.py::test_it`\n"
    )
    assert list(docs_check.path_problems(tmp_path, text)) == [
        (2, "the path bench/stop.py does not exist"),
        (2, "the path docs/x.md does not exist"),
        (3, "bench/run.py does not contain star"),
        (3, "bench/ does not contain start"),
        (3, "bench/run.py does not contain test_it"),
    ]


def test_a_published_campaign_names_no_place_outside_of_the_repository(tmp_path: Path) -> None:
    root, campaign = tmp_path / "clone", tmp_path / "clone" / "reports" / "published" / "one"
    (root / "scenarios" / "web").mkdir(parents=True)
    campaign.mkdir(parents=True)

    def found(place: str) -> list[str]:
        (campaign / "manifest.json").write_text(json.dumps({"scenarios": {"web": {"directory": place}}}))
        return [problem for _, problem in docs_check.published_problems(root, campaign / "manifest.json")]

    assert found("../../../scenarios/web") == found("scenarios/web") == []
    for place in ("../../../../elsewhere/web", "/somewhere/web", "../../../scenarios/missing"):
        assert found(place) == [f"the scenario web was run from {place}, which is not in this repository"]


def test_the_listing_of_packages() -> None:
    design = (
        "    bench/\n      util/       tools\n      ghost/      nothing\n"
        "        run.c     a file\n    tests/        tests\n"
    )
    assert list(docs_check.listing_problems({"util", "run"}, design)) == [
        (3, "bench/ has no package 'ghost'"),
        (1, "the listing of bench/ lacks the package 'run'"),
    ]


def test_decisions_have_numbers_that_ascend_and_follow_each_other_within_a_section() -> None:
    right = "### A\n\n1. **x.**\n   1 s\n2. **y.**\n\n### B\n\n10. **z.**\n11. **z.**\n"
    assert list(docs_check.number_problems(right)) == []
    assert list(docs_check.number_problems(right.replace("11.", "13."))) == [
        (10, "the decision 13 follows 10 in its section: its number is 11")
    ]
    assert list(docs_check.number_problems(right.replace("10.", "2."))) == [
        (9, "the decision 2 stands after 2: numbers are unique and ascend"),
        (10, "the decision 11 follows 2 in its section: its number is 3"),
    ]


def test_packages_are_found() -> None:
    assert {"util", "targets", "cli"} <= docs_check.package_names(docs_check.ROOT)


@pytest.mark.parametrize(
    "word", ["TO" + "DO", "FIX" + "ME:", "deb.deb" + "ian.org", "/wo" + "rk/main/x", "/home" + "/jo/x"]
)
def test_banned_words(word: str) -> None:
    assert [line for line, _what in docs_check.banned_problems(f"fine\nnot {word} fine\n")] == [2]


@pytest.mark.parametrize("text", ["todo list", "a fixmeup", "/root/x", "docker.io/library/busybox", "/workload/main"])
def test_words_that_only_look_banned(text: str) -> None:
    assert list(docs_check.banned_problems(text)) == []


def test_the_noxfile_is_understood() -> None:
    text = (docs_check.ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert docs_check.nox_sessions(text) >= {"quickstart", "tests", "live", "lint", "types", "bench", "docs-check"}


def test_the_checks_of_the_session_static_are_sessions() -> None:
    text = (docs_check.ROOT / "noxfile.py").read_text(encoding="utf-8")
    (line,) = re.findall(r"^STATIC = (.*)$", text, re.MULTILINE)
    checks = ast.literal_eval(line)
    assert len(checks) == 3
    assert docs_check.nox_sessions(text).issuperset(checks)


def test_the_command_line_is_understood() -> None:
    commands = docs_check.cli_commands()
    assert "--blocks" in commands["run"]
    assert {"quickstart", "doctor", "schema", ""} <= set(commands)


def test_a_stale_schema_is_found() -> None:
    assert list(docs_check.schema_problems("{}")) != []
