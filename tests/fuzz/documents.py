"""Files that users write: scenarios, limits, acknowledgements, kata's metrics."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from bench.compose.dotenv import read_variables
from bench.compose.load import load_compose_service
from bench.gate.bounds import read_bounds
from bench.gate.kata_limits import convert
from bench.history.acknowledge import read_acknowledgements
from bench.plan.matrix import check_matrix, check_names
from bench.plan.preview import preview
from bench.scenario.model import LoadedScenario, Scenario, load_scenario, narrowed
from bench.util.package_data import scenarios_dir
from tests.fuzz import mutate
from tests.fuzz.reader import Reader, again, same
from tests.kata import KATA

_MOST_PLANNED: Final = 2000

_LARGE: Final[dict[str, Any]] = {
    "question": "Does every key survive?",
    "name": "all-keys",
    "workload": {
        "dockerfile": "Dockerfile",
        "context": ".",
        "base": {"tag": "boxbench/x:1", "packages": ["busybox-static"], "variant": "extract"},
        "build": {"network": "none", "args": {"A": "1"}},
        "command": ["/bin/server", "--port", "80"],
        "env": {"MODE": "prod"},
    },
    "ready": {
        "when": "http",
        "port": 8080,
        "path": "/up",
        "status": 200,
        "contains": "ok",
        "timeout": "5s",
        "poll": "2ms",
    },
    "resources": {"cpus": 2, "memory": "256MiB", "disk": "1GiB"},
    "targets": ["process", {"target": "docker", "options": {"runtime": "crun"}}, "libvirt"],
    "baseline": "process",
    "headline": "replied",
    "design": {"blocks": 3, "warmups": 1, "settle": "100ms", "idle": "1s", "sample": "50ms"},
    "allowed_differences": {"memory": "a reason"},
}
_EXERCISED: Final[dict[str, Any]] = {
    "question": "How fast?",
    "name": "exercised",
    "ready": {"when": "log", "text": "ready"},
    "exercise": {
        "parser": "patterns",
        "headline": "rate_per_s",
        "quick": {"command": ["/load", "1"], "timeout": "5s", "operations": 10},
        "full": {"command": ["/load", "100"]},
        "patterns": {"rate_per_s": {"match": "rate: ([0-9.]+)", "scale": 1.5}},
    },
}
_STORM: Final[dict[str, Any]] = {
    "question": "How many at once?",
    "name": "storm",
    "ready": {"when": "tcp", "port": 80},
    "targets": ["docker", "runc"],
    "factors": {"concurrency": [2, 4], "memory": ["64MiB", "128MiB"], "cpus": 1, "cache": ["warm"]},
    "storm": {"interval": "5ms", "arrivals": "poisson", "max_lateness": "10ms"},
}
_BATCH: Final[dict[str, Any]] = {
    "question": "?",
    "name": "batch",
    "ready": {"when": "exit", "code": 0},
    "allowed_differences": ["memory", "kernel"],
    "factors": {"cache": "cold"},
}

TOML: Final = b"""question = "Is TOML read?"
name = "toml"
targets = ["docker", {target = "libvirt", options = {console = "serial"}}]

[ready]
when = "first-line"
timeout = "30s"

[resources]
cpus = 1
memory = "128MiB"

[design]
blocks = 5
settle = "200ms"

[workload.env]
A = '''text
'''
"""
BOUNDS: Final = b"""[[bound]]
scenario = "hello"
target = "docker"
metric = "endpoint.ready"
max = "300ms"

[[bound]]
target = "libvirt/tcg"
metric = "memory.pss.total"
min = "1MiB"
max = 20971520

[[bound]]
target = "docker[runtime=crun]"
metric = "exercise.get_per_s"
min = 100.5
"""
ACKNOWLEDGED: Final = b"""[[acknowledge]]
commit = "1a2b3c4"
reason = "the library is worth it"
cell = "hello/*"
metric = "endpoint.ready_ns"
host = "5f1d*"
until = 2031-02-03

