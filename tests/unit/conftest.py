"""Fixtures that several packages' tests share."""

from __future__ import annotations

import pytest

from bench.scenario.model import LoadedScenario, load_scenario
from bench.util.package_data import scenarios_dir


@pytest.fixture
def hello() -> LoadedScenario:
    """The shipped scenario ``hello``."""
    return load_scenario(scenarios_dir() / "hello")
