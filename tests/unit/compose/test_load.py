"""Which service is taken, what it extends, and where variables come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.compose.load import compose_argument, compose_file_in, load_compose_service
from bench.util.errors import ScenarioError


def write(directory: Path, text: str, name: str = "compose.yaml") -> Path:
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_an_argument_names_a_file_and_a_service(tmp_path: Path) -> None:
    scenario = write(tmp_path, "question: a\nservices: 1\n", "scenario.yaml")
    other = write(tmp_path, "services: {}\n", "stack.yml")
    broken = write(tmp_path, "services: [\n", "broken.yml")
    assert compose_argument("compose.yaml:web") == (Path("compose.yaml"), "web")
    assert compose_argument("a/docker-compose.yml") == (Path("a/docker-compose.yml"), None)
    assert compose_argument(str(other)) == (other, None)
    for text in ("redis:7", "compose.yaml:", "oci-archive:app.tar", ".", str(scenario), str(broken), "none.yaml", ""):
        assert compose_argument(text) is None, text


def test_the_compose_file_of_a_directory(tmp_path: Path) -> None:
    assert compose_file_in(tmp_path) is None
    older = write(tmp_path, "", "docker-compose.yml")
    assert compose_file_in(tmp_path) == older
    newer = write(tmp_path, "", "compose.yaml")
    assert compose_file_in(tmp_path) == newer


@pytest.mark.parametrize(
    ("services", "chosen"),
    [
        ("{web: {image: a}}", "web"),
        ("{web: {image: a}, debug: {image: b, profiles: [debug]}}", "web"),
        ("{debug: {image: b, profiles: [debug]}}", "debug"),
    ],
)
def test_the_only_service_is_taken(tmp_path: Path, services: str, chosen: str) -> None:
    assert load_compose_service(write(tmp_path, f"services: {services}\n"), None, {}).service == chosen


@pytest.mark.parametrize(
    ("text", "service", "message"),
    [
        (
            "services: {web: {image: a}, db: {image: b}}\n",
            None,
            "has 2 services: web, db (name one, as in compose.yaml:web)",
        ),
        ("services: {web: {image: a}}\n", "wbe", "has no service 'wbe' (did you mean 'web'? its services: web)"),
        ("services: {}\n", None, "has no services"),
        ("name: shop\n", "web", "has no service 'web'"),
        ("services: {web: }\n", "web", "compose.yaml:1: services.web: must have keys and values"),
        (
            "service: {web: {image: a}}\nservices: {web: {image: a}}\n",
            "web",
            "compose.yaml:1: service: unknown key (did you mean 'services'?)",
        ),
        ("- a\n", "web", "the file holds list, not keys and values"),
        ("services: {web: {image: a, image: b}}\n", "web", "the key 'image' is given twice"),
        ("services: [web]\n", "web", "has no service 'web'"),
    ],
)
def test_problems(tmp_path: Path, text: str, service: str | None, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_compose_service(write(tmp_path, text), service, {})
    assert message in caught.value.advice


def test_only_the_service_itself_needs_its_variables(tmp_path: Path) -> None:
    path = write(tmp_path, "services: {web: {image: a}, db: {image: '${NONE}', privileged: true, odd: 1}}\n")
    assert load_compose_service(path, "web", {}).workload == {"image": "a"}


def test_the_environment_comes_before_the_file_env(tmp_path: Path) -> None:
    write(tmp_path, "TAG=1\nNAME=b$OUT\n", ".env")
    text = "name: shop\nservices: {web: {image: '${COMPOSE_PROJECT_NAME}/${NAME}:${TAG}'}}\n"
    path = write(tmp_path, text)
    assert load_compose_service(path, None, {"TAG": "2", "OUT": "o"}).workload == {"image": "shop/bo:2"}


def test_the_project_is_named_after_its_directory(tmp_path: Path) -> None:
    path = write(tmp_path, "services: {web: {image: '$COMPOSE_PROJECT_NAME'}}\n", "My Shop_1/compose.yaml")
    assert load_compose_service(path, None, {}).workload == {"image": "myshop_1"}


def test_a_service_extends_others(tmp_path: Path) -> None:
    write(tmp_path, "A=1\n", "common/base.env")
    write(tmp_path, "", "common/app.conf")
    write(
        tmp_path,
        """services:
  root: {image: 'root:${TAG}', user: web, command: [old]}
  base:
    extends: root
    env_file: base.env
    environment: {B: "1", C: "1"}
    expose: [80]
    volumes: ["./app.conf:/etc/app.conf", "data:/data"]
    healthcheck: {test: [CMD, old], timeout: 5s}
