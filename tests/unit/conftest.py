"""Fixtures that several packages' tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.scenario.model import LoadedScenario, load_scenario
from bench.util import lease
from bench.util.package_data import scenarios_dir


@pytest.fixture(autouse=True)
def _leases() -> Iterator[None]:
    """Each test may have a cache of its own, and a process keeps those that it uses open."""
    yield
    lease.leave_all()


@pytest.fixture
def hello() -> LoadedScenario:
    """The shipped scenario ``hello``."""
    return load_scenario(scenarios_dir() / "hello")
