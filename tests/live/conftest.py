"""Live tests use real engines. In CI nothing skips silently: a missing engine is a failure there."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Final

import docker
import pytest

from tests.lab import Lab
from tests.live.command import Command
from tests.needs import HOST_CANNOT, in_ci

_HERE: Final = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this folder is ``live``."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.live)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI turn a skip into a failure, unless the reason is one that no package can remove."""
    report = yield
    if in_ci() and report.skipped and not hasattr(report, "wasxfail") and item.path.is_relative_to(_HERE):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if HOST_CANNOT not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where everything is installed: {reason}"
    return report


@pytest.fixture
def boxbench(lab: Lab, docker_client: docker.DockerClient, tmp_path: Path) -> Command:
    """The command line in an empty directory, using the session's engine."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    return Command(cwd, lab, {"DOCKER_HOST": lab.docker_host})
