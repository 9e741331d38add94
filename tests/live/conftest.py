"""Fixtures of live tests, which use real engines through the command line."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import docker
import pytest

from bench.image.base import ensure_unpacked
from bench.scenario.model import LoadedScenario
from tests.lab import Lab
from tests.live.command import Command
from tests.oci_images import OciImage, make_image
from tests.registry import Registry, running_registry

_HERE: Final = Path(__file__).parent
SLEEPER: Final = """
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
CMD ["/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]
"""

HELLO: Final = ("/bin/busybox", "sh", "-c", "echo up; exec /bin/busybox sleep 1000")


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


@pytest.fixture(scope="session")
def busybox() -> bytes:
    """A static program for images that no engine has built."""
    with tarfile.open(ensure_unpacked("busybox", ("busybox-static",))) as tar:
        for name in ("./usr/bin/busybox", "./bin/busybox"):
            if name in tar.getnames() and (content := tar.extractfile(name)) is not None:
                return content.read()
    raise AssertionError("the package has no busybox")


@pytest.fixture(scope="session")
def app(busybox: bytes) -> OciImage:
    """An image that prints a line and sleeps."""
    return make_image({"/bin/busybox": busybox}, cmd=HELLO)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, app: OciImage) -> Iterator[Registry]:
    """A registry that has ``app:1``."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        running.push("app:1", app)
        yield running
