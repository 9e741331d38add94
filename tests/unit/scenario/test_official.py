"""The bundled images in the style of official ones have what such images have, and can run beside each other."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import pytest

from bench.scenario.model import load_scenario
from bench.util.package_data import scenarios_dir, scenarios_named, shipped_scenarios

NAMES: Final = ("java", "mariadb", "memcached", "nginx", "node", "postgres", "python", "redis")
WITH_DATA: Final = ("mariadb", "postgres", "redis")
DROPS_ROOT: Final = {"mariadb": "exec gosu mysql", "postgres": "exec gosu postgres", "redis": "exec setpriv"}


def folder(name: str) -> Path:
    return scenarios_dir() / f"official-{name}"


def dockerfile(name: str) -> str:
    return (folder(name) / "Dockerfile").read_text(encoding="utf-8")


def port(name: str) -> str:
    found = re.findall(r"^EXPOSE (\d+)$", dockerfile(name), re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def test_one_name_stands_for_all_of_them() -> None:
    assert [path.name for path in scenarios_named("official")] == [f"official-{name}" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_ready_when_its_own_healthcheck_passes(name: str) -> None:
    scenario = load_scenario(folder(name)).scenario
    assert scenario.ready.when == "healthcheck"
    assert scenario.workload.healthcheck is None, "the image's own"
    assert re.search(r"^HEALTHCHECK ", dockerfile(name), re.MULTILINE)
    assert tuple(spec.target for spec in scenario.targets) == ("process", "runc", "docker", "libvirt")


def test_ports_are_those_of_no_other_bundled_scenario() -> None:
    """The bare process uses the host's network."""
    ports = [port(name) for name in NAMES]
    assert len(set(ports)) == len(ports)
    others = [name for name in shipped_scenarios() if not name.startswith("official-")]
    texts = [file.read_text("utf-8") for name in others for file in (scenarios_dir() / name).glob("Dockerfile")]
    assert not [found for found in ports for text in texts if f"EXPOSE {found}" in text]
    for name, found in zip(NAMES, ports, strict=True):
        files = [path.read_text("utf-8") for path in folder(name).iterdir() if path.name != "scenario.yaml"]
        assert sum(found in text for text in files) >= 1
        assert "0.0.0.0" not in "".join(files)


@pytest.mark.parametrize("name", NAMES)
def test_each_has_an_entry_point_and_gives_up_root(name: str) -> None:
    script = folder(name) / "docker-entrypoint.sh"
    if script.exists():
        assert os.access(script, os.X_OK)
        assert re.search(r"^ENTRYPOINT .*docker-entrypoint\.sh", dockerfile(name), re.MULTILINE)
    if name in DROPS_ROOT:
        assert DROPS_ROOT[name] in script.read_text(encoding="utf-8")
    elif name == "nginx":
        assert "user www-data;" in (folder(name) / "nginx.conf").read_text(encoding="utf-8")
    else:
        assert re.search(r"^USER (?!root|0)\S+$", dockerfile(name), re.MULTILINE)


@pytest.mark.parametrize("name", WITH_DATA)
def test_data_is_in_a_volume(name: str) -> None:
    assert re.search(r"^VOLUME /", dockerfile(name), re.MULTILINE)
