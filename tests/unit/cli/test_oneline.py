"""Images, Dockerfiles and compose services on the command line; `boxbench init`. Nobody looks at an image here."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import cli
from bench.cli import oneline
from bench.cli.gate.sides import SideSelection
from bench.cli.image_options import stored_command
from bench.cli.loading import load
from bench.infer.attempt import Attempt
from bench.infer.facts import ImageFacts
from bench.infer.generate import Seen
from bench.infer.given import Given
from bench.scenario.model import LoadedScenario, load_scenario
from bench.scenario.targets import TargetSpec
from bench.util.errors import ExitCode, ScenarioError, TargetUnavailableError, UsageError

SEEN = Seen(
    facts=ImageFacts(tcp=(6379,), user="redis"),
    attempt=Attempt(watched_s=2, listening=(6379,), printed=True),
    host_bytes=2**34,
)


class Looks:
    """Stands for the look at an image; keeps what it was asked for."""

    def __init__(self) -> None:
        self.seen = SEEN
        self.asked: list[tuple[LoadedScenario, bool]] = []
        self.checked: list[str] = []

    def __call__(self, loaded: LoadedScenario, say: Any, *, attempt: bool, targets: tuple[TargetSpec, ...]) -> Seen:
        del say
        self.checked = [spec.label for spec in targets]
        self.asked.append((loaded, attempt))
        return self.seen


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Looks:
    """A look without an engine, in an empty current directory, on a host without user-mode Linux."""
    found = Looks()
    monkeypatch.setattr(oneline, "look_at", found)
    monkeypatch.setattr(oneline, "why_no_uml", lambda: "uml: it is not installed")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(oneline, "find_tool", lambda _name: "/usr/bin/tool")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return found


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run `boxbench WORDS`; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["boxbench", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_each_choice_is_printed_with_its_option(looks: Looks, capsys: pytest.CaptureFixture[str]) -> None:
    (loaded,) = load(["redis:7"])
    assert loaded.scenario.ready.when == "tcp"
    assert [spec.label for spec in loaded.scenario.targets] == ["process", "docker", "libvirt"]
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert [line.startswith("redis-7: ") and line.endswith(").") for line in lines] == [True] * 5
    for option in ("--ready log:TEXT", "--cpus N", "--memory SIZE", "--disk SIZE", "-t A,B or --no-root-control"):
        assert f"(change with {option})." in said.err
    assert "the image's command runs as redis on this host" in said.err
    ((first, attempt),) = looks.asked
    assert attempt
    assert first.scenario.workload.image == "redis:7"


def test_what_is_said_is_not_explained_and_not_tried(looks: Looks, capsys: pytest.CaptureFixture[str]) -> None:
    said = Given(ready={"when": "exit"}, memory=2**30, cpus=2, disk=2**31)
    (loaded,) = load(["redis:7"], targets="docker", blocks=3, no_root_control=True, given=said)
    assert capsys.readouterr().err == "redis-7: Boxes: docker (change with -t A,B).\n"
    assert not looks.asked[0][1]
    assert (loaded.scenario.design.blocks, loaded.scenario.design.root_control) == (3, False)
    assert yaml.safe_load(loaded.text)["design"] == {"blocks": 3, "root_control": False}


def test_a_command_with_boxes_of_its_own_names_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    load(["redis:7"], other_boxes=True)
    said = capsys.readouterr().err
    assert "(change with --memory SIZE)." in said
    assert "Boxes:" not in said


def test_without_root_there_is_no_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (loaded,) = load(["redis:7"])
    assert [spec.label for spec in loaded.scenario.targets] == ["docker", "libvirt"]
    assert not loaded.scenario.design.root_control
    assert "Boxes: docker, libvirt (change with -t A,B)." in capsys.readouterr().err


def test_without_docker_podman_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(oneline, "_SOCKET", Path("no.sock"))
    monkeypatch.setattr(oneline, "find_tool", lambda name: "/usr/bin/podman" if name == "podman" else None)
    (loaded,) = load(["redis:7"])
    assert [spec.label for spec in loaded.scenario.targets] == ["process", "podman", "libvirt"]
    assert loaded.scenario.baseline == "podman"
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    assert load(["redis:7"])[0].scenario.baseline == "docker"


def test_what_was_generated_is_kept_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = load(["hello", "redis:7"], given=Given(env={"A_TOKEN": "hush"}))
    Path("out").mkdir()
    oneline.keep_generated(loaded, Path("out"))
    assert [file.name for file in Path("out").iterdir()] == ["scenario.yaml"]
    with pytest.raises(ScenarioError, match="A_TOKEN: its value is secret and was not stored"):
        load_scenario(Path("out"))
    assert "hush" not in Path("out/scenario.yaml").read_text()
    said = capsys.readouterr().out
    assert "boxbench run out/scenario.yaml" not in said
    assert "the values of A_TOKEN are not stored" in said
    oneline.keep_generated(load(["redis:7", "redis:8"]), Path("out"))
    assert "boxbench run out/redis-8-scenario.yaml" in capsys.readouterr().out
    assert {file.name for file in Path("out").glob("redis*")} == {"redis-7-scenario.yaml", "redis-8-scenario.yaml"}
    assert load_scenario(Path("out/redis-8-scenario.yaml")).scenario.workload.image == "redis:8"


def test_scenarios_and_images_in_one_campaign(looks: Looks) -> None:
    loaded = load(["hello", "redis:7", "redis:8"], given=Given(memory=2**30))
    assert [one.scenario.name for one in loaded] == ["hello", "redis-7", "redis-8"]
    assert [one.scenario.resources.memory == 2**30 for one in loaded] == [False, True, True]
    assert len(looks.asked) == 2


def test_a_directory_that_a_bundled_scenario_hides_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("hello", "web"):
        Path(name).mkdir()
    Path("hello/Dockerfile").touch()
    assert [one.scenario.name for one in load(["hello", "web"])] == ["hello", "web"]
    assert capsys.readouterr().err == "hello is the bundled scenario; write ./hello for the directory\n"


def test_the_workload_of_an_image_with_the_design_of_a_scenario() -> None:
    loaded = load(["calibrate-storms"], workload="redis:7")
    assert [one.scenario.name for one in loaded] == ["redis-7-calibrate-storms"]
    assert loaded[0].scenario.workload.image == "redis:7"


def test_options_about_images_have_no_effect_on_scenarios() -> None:
    with pytest.raises(UsageError, match="--memory has no effect on scenarios"):
        load(["hello"], given=Given(memory=2**30))


def test_a_plan_looks_at_nothing(
    monkeypatch: pytest.MonkeyPatch, looks: Looks, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "plan", "redis:7", "-t", "docker", "-b", "1", "--no-root-control") == ExitCode.OK
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["redis-7/docker"] * 2
    assert looks.asked == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("redis:7", "--ready", "soon"), "--ready soon: 'soon' is no kind of readiness"),
        (("redis:7", "--memory", "512"), "--memory: '512' has no unit"),
        (("redis:7", "--disk", "0"), "--disk: '0' is not between"),
        (("redis:7", "--cpus", "0"), "'--cpus': must be at least 1"),
        (("redis:7", "--command", "sh -c 'x"), '--command "sh -c \'x": No closing quotation'),
        (("redis:7", "--command", " "), "--command names nothing"),
        (("redis:7", "--env", "=x"), "--env '=x' names no variable"),
        (("redis:7", "--env", "NOT_THERE_AT_ALL"), "your environment has no variable"),
        (("redis:7", "--secret", "token"), "--secret 'token' is not of the form ID=FILE"),
        (("redis:7", "--secret", "token=no-file"), "--secret 'token=no-file': no-file is not a file"),
        (("redis:7", "--pull", "often"), "--pull often: there is no such choice"),
        (("./Dockerfile", "--build-network", "lan"), "--build-network lan: there is no such choice"),
        (("redis:7", "--build-network", "host"), "--build-network has no effect"),
        (("redis:7", "--build-target", "x"), "--build-target has no effect"),
        (("redis:7", "-t", "process", "--no-root-control"), "leaves out the only target"),
        (("redis:7", "-t", "dcoker"), "there is no target 'dcoker'"),
        (("redis:7", "redis:7"), "two scenarios are both called 'redis-7'"),
        (("hello", "--memory", "1GiB"), "--memory has no effect on scenarios"),
        (("redis:BAD!",), "malformed tag"),
    ],
)
def test_bad_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert call(monkeypatch, "plan", *words) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n  → ") == 1


def test_a_variable_without_a_value_has_ours(monkeypatch: pytest.MonkeyPatch, looks: Looks) -> None:
    monkeypatch.setenv("MODE", "from here")
    assert (
        call(monkeypatch, "init", "redis:7", "--env", "MODE", "--env", "A=b=c", "--command", "x 'y z'") == ExitCode.OK
    )
    workload = load_scenario(Path("redis-7")).scenario.workload
    assert workload.env == {"MODE": "from here", "A": "b=c"}
    assert workload.command == ("x", "y z")
    assert looks.asked[0][0].scenario.workload == workload


def test_secret_values_are_not_part_of_the_stored_command() -> None:
    words = ["run", "x:1", "--env", "A_TOKEN=hush", "--env=PASSWORD=hush", "--build-arg", "KEY=hush", "--env", "MODE=x"]
    stored = " ".join(stored_command(words))
    assert "hush" not in stored
    assert "--env A_TOKEN=(not shown) --env=PASSWORD=(not shown) --build-arg KEY=(not shown) --env MODE=x" in stored
    assert stored_command(["--env", "--env", "TOKEN=plain"])[-1] == "TOKEN=plain"


def test_init_writes_beside_the_dockerfile_with_relative_paths(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("My App").mkdir()
    Path("My App/Dockerfile").touch()
    assert call(monkeypatch, "init", "My App", "-t", "docker") == ExitCode.OK
    said = capsys.readouterr()
    assert said.out == "wrote My App/scenario.yaml\nrun it with `boxbench run 'My App'`\n"
    text = Path("My App/scenario.yaml").read_text()
    assert "context: .\n" in text
    assert str(Path.cwd()) not in text
    assert load_scenario(Path("My App")).scenario.name == "my-app"


def test_init_replaces_nothing_without_force(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], looks: Looks
) -> None:
    Path("app").mkdir()
    Path("app/Dockerfile").touch()
    Path("app/scenario.yaml").write_text("mine")
    assert call(monkeypatch, "init", "app") == ExitCode.USAGE
    assert "app/scenario.yaml exists" in capsys.readouterr().err
    assert looks.asked == []
    assert call(monkeypatch, "init", "app", "--force") == ExitCode.OK
    assert load_scenario(Path("app")).scenario.name == "app"


@pytest.mark.parametrize(
    ("word", "said"), [("hello", "hello is a scenario already"), ("nope.yaml", "nope.yaml: No such file")]
)
def test_init_of_a_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str, said: str
) -> None:
    assert call(monkeypatch, "init", word) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def answers(monkeypatch: pytest.MonkeyPatch, *lines: str) -> list[str]:
    """Answer the questions of `init`; an empty line takes the default. Returns the questions, which grow."""
    asked: list[str] = []
    left = list(lines)

    def prompt(text: str, *, default: str | None, err: bool) -> str:
        assert err
        asked.append(f"{text} [{default}]")
        return left.pop(0) or str(default)

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    return asked


def test_init_asks_at_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = answers(monkeypatch, "http:oops", "http:6379/up", "", "3GiB", "2", "docker, libvirt")
    assert call(monkeypatch, "init", "redis:7", "-o", "made") == ExitCode.OK
    assert [question.rpartition(" [")[2] for question in asked] == ["tcp:6379]"] * 2 + [
        "256MiB]",
        "2GiB]",
        "1]",
        "process,docker,libvirt]",
    ]
    assert "--ready http:oops: http needs a port" in capsys.readouterr().err
    scenario = load_scenario(Path("made")).scenario
    assert (scenario.ready.when, scenario.resources.cpus, scenario.resources.memory) == ("http", 2, 2**28)
    assert scenario.resources.disk == 3 * 2**30
    assert [spec.label for spec in scenario.targets] == ["docker", "libvirt"]
    text = Path("made/scenario.yaml").read_text()
    # Reasons of what was taken as it is stay, those of what was changed go.
    assert "256MiB of memory per box" in text
    assert "Ready when port 6379" not in text
    assert "2GiB of disk" not in text


def test_init_asks_only_for_what_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, "", "")
    words = ("--ready", "exit", "--memory", "1GiB", "-t", "docker")
    assert call(monkeypatch, "init", "redis:7", *words) == ExitCode.OK
    assert [question.partition(" ")[0] for question in asked] == ["Disk", "CPUs"]


def test_init_with_yes_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch)
    assert call(monkeypatch, "init", "redis:7", "--yes") == ExitCode.OK
    assert asked == []


def test_init_asks_when_nothing_tells_when_it_is_ready(
    monkeypatch: pytest.MonkeyPatch, looks: Looks, capsys: pytest.CaptureFixture[str]
) -> None:
    looks.seen = Seen(facts=ImageFacts(), attempt=Attempt(watched_s=10), host_bytes=2**34)
    assert call(monkeypatch, "init", "redis:7") == ExitCode.USAGE
    assert "it cannot be told when it is ready" in capsys.readouterr().err
    asked = answers(monkeypatch, "exit", "", "", "", "")
    assert call(monkeypatch, "init", "redis:7") == ExitCode.OK
    assert asked[0].endswith("[None]")
    assert load_scenario(Path("redis-7")).scenario.ready.when == "exit"


def test_a_compose_service(monkeypatch: pytest.MonkeyPatch, looks: Looks, capsys: pytest.CaptureFixture[str]) -> None:
    Path("shop").mkdir()
    Path("shop/compose.yaml").write_text(
        "services:\n"
        "  web: {image: 'shop:${TAG}', ports: ['80:8080'], mem_limit: 300m, restart: always, environment: {A: b}}\n"
    )
    monkeypatch.setenv("TAG", "9")
    assert call(monkeypatch, "init", "shop/compose.yaml:web", "-t", "docker") == ExitCode.OK
    scenario = load_scenario(Path("shop")).scenario
    assert (scenario.name, scenario.workload.image, scenario.workload.env) == ("shop-web", "shop:9", {"A": "b"})
    assert scenario.resources.memory == 300 * 2**20
    # The image listened elsewhere when it was tried.
    assert scenario.ready.model_dump()["port"] == 6379
    assert "restart" in capsys.readouterr().err
    assert "restart" in Path("shop/scenario.yaml").read_text()
    assert looks.asked[0][0].scenario.workload.image == "shop:9"


def test_images_of_a_gate_share_what_was_chosen_for_the_first(looks: Looks, capsys: pytest.CaptureFixture[str]) -> None:
    pair = SideSelection(names=["redis:7", "redis:8"], targets="docker", given=Given(env={"A": "b"})).read(
        Path("checkouts"), no_root_control=True
    )
    a, b = pair.a.loaded.scenario, pair.b.loaded.scenario
    assert (a.name, a.workload.image, b.name, b.workload.image) == ("redis-7-a", "redis:7", "redis-8-b", "redis:8")
    assert (a.ready, a.resources, a.workload.env) == (b.ready, b.resources, b.workload.env)
    assert pair.targets() == {"docker": "docker"}
    assert len(looks.asked) == 1
    assert "redis-8: readiness, CPUs, memory and disk are those of redis-7." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["redis:7", "hello"], "redis:7 is no scenario, and the other side is one"),
        (["hello:docker", "redis:7"], "redis:7 is no scenario"),
        (["hello:docker", "helo"], "helo: there is no such file"),
    ],
)
def test_sides_of_two_kinds_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        SideSelection(names=names).read(Path("checkouts"), no_root_control=False)
    assert said in error.value.message


def test_sides_with_targets_are_scenarios_as_before() -> None:
    pair = SideSelection(names=["hello:docker", "redis:runc"]).read(Path("checkouts"), no_root_control=False)
    assert [side.labels for side in (pair.a, pair.b)] == [("docker",), ("runc",)]
    with pytest.raises(UsageError, match="--memory has no effect"):
        SideSelection(names=["hello:docker", "web:docker"], given=Given(memory=2**30)).read(
            Path("checkouts"), no_root_control=False
        )


def test_a_directory_that_is_taken_is_refused_before_anybody_looks(
    looks: Looks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    for words in (("run",), ("floor",), ("anatomy",), ("instructions",)):
        assert call(monkeypatch, *words, "redis:7", "-o", "taken") == ExitCode.USAGE
    assert looks.asked == []


LACKS_DOCKER = {"docker": "docker: no Docker Engine answers"}


@pytest.mark.parametrize(
    ("unusable", "targets"),
    [
        ({}, ("process", "docker", "libvirt")),
        (LACKS_DOCKER, ("process", "podman", "libvirt")),
        ({"podman": "podman: it is not installed"}, ("process", "docker", "libvirt")),
        ({**LACKS_DOCKER, "podman": "podman: no"}, ("process", "libvirt")),
        ({"libvirt": "libvirt: it is not installed"}, ("process", "docker")),
    ],
)
def test_of_targets_that_nobody_named_those_are_taken_that_this_host_can_run(
    looks: Looks, capsys: pytest.CaptureFixture[str], unusable: dict[str, str], targets: tuple[str, ...]
) -> None:
    looks.seen = replace(SEEN, unusable=unusable)
    (loaded,) = load(["redis:7"])
    assert tuple(spec.label for spec in loaded.scenario.targets) == targets
    assert loaded.scenario.baseline in targets
    assert looks.checked == ["process", "docker", "libvirt", "podman"]
    said = capsys.readouterr().err
    for label, why in unusable.items():
        assert (f"Target {label} is left out: {why}." in said) == (label != "podman")


def test_named_targets_are_not_checked_and_stay(looks: Looks) -> None:
    looks.seen = replace(SEEN, unusable=LACKS_DOCKER)
    (loaded,) = load(["redis:7"], targets="docker")
    assert "docker" in [spec.label for spec in loaded.scenario.targets]
    assert looks.checked == []


def test_a_host_that_can_run_nothing_is_told_what_to_install(looks: Looks) -> None:
    names = ("docker", "podman", "libvirt")
    looks.seen = replace(SEEN, unusable={name: f"{name}: it is not installed" for name in names})
    with pytest.raises(
        TargetUnavailableError, match="neither a container nor a VM: docker: it is not installed"
    ) as got:
        load(["redis:7"])
    assert "install docker.io or podman" in got.value.hint


def test_init_says_which_secret_values_it_wrote(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "init", "redis:7", "--env", "DB_PASSWORD=hush", "--env", "MODE=x") == ExitCode.OK
    assert "the values of DB_PASSWORD are in it as they are: keep the file out of rep" in capsys.readouterr().out


def test_a_secret_in_the_command_is_named_where_it_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    load(["redis:7"], given=Given(command=("serve", "--api-key", "hush", "--fast"), env={"MODE": "x"}))
    said = " ".join(capsys.readouterr().err.split())
    assert "the command has a value of --api-key, and manifest, scenario and reports store it as it stands" in said
    load(["redis:7"], given=Given(command=("serve", "--api-key", "hush"), env={"API_KEY": "hush"}))
    assert "store it" not in capsys.readouterr().err


def test_values_of_secret_variables_are_hidden_in_a_stored_command_too() -> None:
    stored = stored_command(["run", "x:1", "--env", "API_KEY=hush", "--command", "serve --api-key hush"])
    assert stored[-1] == "serve --api-key (not shown)"


def test_an_image_has_the_targets_of_the_design_that_it_borrows(looks: Looks) -> None:
    (loaded,) = load(["first-start"], workload="redis:7")
    assert [spec.label for spec in loaded.scenario.targets] == ["runc", "docker", "libvirt"]
    assert loaded.scenario.first_start is not None
    assert looks.checked == []
    (loaded,) = load(["first-start"], workload="redis:7", targets="docker")
    assert "libvirt" not in [spec.label for spec in loaded.scenario.targets]


def test_more_cpus_than_there_are_are_refused_before_a_look(looks: Looks, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'redis:7', cpus: 4096}}\n")
    available = len(os.sched_getaffinity(0))
    for name, given in ((f"{tmp_path}/compose.yaml:web", Given()), ("redis:7", Given(cpus=4096))):
        with pytest.raises(UsageError, match=f"4096 CPUs, and this process may use {available}") as caught:
            load([name], given=given)
        assert caught.value.hint == f"--cpus {available}, or fewer"
    assert looks.asked == []


def test_memory_of_a_compose_file_is_told_as_it_was_read(
    looks: Looks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'redis:7', mem_limit: 300m}}\n")
    load([f"{tmp_path}/compose.yaml:web"])
    assert "300 MiB of memory per box, as the compose file says (change with --memory SIZE)" in _said(capsys)
    assert looks.asked


def test_another_baseline_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    load(["hello"], targets="runc,process")
    assert "hello: its baseline docker is not among the targets. runc is the baseline." in _said(capsys)
    load(["hello"], targets="runc,docker")
    assert "baseline" not in _said(capsys)


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_one_name_twice_is_no_comparison(looks: Looks) -> None:
    with pytest.raises(UsageError, match="A and B are both hello, so there is nothing to compare") as caught:
        SideSelection(names=["hello", "hello"]).read(Path("x"), no_root_control=False)
    assert "`boxbench gate aa hello`" in caught.value.hint
    assert looks.asked == []


def test_one_image_twice_is_compared_because_nothing_may_have_been_released(capsys: pytest.CaptureFixture[str]) -> None:
    pair = SideSelection(names=["redis:7", "redis:7"]).read(Path("x"), no_root_control=False)
    assert pair.a.same_as(pair.b)
    assert "are the same" in _said(capsys)


def test_all_files_are_read_before_the_first_image_is_built(looks: Looks, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'redis:7'}}\n")
    with pytest.raises(ScenarioError, match="has no service 'wbe'"):
        load(["redis:7", f"{tmp_path}/compose.yaml:wbe"])
    (tmp_path / "wrong.yaml").write_text("question: {}\n")
    with pytest.raises(ScenarioError, match=r"wrong\.yaml"):
        load(["redis:7", str(tmp_path / "wrong.yaml")])
    assert looks.asked == []


@pytest.mark.parametrize("targets", ["docker", "docker,process"])
def test_a_gate_of_images_says_of_no_control_that_was_left_out(
    looks: Looks, capsys: pytest.CaptureFixture[str], targets: str
) -> None:
    pair = SideSelection(names=["redis:7", "redis:8"], targets=targets).read(Path("x"), no_root_control=True)
    assert {pair.a.labels, pair.b.labels} == {("docker",)}
    assert "redis-7: Boxes: docker (change with -t A,B)." in capsys.readouterr().err
    with pytest.raises(UsageError, match="--no-root-control leaves out the only target"):
        SideSelection(names=["redis:7"], targets="process").read_same(no_root_control=True)


def test_an_image_is_both_sides_of_an_aa_test(looks: Looks, capsys: pytest.CaptureFixture[str]) -> None:
    selection = SideSelection(names=["redis:7"], targets="docker", given=Given(memory=2**30))
    pair = selection.read_same(no_root_control=True)
    assert pair.a.same_as(pair.b)
    assert pair.a.loaded.scenario.resources.memory == 2**30
    assert {pair.a.labels, pair.b.labels} == {("docker",)}
    assert len(looks.asked) == 1
    assert "are those of" not in capsys.readouterr().err


def test_commits_of_an_image_are_refused() -> None:
    with pytest.raises(UsageError, match="redis:7 is no scenario") as caught:
        SideSelection(names=["redis:7"], commits=("a", "b")).read(Path("x"), no_root_control=False)
    assert "boxbench init redis:7" in caught.value.hint


def test_a_borrowed_design_is_named_by_the_words_that_run_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    oneline.keep_generated(load(["first-start"], workload="redis:7"), tmp_path / "out")
    said = capsys.readouterr().out
    assert f"boxbench run first-start -w {tmp_path}/out/scenario.yaml" in said
    (again,) = load(["first-start"], workload=str(tmp_path / "out/scenario.yaml"))
    assert again.scenario.factors.cache == ("absent", "warm")