""",
        "common/base.yaml",
    )
    path = write(
        tmp_path,
        """services:
  web:
    extends: {file: common/base.yaml, service: base}
    command: new
    environment: ["C=2", "D=2"]
    expose: [90]
    volumes: ["other:/data"]
    healthcheck: {test: [CMD, new]}
volumes: {other: }
""",
    )
    loaded = load_compose_service(path, "web", {"TAG": "3"})
    assert loaded.workload == {
        "image": "root:3",
        "user": "web",
        "command": ["new"],
        "env": {"A": "1", "B": "1", "C": "2", "D": "2"},
        "healthcheck": {"test": ["CMD", "new"], "timeout": "5s"},
        "volumes": ["/data"],
        "files": {"/etc/app.conf": "common/app.conf"},
    }
    assert loaded.ports == (80, 90)


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ("{web: {extends: web}}", "web extends web (services must not extend each other in a circle)"),
        ("{web: {extends: a}, a: {extends: {service: web}}}", "web extends a extends web"),
        ("{web: {extends: none}}", "has no service 'none'"),
        ("{web: {extends: {service: a, file: none.yaml}}}", "none.yaml: No such file or directory"),
        ("{web: {image: a, extends: {file: a.yaml}}}", "services.web.extends: names no service"),
        ("{web: {image: a, extends: {service: b, fil: c}}, b: {}}", "services.web.extends.fil: unknown key"),
    ],
)
def test_problems_of_extends(tmp_path: Path, services: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_compose_service(write(tmp_path, f"services: {services}\n"), "web", {})
    assert message in caught.value.advice


def test_a_problem_in_an_extended_file_names_that_file(tmp_path: Path) -> None:
    write(tmp_path, "services:\n  base:\n    image: a\n    privilegd: true\n", "base.yaml")
    path = write(tmp_path, "services:\n  web:\n    extends: {file: base.yaml, service: base}\n")
    with pytest.raises(ScenarioError, match=r"base\.yaml:4: services\.base\.privilegd: unknown key"):
        load_compose_service(path, "web", {})


def test_anchors_and_merge_keys_keep_their_lines(tmp_path: Path) -> None:
    text = """x-common: &common
  environment: &env {LOG: info}
  mem_limit: lots
services:
  web:
    <<: *common
    image: a
    environment:
      <<: *env
      LEVEL: "2"
"""
    with pytest.raises(ScenarioError, match=r"compose\.yaml:3: services\.web\.mem_limit: must be a size"):
        load_compose_service(write(tmp_path, text), "web", {})
    loaded = load_compose_service(write(tmp_path, text.replace("lots", "64m")), "web", {})
    assert loaded.workload["env"] == {"LOG": "info", "LEVEL": "2"}


@pytest.mark.parametrize("kind", ["configs", "secrets"])
def test_a_list_of_files_that_is_no_mapping_has_none(tmp_path: Path, kind: str) -> None:
    text = f"services: {{web: {{image: a, {kind}: [one]}}}}\n{kind}: 1\n"
    with pytest.raises(ScenarioError, match=f"there is no {kind[:-1]} 'one'"):
        load_compose_service(write(tmp_path, text), "web", {})


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    file = write(tmp_path, "include: [other.yaml]\nservices: {web: {image: a}}\n")
    write(tmp_path, "services: {web: {image: b}}\n", "compose.override.yaml")
    service = load_compose_service(file, "web", {})
    assert service.workload["image"] == "a"
    assert service.notes == (
        "compose.override.yaml is not read: a service is taken from one file.",
        "include: the files that it names are not read, so services that they change are as they stand here.",
    )
    with pytest.raises(ScenarioError) as caught:
        load_compose_service(file, "db", {})
    assert "those of the files that `include` names are not read: name their own file" in caught.value.hint
    alone = write(tmp_path, "services: {web: {image: a}}\n", "stack.yaml")
    assert load_compose_service(alone, "web", {}).notes == ()


def test_a_fifo_in_the_place_of_an_env_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "variables")
    file = write(tmp_path, "services: {web: {image: a, env_file: variables}}\n")
    with pytest.raises(ScenarioError, match="variables: it is a FIFO, not a file"):
        load_compose_service(file, "web", {})
    os.mkfifo(tmp_path / "fifo.yaml")
    with pytest.raises(ScenarioError, match="it is a FIFO, not a file"):
        load_compose_service(tmp_path / "fifo.yaml", "web", {})
    assert compose_argument(str(tmp_path / "fifo.yaml")) is None
