"""Scenario files: what is right is frozen, what is wrong is named with its line, all of it at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from bench.scenario.model import (
    ReadyHttp,
    Resources,
    Scenario,
    TargetSpec,
    load_scenario,
    narrowed,
    scenario_of_text,
)
from bench.scenario.schema import scenario_schema
from bench.util.errors import ScenarioError
from bench.util.package_data import find_scenario, scenarios_dir, shipped_scenarios

MINIMAL = """\
question: How long?
name: hello
ready:
  when: first-line
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str = MINIMAL, more: str = "", *, name: str = "scenario.yaml", dockerfile: bool = True) -> Path:
        if dockerfile:
            (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="ascii")
        file = tmp_path / name
        file.write_text(dedent(text) + dedent(more), encoding="utf-8")
        return file

    return write


def _error(file: Path) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    assert caught.value.hint
    caught.value.message = caught.value.message.replace(f"{file.parent}/", "")
    return caught.value


def test_defaults_are_a_whole_comparison(write: Write) -> None:
    loaded = load_scenario(write())
    scenario = loaded.scenario
    assert [spec.label for spec in scenario.targets] == ["process", "docker", "libvirt"]
    assert (scenario.baseline, scenario.headline, scenario.design.blocks, scenario.design.warmups) == (
        "docker",
        "ready",
        7,
        1,
    )
    assert scenario.resources.memory == 256 * 2**20
    assert scenario.ready.timeout == 120 * 10**9
    assert loaded.text == MINIMAL


def test_a_directory_means_its_scenario_yaml(write: Write) -> None:
    file = write()
    assert load_scenario(file.parent) == load_scenario(file)
    assert load_scenario(file.parent).directory == file.parent


