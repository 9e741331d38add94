"""What the argument of a command names, and what is said when it names nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.infer.subject import Subject, parse_subject, scenario_name
from bench.scenario.fields import NAME_PATTERN
from bench.util.errors import UsageError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with one of each."""
    monkeypatch.chdir(tmp_path)
    for file in (
        "My App/Dockerfile",
        "scenario/scenario.yaml",
        "scenario/Dockerfile",
        "both/Dockerfile",
        "both/compose.yaml",
        "pod/Containerfile",
        "stack/compose.yml",
        "alpine/Dockerfile.alpine",
        "empty/notes.txt",
        "layout/oci-layout",
        "hello/Dockerfile",
        "app.tar",
        "v:1.tar",
        "notes.txt",
        "plain.toml",
    ):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


@pytest.mark.parametrize(
    "word",
    ["hello", "redis", "calibrate", "scenario", "scenario/scenario.yaml", "plain.toml", "./nope", "no.yaml", "x/"],
)
def test_scenarios_and_what_cannot_be_told_apart_from_one(word: str) -> None:
    assert parse_subject(word) is None


@pytest.mark.parametrize(
    ("word", "kind", "path", "name"),
    [
        ("redis:7", "image", None, "redis-7"),
        ("redis@sha256:" + "0" * 64, "image", None, "redis"),
        ("localhost:5000/team/My_app:1.2", None, None, ""),
        ("localhost:5000/team/app_x:1.2", "image", None, "app-x-1-2"),
        ("team/app", "image", None, "app"),
        ("containers-storage:localhost/app", "image", None, "app"),
        ("containers-storage:app", "image", None, "app"),
        ("oci-archive:app.tar", "image", "app.tar", "app"),
        ("docker-archive:v:1.tar", "image", "v:1.tar", "v-1"),
        ("oci:layout:v2", "image", "layout", "layout"),
        ("My App", "dockerfile", "My App/Dockerfile", "my-app"),
        ("My App/Dockerfile", "dockerfile", "My App/Dockerfile", "my-app"),
        ("pod", "dockerfile", "pod/Containerfile", "pod"),
        ("both", "dockerfile", "both/Dockerfile", "both"),
        ("alpine/Dockerfile.alpine", "dockerfile", "alpine/Dockerfile.alpine", "alpine-alpine"),
        ("stack", "compose", "stack/compose.yml", "stack"),
        ("stack/compose.yml", "compose", "stack/compose.yml", "stack"),
        ("stack/compose.yml:web", "compose", "stack/compose.yml", "stack-web"),
        ("./hello", "dockerfile", "hello/Dockerfile", "hello"),
    ],
)
def test_subjects(word: str, kind: str | None, path: str | None, name: str) -> None:
    if kind is None:
        with pytest.raises(UsageError, match="must be in lower case"):
            parse_subject(word)
        return
    subject = parse_subject(word)
    assert subject is not None
    assert (subject.kind, subject.word, subject.name) == (kind, word, name)
    assert subject.path == (None if path is None else Path(path)) or subject.path == Path(path or "").absolute()


def test_a_bundled_scenario_wins_over_a_directory_without_one() -> None:
    assert parse_subject("hello") is None


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("redsi", "there is no such file, directory or bundled scenario", "did you mean the bundled scenario redis?"),
        ("alpine2", "there is no such file", "an image of this name is alpine2:latest"),
        ("redis:BAD!", "malformed tag", "name a scenario"),
        ("hello:docker", "docker is a target", "`hello -t docker`"),
        ("nope.yaml:web", "nope.yaml does not exist", "did you mean both/compose.yaml:web?"),
        ("stack/compose.yaml:web", "compose.yaml does not exist", "did you mean stack/compose.yml:web?"),
        ("stack/nowhere/compose.yaml:web", "compose.yaml does not exist", "write it like compose.yaml:SERVICE"),
        ("./stack:web", "./stack is a directory", "write stack/compose.yml:web"),
        ("empty", "neither scenario.yaml nor Dockerfile", "a directory with a scenario.yaml or a Dockerfile"),
        ("layout", "neither scenario.yaml nor Dockerfile", "write oci:layout"),
        ("app.tar", "which kind of archive", "oci-archive:app.tar"),
        ("notes.txt", "neither a scenario nor a Dockerfile", "end in .yaml"),
        ("", "an empty name", "the variable"),
        ("oci-archive:", "names no file after the colon", "oci-archive:app.tar"),
        ("oci-archive:layout", "layout is a directory", "oci:DIRECTORY"),
        ("oci-archive:nope.tar", "nope.tar does not exist", "an archive that exists"),
    ],
)
def test_errors(word: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_subject(word)
    assert message in error.value.message
    assert hint in error.value.hint


@given(st.text())
def test_every_text_gives_a_name_with_room_for_a_side(text: str) -> None:
    assert re.fullmatch(NAME_PATTERN, scenario_name(text))
    assert len(scenario_name(text)) <= 38


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_no_word_is_another_error(word: str) -> None:
    try:
        found = parse_subject(word)
    except UsageError:
        return
    assert found is None or isinstance(found, Subject)
