"""Fixtures of live tests, which use real engines through the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import docker
import pytest

from bench.scenario.model import LoadedScenario
from tests.lab import Lab
from tests.live.command import Command

_HERE: Final = Path(__file__).parent
SLEEPER: Final = """
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
CMD ["/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this folder is ``live``."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def loaded(make_scenario: Callable[..., LoadedScenario]) -> LoadedScenario:
    """A workload that prints a line and sleeps, for tests of targets that need nothing else of it."""
    return make_scenario(SLEEPER, name="sleeper")


@pytest.fixture
def boxbench(lab: Lab, docker_client: docker.DockerClient, tmp_path: Path) -> Command:
    """The command line in an empty directory, using the session's engine."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    return Command(cwd, lab, {"DOCKER_HOST": lab.docker_host})