def test_a_relative_path_gives_an_absolute_directory(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write()
    monkeypatch.chdir(file.parent)
    assert load_scenario(Path("scenario.yaml")).directory == file.parent


def test_people_write_units(write: Write) -> None:
    more = """\
        resources: {cpus: 2, memory: 1.5GiB, disk: 500MB}
        design: {blocks: 5, warmups: 0, settle: 50ms}
    """
    scenario = load_scenario(write(more=more)).scenario
    assert (scenario.resources.memory, scenario.resources.disk) == (3 * 2**29, 5 * 10**8)
    assert scenario.design.settle == 50 * 10**6


def test_toml_says_the_same(write: Write) -> None:
    text = """\
        question = "How long?"
        name = "hello"
        targets = ["process", {target = "docker", options = {network = "none"}}]
        baseline = "process"
        [ready]
        when = "http"
        port = 8080
    """
    scenario = load_scenario(write(text, name="hello.toml")).scenario
    assert scenario.ready == ReadyHttp(when="http", port=8080)
    assert scenario.targets[1].label == "docker[network=none]"


def test_options_are_part_of_the_label_in_one_order() -> None:
    options: dict[str, str | int | bool] = {"b": 1, "a": True}
    assert TargetSpec(target="x", options=options).label == "x[a=true,b=1]"


def test_two_variants_of_one_target_are_two_targets(write: Write) -> None:
    more = "targets: [libvirt, {target: libvirt, options: {console: serial}}]\nbaseline: libvirt\n"
    labels = [spec.label for spec in load_scenario(write(more=more)).scenario.targets]
    assert labels == ["libvirt", "libvirt[console=serial]"]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("colour: red\n", "scenario.yaml:5: colour: unknown key (given: 'red')"),
        ("resources:\n  cpu: 2\n", "scenario.yaml:6: resources.cpu: unknown key (given: 2)"),
        ("resources:\n  cpus: '2'\n", "scenario.yaml:6: resources.cpus: must be a whole number (given: '2')"),
        (
            "resources:\n  cpus: true\n",
            "scenario.yaml:6: resources.cpus: must be a whole number (given: true)",
        ),
        (
            "resources:\n  cpus: 0\n",
            "scenario.yaml:6: resources.cpus: must be at least 1 (given: 0)",
        ),
        (
            "resources:\n  memory: lots\n",
            "scenario.yaml:6: resources.memory: 'lots' is not of the form \"256MiB\" (B, KiB, MiB, GiB, kB, MB, GB)",
        ),
        ("resources:\n  memory: 0B\n", "scenario.yaml:6: resources.memory: must be more than 0 (given: '0B')"),
        (
            "design:\n  settle: 30\n",
            "scenario.yaml:6: design.settle: the unit is missing, write for example 30s (given: 30)",
        ),
        (
            "resources:\n  memory: 268435456\n",
            "scenario.yaml:6: resources.memory: the unit is missing, write for example 256MiB (given: 268435456)",
        ),
        (
            "design:\n  settle: '30'\n",
            "scenario.yaml:6: design.settle: '30' has no unit; write \"30s\" (ns, us, ms, s, min, h, d)",
        ),
        (
            "targets: []\n",
            "scenario.yaml:5: targets: must not be empty (given: an empty list)",
        ),
        ("targets: [docker, docker]\n", "scenario.yaml:5: targets: docker is listed twice"),
        ("targets:\n- docker\n- {tarjet: x}\n", "scenario.yaml:7: targets.1.target: is missing"),
        (
            "headline: listening\n",
            "scenario.yaml:5: headline: 'listening' needs ready.when tcp or http, not 'first-line'",
        ),
        (
            "workload: {healthcheck: {test: [curl, -f]}}\n",
            "scenario.yaml:5: workload.healthcheck.test: begin the list with NONE, CMD, CMD-SHELL, or write one text",
        ),
        ("workload: {healthcheck: {test: ''}}\n", "workload.healthcheck.test: after CMD-SHELL one text follows"),
        (
            "workload: {healthcheck: {test: [CMD]}}\n",
            "workload.healthcheck.test: after CMD a program and its arguments",
        ),
        ("workload: {healthcheck: {test: [NONE, x]}}\n", "workload.healthcheck.test: after NONE no word follows"),
        ("workload: {healthcheck: {test: 7}}\n", "workload.healthcheck.test: must be a list"),
        ("workload: {healthcheck: {timeout: 3}}\n", "workload.healthcheck.timeout: the unit is missing"),
        ("workload: {healthcheck: {test: x, retry: 3}}\n", "workload.healthcheck.retry: unknown key"),
        ("headline: replied\n", "headline: 'replied' needs ready.when http, not 'first-line'"),
        ("headline: sometime\n", "scenario.yaml:5: headline: 'sometime' is not one of start_returned, kernel"),
        ("headline: [ready]\n", "scenario.yaml:5: headline: a list is not one of start_returned, kernel"),
        ("headline: {ready: 1}\n", "scenario.yaml:5: headline: keys and values is not one of start_returned, kernel"),
        ("baseline: podman\n", "scenario.yaml:5: baseline: 'podman' is not among the targets"),
        ("base: process\n", "scenario.yaml:5: base: this key is called 'baseline' now"),
        ("differs: [memory]\n", "scenario.yaml:5: differs: this key is called 'allowed_differences' now"),
        ("storm: {late: 1s}\n", "scenario.yaml:5: storm.late: this key is called 'storm.max_lateness' now"),
        ("headline: entered\n", "scenario.yaml:5: headline: 'entered' is called 'exec' now"),
        (
            "exercise: {where: box, parser: wrk, quick: {command: [wrk]}}\n",
            "scenario.yaml:5: exercise.where: this key no longer exists: an exercise always runs in the box",
        ),
        ("targets: [process, libvirt]\n", "scenario.yaml:1: baseline: 'docker' is not among the targets"),
        ("workload: {context: none}\n", "scenario.yaml:5: workload.context: the directory none does not exist"),
        ("workload: {dockerfile: /tmp}\n", "scenario.yaml:5: workload.dockerfile: /tmp is no file"),
        ("workload: {dockerfile: None}\n", "scenario.yaml:5: workload.dockerfile: None does not exist"),
        ("workload:\n  env: {A: 1}\n", "scenario.yaml:6: workload.env.A: must be text; put it in quotes"),
        (
            'workload:\n  command: ["a\\0b"]\n',
            "scenario.yaml:6: workload.command.0: 'a\\x00b' contains a NUL character",
        ),
        ('workload:\n  env: {A: "x\\0"}\n', "scenario.yaml:6: workload.env.A: 'x\\x00' contains a NUL character"),
        ("workload:\n  env: {A=B: x}\n", "scenario.yaml:6: workload.env.A=B: name an environment variable"),
        ("resources:\n  memory: 2000000GiB\n", "resources.memory: '2000000GiB' is more than 1048576GiB"),
        ("design:\n  idle: 99999999min\n", "design.idle: '99999999min' is more than 10080min"),
        ("workload:\n  command: []\n", "scenario.yaml:6: workload.command: must not be empty"),
        (f"resources:\n  memory: {'9' * 310}GiB\n", "scenario.yaml:6: resources.memory: '9999999999"),
        (f"design:\n  settle: {'9' * 310}s\n", "scenario.yaml:6: design.settle: '9999999999"),
        (f"storm:\n  interval: {'9' * 30}s\n", "scenario.yaml:6: storm.interval: must be at most 6048"),
        (
            "exercise:\n  parser: patterns\n  run: workload\n"
            "  patterns: {a_ns: {match: 'a{1,99999999999999999999}(b)'}}\n",
            "scenario.yaml:8: exercise.patterns.a_ns.match: 'a{1,99999999999999999999}(b)' is not a regular expression",
        ),
        (f"workload: {{dockerfile: {'d' * 5000}}}\n", "scenario.yaml:5: workload.dockerfile: ddd"),
        (f"workload: {{context: {'d' * 5000}}}\n", "scenario.yaml:5: workload.context: the directory ddd"),
    ],
)
def test_one_wrong_thing_is_named_with_its_line(write: Write, more: str, line: str) -> None:
    assert line in _error(write(more=more)).message


