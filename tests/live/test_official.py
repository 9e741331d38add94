"""An image in the style of official ones becomes healthy in every kind of box, with its volume and its entry script."""

from __future__ import annotations

import pytest

from bench.scenario.model import load_scenario
from bench.util.package_data import find_scenario
from tests.lab import Lab

pytestmark = pytest.mark.live


@pytest.mark.parametrize("target", ["process", "runc", "docker", "libvirt"])
def test_redis_with_a_volume_an_entry_script_and_a_healthcheck(lab: Lab, target: str) -> None:
    done = lab.run(target, load_scenario(find_scenario("official-redis")))
    assert done.record.failure is None
    # Redis would not start where its user may not enter the volume: the entry script has handed it over.
    assert done.record.health is not None
    assert done.record.health.attempts >= 1
    done.assert_gone()
