"""A generated scenario: what the user says wins, and the text is whole, so that it runs anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.infer.attempt import Attempt
from bench.infer.draft import absolute_workload, draft_text, relative_workload
from bench.infer.facts import ImageFacts
from bench.infer.generate import Seen, Wanted, generated, make_draft, source_of
from bench.infer.given import NOTHING_GIVEN, Given
from bench.infer.subject import Subject, parse_subject
from bench.scenario.model import LoadedScenario, ReadyHttp, ReadyTcp, load_scenario
from bench.scenario.secrets import without_secrets
from bench.scenario.targets import parse_targets
from bench.util.errors import UsageError

GIB = 2**30
SEEN = Seen(facts=ImageFacts(tcp=(6379,), size_bytes=2**20), attempt=None, host_bytes=16 * GIB)
WANTED = Wanted(targets=parse_targets(("process", "docker", "libvirt")))


def subject_of(word: str) -> Subject:
    """A word that names an image."""
    found = parse_subject(word)
    assert found is not None
    return found


def made(word: str, said: Given = NOTHING_GIVEN, seen: Seen | None = SEEN, wanted: Wanted = WANTED) -> LoadedScenario:
    """The scenario that is generated for a word."""
    source = source_of(subject_of(word), said, {})
    return generated(make_draft(source, said, seen, wanted), source.directory)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a Dockerfile below ``app``."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").touch()
    (tmp_path / "token").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_image() -> None:
    loaded = made("redis:7")
    scenario = loaded.scenario
    assert (scenario.name, scenario.workload.image, scenario.workload.context) == ("redis-7", "redis:7", ".")
    assert scenario.ready == ReadyTcp(when="tcp", port=6379)
    assert (scenario.resources.cpus, scenario.resources.memory, scenario.resources.disk) == (1, 2**28, 2 * GIB)
    assert [spec.label for spec in scenario.targets] == ["process", "docker", "libvirt"]
    assert scenario.baseline == "docker"
    assert (
        scenario.question
        == "How long does redis:7 take until port 6379 accepts a connection, in a VM and in a container?"
    )
    assert loaded.file is None
    assert "# Ready when port 6379 accepts a connection: the image exposes it.\nready:" in loaded.text


def test_a_question_without_guests_speaks_of_no_vm() -> None:
    question = made("redis:7", wanted=Wanted(targets=parse_targets(("process", "docker")))).scenario.question
    assert question == "How long does redis:7 take until port 6379 accepts a connection?"


def test_what_is_said_wins(app: Path) -> None:
    said = Given(
        ready={"when": "http", "port": 80, "path": "/up"},
        memory=3 * GIB,
        cpus=2,
        disk=9 * GIB,
        command=("serve", "two words"),
        env={"A": "multi\nline: # x", "B": ""},
        build_args={"VERSION": "3"},
        build_target="slim",
        build_network="host",
        secrets={"key": "token"},
    )
    loaded = made(
        "app", said, wanted=Wanted(targets=parse_targets(("runc", "libvirt[nic=virtio]")), blocks=3, root_control=False)
    )
    scenario = loaded.scenario
    assert scenario.ready == ReadyHttp(when="http", port=80, path="/up")
    assert scenario.headline == "replied"
    assert (scenario.resources.cpus, scenario.resources.memory, scenario.resources.disk) == (2, 3 * GIB, 9 * GIB)
    workload = scenario.workload
    assert (workload.command, workload.env) == (("serve", "two words"), {"A": "multi\nline: # x", "B": ""})
    assert (workload.build.args, workload.build.target, workload.build.network) == ({"VERSION": "3"}, "slim", "host")
    assert workload.build.secrets == {"key": str(app / "token")}
    assert workload.context == str(app / "app")
    assert [spec.label for spec in scenario.targets] == ["runc", "libvirt[nic=virtio]"]
    assert (scenario.baseline, scenario.design.blocks, scenario.design.root_control) == ("runc", 3, False)
    # Nothing was chosen, so nothing needs a reason; but a port that the image does not expose may be a slip.
    assert (
        "# Ready when a GET of port 80, path /up, answers 200, as you said; but the image exposes 6379" in loaded.text
    )
    assert "memory per box" not in loaded.text


def test_a_compose_file_beside_the_dockerfile_is_named(app: Path) -> None:
    (app / "app" / "compose.yaml").touch()
    remarks = source_of(subject_of("app"), NOTHING_GIVEN, {}).remarks
    assert remarks == (
        "The Dockerfile is built as it is. compose.yaml is not read: name app/compose.yaml:SERVICE for its settings.",
    )
    assert source_of(subject_of("app/Dockerfile"), NOTHING_GIVEN, {}).remarks == ()


def test_the_text_runs_from_another_directory(app: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    loaded = made("app/Dockerfile")
    file = tmp_path_factory.mktemp("campaign") / "scenario.yaml"
    file.write_text(loaded.text, encoding="utf-8")
    again = load_scenario(file)
    assert again.scenario == loaded.scenario
    assert again.scenario.workload.context == str(app / "app")


def test_paths_below_the_directory_of_the_file_are_relative(app: Path) -> None:
    source = source_of(subject_of("app"), NOTHING_GIVEN, {})
    draft = make_draft(source, Given(secrets={"key": "token"}), SEEN, WANTED)
    (app / "app" / "scenario.yaml").write_text(draft_text(draft, relative_to=app / "app"), encoding="utf-8")
    workload = load_scenario(app / "app").scenario.workload
    assert (workload.context, workload.build.secrets) == (".", {"key": str(app / "token")})


@pytest.mark.parametrize(
    "workload",
    [
        {"image": "redis:7"},
        {"image": "oci-archive:app.tar:v1", "files": {"/etc/x": "x"}},
        {"context": "sub", "dockerfile": "Dockerfile.x", "build": {"args": {"A": "1"}, "secrets": {"t": "../t"}}},
    ],
)
def test_absolute_and_back(workload: dict[str, Any], app: Path) -> None:
    (app / "app" / "app.tar").touch()
    absolute = absolute_workload(workload, app / "app")
    assert relative_workload(absolute, app) == absolute_workload_of(workload)
    assert absolute_workload(absolute, Path("/elsewhere")) == absolute


def absolute_workload_of(workload: dict[str, Any]) -> dict[str, Any]:
    """What the workloads of the test above are, seen from the directory above theirs."""
    if workload.get("image") == "redis:7":
        return workload
    if "image" in workload:
        return {"image": "oci-archive:app/app.tar:v1", "files": {"/etc/x": "app/x"}}
    build = {"args": {"A": "1"}, "secrets": {"t": "t"}}
    return {"context": "app/sub", "dockerfile": "Dockerfile.x", "build": build}


def test_options_of_a_build_have_no_effect_on_an_image() -> None:
    with pytest.raises(UsageError, match="--build-arg has no effect"):
        source_of(subject_of("redis:7"), Given(build_args={"A": "1"}), {})


def test_the_values_of_secret_variables_are_not_stored() -> None:
    loaded = made("postgres:16", Given(env={"POSTGRES_PASSWORD": "hush: hush", "MODE": "x"}))
    assert loaded.scenario.workload.env["POSTGRES_PASSWORD"] == "hush: hush"
    stored = without_secrets(loaded)
    assert "hush" not in stored.text
    assert "# Ready when" in stored.text


def test_process_is_named_with_its_user() -> None:
    source = source_of(subject_of("redis:7"), NOTHING_GIVEN, {})
    said = make_draft(source, NOTHING_GIVEN, SEEN, WANTED).why["targets"].sentence
    assert "process has no isolation: the image's command runs as root on this host" in said
    assert "--no-root-control" in said
    alone = Wanted(targets=parse_targets(("docker",)), root_control=False)
    assert make_draft(source, NOTHING_GIVEN, SEEN, alone).why["targets"].text == "Boxes: docker"


def test_without_a_look_there_are_defaults_and_no_reasons_about_the_image() -> None:
    assert made("redis:7", seen=None).scenario.ready.when == "first-line"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    env=st.dictionaries(
        st.text("AB_", min_size=1), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    ),
    command=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
    said=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_every_value_survives_the_text(env: dict[str, str], command: list[str], said: str) -> None:
    attempt = Attempt(watched_s=1, printed=True, last_line=said)
    seen = Seen(facts=ImageFacts(user=said, other_ports=("53/udp",)), attempt=attempt, host_bytes=GIB)
    loaded = made("redis:7", Given(env=env, command=tuple(command)), seen)
    assert loaded.scenario.workload.env == env
    assert loaded.scenario.workload.command == tuple(command)


def test_ports_of_a_compose_file_are_not_said_to_be_the_image_s(app: Path) -> None:
    (app / "compose.yaml").write_text('services: {web: {image: "a:1", ports: ["80:8081"]}}')
    draft = make_draft(source_of(subject_of("compose.yaml:web"), NOTHING_GIVEN, {}), NOTHING_GIVEN, SEEN, WANTED)
    assert draft.ready == {"when": "tcp", "port": 8081}
    assert "accepts a connection: the compose file exposes it" in draft.why["ready"].text