@pytest.mark.parametrize(
    ("ready", "line"),
    [
        ("{when: http}", "scenario.yaml:3: ready.port: is missing"),
        ("{when: tcp, port: 70000}", "scenario.yaml:4: ready.port: must be at most 65535 (given: 70000)"),
        ("{when: tcp, port: 1, path: /x}", "scenario.yaml:4: ready.path: unknown key (given: '/x')"),
        ("{when: log, text: ''}", "scenario.yaml:4: ready.text: must not be empty (given: '')"),
        ("{when: exit, code: 256}", "scenario.yaml:4: ready.code: must be at most 255 (given: 256)"),
        (
            "{when: soon}",
            "scenario.yaml:4: ready.when: 'soon' is not one of first-line, log, exit, tcp, http, healthcheck",
        ),
        ("{port: 1}", "scenario.yaml:3: ready.when: is missing"),
        ("first-line", "scenario.yaml:3: ready: must have keys and values (given: 'first-line')"),
        (
            "{when: http, port: 1, path: 'a b'}",
            "scenario.yaml:4: ready.path: begin with \"/\", without blanks (given: 'a b')",
        ),
    ],
)
def test_readiness_errors_do_not_show_the_machinery(write: Write, ready: str, line: str) -> None:
    assert line in _error(write(f"question: q\nname: n\nready:\n  {ready}\n")).message


def test_a_health_check_in_both_forms(write: Write) -> None:
    head = "question: q\nname: n\nready: {when: healthcheck}\n"
    keys = "test: curl -f http://localhost, timeout: 3s, interval: 10s, start_period: 1min, retries: 5"
    scenario = load_scenario(write(f"{head}workload: {{healthcheck: {{{keys}}}}}\n")).scenario
    assert scenario.ready.poll == 10**8
    check = scenario.workload.healthcheck
    assert check is not None
    assert (check.test, check.timeout, check.retries) == (("CMD-SHELL", "curl -f http://localhost"), 3 * 10**9, 5)
    assert Scenario.model_validate(scenario.model_dump()) == scenario, "a manifest keeps it"
    listed = load_scenario(write(f"{head}workload: {{healthcheck: {{test: [CMD, pg_isready, -q]}}}}\n")).scenario
    assert listed.workload.healthcheck is not None
    assert listed.workload.healthcheck.test == ("CMD", "pg_isready", "-q")


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("workload: {healthcheck: {test: [NONE]}}\n", "ready.when: 'healthcheck' needs a health check, and workload"),
        ("headline: listening\n", "headline: 'listening' needs ready.when tcp or http, not 'healthcheck'"),
        ("headline: replied\n", "headline: 'replied' needs ready.when http, not 'healthcheck'"),
    ],
)
def test_what_does_not_go_with_a_health_check(write: Write, more: str, line: str) -> None:
    assert line in _error(write(f"question: q\nname: n\nready: {{when: healthcheck}}\n{more}")).message


