"""The key ``workload``: an image in place of a Dockerfile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.scenario.model import Scenario, load_scenario
from bench.util.errors import ScenarioError

TEXT = """\
question: How long until it answers?
name: store
ready: {{when: first-line}}
workload:
  image: redis:7
{more}"""


def write(directory: Path, more: str = "") -> Path:
    path = directory / "scenario.yaml"
    path.write_text(TEXT.format(more=more), encoding="utf-8")
    return path


def test_an_image_needs_no_dockerfile(tmp_path: Path) -> None:
    loaded = load_scenario(write(tmp_path))
    assert loaded.scenario.workload.image == "redis:7"


@pytest.mark.parametrize(
    "more",
    ["  dockerfile: Other\n", "  context: app\n", "  build: {network: none}\n", "  base: {tag: a, packages: [b]}\n"],
)
def test_what_only_a_build_uses_is_refused_beside_an_image(tmp_path: Path, more: str) -> None:
    with pytest.raises(ScenarioError, match="no meaning beside 'image'") as caught:
        load_scenario(write(tmp_path, more))
    assert f"workload.{more.split(':', maxsplit=1)[0].strip()}" in caught.value.message


def test_a_stored_scenario_reads_back(tmp_path: Path) -> None:
    """A manifest has every key, also those that have no meaning beside an image."""
    scenario = load_scenario(write(tmp_path)).scenario
    assert Scenario.model_validate_json(json.dumps(json.loads(scenario.model_dump_json()))) == scenario


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("Redis:7", "lower case"),
        ("oci-archive:missing.tar", "missing.tar does not exist"),
        ("oci-archive:.", "is not a file"),
        ("oci:scenario.yaml", "is not a directory"),
    ],
)
def test_an_image_that_cannot_be_is_refused_with_its_line(tmp_path: Path, image: str, words: str) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().replace("redis:7", image))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert f"{path}:5: workload.image: " in caught.value.message
    assert words in caught.value.message


def test_an_archive_may_name_one_of_its_images(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "app.tar").touch()
    path.write_text(path.read_text().replace("redis:7", "docker-archive:app.tar:app:1"))
    assert load_scenario(path).scenario.workload.image == "docker-archive:app.tar:app:1"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("  stop_signal: SIGWHAT\n", "workload.stop_signal: 'SIGWHAT' is not a signal of this host"),
        ("  workdir: srv\n", 'workload.workdir: begin with "/"'),
        ("  volumes: [/a/../b]\n", "workload.volumes.0: '/a/../b' has .. in it"),
        ("  files: {/a: none.conf}\n", "none.conf does not exist"),
        ("  files: {a: scenario.yaml}\n", 'workload.files.a: begin with "/"'),
        ("  entrypoint: text\n", "workload.entrypoint: must be a list"),
        ("  user: ''\n", "workload.user: must not be empty"),
    ],
)
def test_wrong_overrides_have_their_lines(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(write(tmp_path, more))
    assert message in caught.value.message
    assert "scenario.yaml:6:" in caught.value.message


def test_a_manifest_may_have_a_signal_of_another_system(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, "  stop_signal: SIGHUP\n")).scenario
    stored = scenario.model_dump_json().replace("SIGHUP", "SIGEMT")
    assert Scenario.model_validate_json(stored).workload.stop_signal == "SIGEMT"
