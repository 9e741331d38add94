"""Fixtures of live tests, which use real engines through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import docker
import pytest

from tests.lab import Lab
from tests.live.command import Command

_HERE: Final = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this folder is ``live``."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.live)


@pytest.fixture
def boxbench(lab: Lab, docker_client: docker.DockerClient, tmp_path: Path) -> Command:
    """The command line in an empty directory, using the session's engine."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    return Command(cwd, lab, {"DOCKER_HOST": lab.docker_host})