@pytest.mark.parametrize("name", ["", "Hello", "a_b", "-a", "a" * 41, "a b", "../a", "a\n"])
def test_a_name_is_safe_in_file_and_domain_names(write: Write, name: str) -> None:
    text = yaml.safe_dump({"question": "q", "name": name, "ready": {"when": "exit"}})
    message = _error(write(text)).message
    assert 'name: use a–z, 0–9 and "-" (not first), at most 40 characters (given: ' in message
    assert len(message) < 200


def test_all_problems_come_at_once_in_the_order_of_the_file(write: Write) -> None:
    text = """\
        question: ""
        nme: hello
        ready:
          when: http
          prot: 80
        resources:
          memory: much
    """
    lines = _error(write(text)).message.splitlines()
    assert lines[0] == "6 problems:"
    assert [line.split(": ")[:2] for line in lines[1:]] == [
        ["scenario.yaml:1", "question"],
        ["scenario.yaml:1", "name"],
        ["scenario.yaml:2", "nme"],
        ["scenario.yaml:3", "ready.port"],
        ["scenario.yaml:5", "ready.prot"],
        ["scenario.yaml:7", "resources.memory"],
    ]


def test_targets_and_options_are_checked_with_all_the_rest(write: Write) -> None:
    more = """\
        targets:
        - vmware
        - {target: libvirt, options: {nic: foo, bla: 1, kernel: [1]}}
        - docker[runtime=crun]
        - {target: gvisor, options: {program: relative}}
        - 7
        workload: {dockerfile: None}
        design: {blocks: 0}
    """
    lines = _error(write(more=dedent(more))).message.splitlines()
    assert [line.split(": ")[:2] for line in lines[1:]] == [
        ["scenario.yaml:6", "targets.0"],
        ["scenario.yaml:7", "targets.1.options.nic"],
        ["scenario.yaml:7", "targets.1.options.bla"],
        ["scenario.yaml:7", "targets.1.options.kernel"],
        ["scenario.yaml:8", "targets.2"],
        ["scenario.yaml:9", "targets.3.options.program"],
        ["scenario.yaml:10", "targets.4"],
        ["scenario.yaml:11", "workload.dockerfile"],
        ["scenario.yaml:12", "design.blocks"],
    ]
    assert "there is no target 'vmware' (the targets are: process, " in lines[1]
    assert "option 'nic' cannot be 'foo' (use one of: 'none', 'virtio')" in lines[2]
    assert "no option 'bla' (given: 1) (its options are: machine, " in lines[3]
    assert "{target: docker, options: {runtime: crun}}" in lines[5]


def test_a_file_that_an_option_names_may_be_another_hosts(write: Write) -> None:
    more = (
        "targets: [{target: gvisor, options: {program: /nowhere/runsc}}]\nbaseline: 'gvisor[program=/nowhere/runsc]'\n"
    )
    assert load_scenario(write(more=more)).scenario.targets[0].options == {"program": "/nowhere/runsc"}


def test_what_was_recorded_by_another_version_can_still_be_read() -> None:
    text = json.dumps(
        {"question": "q", "name": "n", "ready": {"when": "exit"}, "targets": ["warp"], "baseline": "warp"}
    )
    assert Scenario.model_validate_json(text).targets == (TargetSpec(target="warp"),)


def test_a_regular_expression_with_another_meaning_one_day_is_taken_without_a_warning(write: Write) -> None:
    ready = "question: q\nname: x\nready: {when: exit}\n"
    more = "exercise: {parser: patterns, run: workload, patterns: {a_ns: {match: '[[a](b)'}}}\n"
    assert load_scenario(write(ready, more)).scenario.exercise is not None


def test_a_path_that_cannot_be_looked_at_is_no_scenario() -> None:
    for name in ("x" * 5000, "x" * 300 + "/y", "/dev/null/x"):
        with pytest.raises(ScenarioError) as caught:
            load_scenario(find_scenario(name))
        assert caught.value.hint