[[acknowledge]]
commit = "deadbeefdeadbeef"
reason = "known"
"""


@cache
def _structures() -> tuple[bytes, ...]:
    return tuple(json.dumps(document).encode() for document in (_LARGE, _EXERCISED, _STORM, _BATCH))


@cache
def _yaml() -> tuple[bytes, ...]:
    shipped = [
        file.read_bytes() for name in ("hello", "web", "nginx") for file in [scenarios_dir() / name / "scenario.yaml"]
    ]
    return (*shipped, *(yaml.safe_dump(document).encode() for document in (_LARGE, _EXERCISED, _STORM, _BATCH)))


def _check_scenario(data: bytes, scratch: Path, name: str) -> None:
    file = scratch / name
    (scratch / "Dockerfile").touch()
    (scratch / "kernel").mkdir(exist_ok=True)
    file.write_bytes(data)
    loaded = load_scenario(file)
    scenario = loaded.scenario
    same(again(lambda: Scenario.model_validate_json(scenario.model_dump_json())), scenario)
    loaded.model_dump_json()
    _plan(loaded)


def _plan(loaded: LoadedScenario) -> None:
    """What ``boxbench plan`` does with a scenario."""
    few = narrowed(loaded, blocks=2)
    check_names([few])
    check_matrix([few])
    if len(few.scenario.factors.combinations()) * len(few.scenario.targets) < _MOST_PLANNED:
        preview([few], seed=1)


def _check_yaml(data: bytes, scratch: Path) -> None:
    _check_scenario(data, scratch, "scenario.yaml")


def _check_toml(data: bytes, scratch: Path) -> None:
    _check_scenario(data, scratch, "scenario.toml")


def _check_bounds(data: bytes, scratch: Path) -> None:
    (scratch / "bounds.toml").write_bytes(data)
    read_bounds(scratch / "bounds.toml")


def _check_acknowledged(data: bytes, scratch: Path) -> None:
    (scratch / "acknowledged.toml").write_bytes(data)
    read_acknowledgements(scratch / "acknowledged.toml")


def _check_kata(data: bytes, scratch: Path) -> None:
    """What was converted is a bounds file."""
    (scratch / "kata.toml").write_bytes(data)
    text, _ = convert(scratch / "kata.toml", "docker")
    (scratch / "bounds.toml").write_text(text, encoding="utf-8")
    again(lambda: read_bounds(scratch / "bounds.toml"))


COMPOSE: Final = b"""name: shop
x-common: &common
  environment: &env {LOG: info, ON: on}
  restart: always
services:
  base: {image: 'busybox:${TAG:-1}', volumes: ['data:/data']}
  web:
    <<: *common
    extends: base
    build: {context: ., args: ["A=${A-x}"], target: prod}
    entrypoint: /entry.sh --now
    command: [serve, -p, 80]
    environment: {<<: *env, DB: "postgres://${HOST:?set}/x", D: $$5}
    env_file: [{path: web.env, required: false}]
    ports: ['8080:80', 22:22, {target: 53, protocol: udp}]
    volumes: ['.:/app', '/app/modules', {type: tmpfs, target: /scratch}]
    configs: [{source: app, target: /etc/app}]
    healthcheck: {test: curl localhost, timeout: 1m30s}
    deploy: {replicas: 2, resources: {limits: {cpus: '1.5', memory: 512m}}}
    user: 1000
    stop_grace_period: 1m
volumes: {data: }
configs: {app: {file: ./web.env}}
"""
DOTENV: Final = b"""# variables
export A=1
B="two\\n${A}" # comment
C='single $A'
D=${NONE:-x} # y
HOST
E: yaml
"""


def _check_compose(data: bytes, scratch: Path) -> None:
    """What was accepted is a workload of a scenario."""
    directory = scratch / "compose"
    directory.mkdir(exist_ok=True)
    for name in ("Dockerfile", "web.env"):
        (directory / name).touch()
    (directory / "compose.yaml").write_bytes(data)
    service = load_compose_service(directory / "compose.yaml", "web", {"HOST": "db"})
    scenario = {"question": "?", "name": "compose", "ready": {"when": "first-line"}}
    text = json.dumps(scenario | {"workload": service.workload, "resources": service.resources})
    (directory / "scenario.yaml").write_text(text, encoding="utf-8")
    load_scenario(directory / "scenario.yaml")


def _check_dotenv(data: bytes, scratch: Path) -> None:
    (scratch / "some.env").write_bytes(data)
    read_variables(scratch / "some.env", {"HOST": "db"}.get)


def _check_raw(data: bytes, scratch: Path) -> None:
    (scratch / "raw.env").write_bytes(data)
    read_variables(scratch / "raw.env", {"HOST": "db"}.get, form="raw")


READERS: Final = (
    Reader("compose.yaml", lambda: (COMPOSE,), mutate.mixed(mutate.text, mutate.lines), _check_compose, share=25),
    Reader("some.env", lambda: (DOTENV,), mutate.text, _check_dotenv),
    Reader("raw.env", lambda: (b'# raw\nA="$x"\nHOST\nB=\n',), mutate.text, _check_raw),
    Reader("scenario.yaml", _yaml, mutate.mixed(mutate.text, mutate.lines), _check_yaml, share=25),
    Reader("scenario.document", _structures, mutate.structure, _check_yaml, share=25),
    Reader("scenario.toml", lambda: (TOML,), mutate.text, _check_toml),
    Reader("bounds.toml", lambda: (BOUNDS,), mutate.text, _check_bounds),
    Reader("acknowledged.toml", lambda: (ACKNOWLEDGED,), mutate.text, _check_acknowledged),
    Reader("kata.toml", lambda: (KATA.encode(),), mutate.text, _check_kata),
)