def test_a_value_is_shown_short_and_harmless(write: Write) -> None:
    message = _error(write(more='headline: "\\e[31m' + "x" * 5000 + '"\n')).message
    assert "\x1b" not in message
    assert "xxx…' is not one of start_returned" in message
    assert len(message) < 300


def test_a_missing_dockerfile_is_a_scenario_error(write: Write) -> None:
    error = _error(write(dockerfile=False))
    assert "workload.dockerfile: Dockerfile does not exist" in error.message
    assert "workload.dockerfile" in error.hint


def test_base_may_name_one_accelerator(write: Write) -> None:
    assert load_scenario(write(more="baseline: libvirt/tcg\n")).scenario.baseline == "libvirt/tcg"


def test_scenarios_are_frozen(write: Write) -> None:
    loaded = load_scenario(write())
    with pytest.raises(ValidationError, match="frozen"):
        loaded.scenario.name = "other"  # type: ignore[misc]


def test_a_scenario_survives_json(write: Write) -> None:
    scenario = load_scenario(write(more="targets: [docker, {target: podman, options: {runtime: crun}}]\n")).scenario
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario


def test_narrowing_keeps_the_base_when_it_can(write: Write) -> None:
    loaded = load_scenario(write())
    assert narrowed(loaded, blocks=3).scenario.design.blocks == 3
    assert narrowed(loaded, targets=["docker", "process"]).scenario.baseline == "docker"
    assert narrowed(loaded, targets=["process", "gvisor"]).scenario.baseline == "process"
    assert narrowed(loaded).scenario == loaded.scenario


def test_the_schema_is_a_schema_and_accepts_what_we_ship() -> None:
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for name in shipped_scenarios():
        file = scenarios_dir() / name / "scenario.yaml"
        jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), schema)


def test_the_schema_has_defaults_that_it_accepts() -> None:
    schema = scenario_schema()
    for part in (schema, *schema["$defs"].values()):
        for said in part["properties"].values():
            if "default" in said:
                jsonschema.validate(said["default"], {"$defs": schema["$defs"], **said})


def test_the_schema_has_defaults_as_users_write_them() -> None:
    parts = scenario_schema()["$defs"]
    assert parts["Resources"]["properties"]["memory"]["default"] == "256MiB"
    assert parts["Design"]["properties"]["sample"]["default"] == "100ms"
    assert parts["FirstStart"]["properties"]["bandwidth"]["default"] == "100Mbit/s"
    scenario = {"question": "q", "name": "n", "ready": {"when": "exit"}}
    resources = {key: said["default"] for key, said in parts["Resources"]["properties"].items()}
    text = yaml.safe_dump({**scenario, "resources": resources, "workload": {"image": "redis:7"}})
    loaded = scenario_of_text(text, "defaults", Path("/"))
    assert loaded.scenario.resources == Resources()


@pytest.mark.parametrize(
    "change", [{"colour": 1}, {"resources": {"cpus": 0}}, {"name": "A B"}, {"resources": {"memory": "lots"}}]
)
def test_the_schema_refuses_what_the_loader_refuses(change: dict[str, object]) -> None:
    scenario = {"question": "q", "name": "n", "ready": {"when": "exit"}}
    jsonschema.validate(scenario, scenario_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**scenario, **change}, scenario_schema())


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenarios_state_their_question_in_the_first_line(name: str) -> None:
    loaded = load_scenario(scenarios_dir() / name)
    assert loaded.scenario.name == name
    assert loaded.text.splitlines()[0] == f"# {loaded.scenario.question}"


def test_mistyped_keys_and_targets_are_asked_about(write: Write) -> None:
    error = _error(write(more="redy: {when: first-line}\nresources: {disc: 1GiB}\ntargets: [dokcer]\n"))
    assert "redy: unknown key (did you mean 'ready'?)" in error.message.replace(" (given: {'when': 'first-line'})", "")
    assert "resources.disc: unknown key (given: '1GiB') (did you mean 'disk'?)" in error.message
    assert "there is no target 'dokcer' (did you mean 'docker'? the targets are: process, " in error.message


def test_a_mistyped_file_name_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(tmp_path / "Dockerfle")
    assert (caught.value.hint or "").startswith("did you mean 'Dockerfile'? name a scenario file")
