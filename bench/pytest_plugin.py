"""The pytest fixture ``boxbench``: measure one cell in a test and assert on it.

    def test_starts_quickly(boxbench):
        docker = boxbench.measure("scenarios/my-api", target="docker", blocks=7)
        assert docker.at_most("endpoint.ready", 300e6)

pytest loads this module in every project where boxbench is installed: it imports nothing but pytest until it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bench.gate.measure import Measurement


class Boxbench:
    """What the fixture gives."""

    def __init__(self, directories: pytest.TempPathFactory) -> None:
        self._directories = directories

    def measure(
        self, scenario: str | Path, *, target: str, blocks: int = 5, accel: str = "auto", seed: int = 1
    ) -> Measurement:
        """Boot a scenario's box ``blocks`` times in one target, after its warm-ups; records stay in a temp directory.

        Args:
            scenario: a name of a shipped scenario, or the path of a scenario file or directory.
            target: ``docker``, or with options as in a scenario file: ``libvirt[console=serial]``.
            blocks: boots that count; 5 are the least that have an interval.
            accel: ``auto``, ``kvm`` or ``tcg``, for VMs.

        Raises:
            errors.TargetUnavailableError, errors.HostUnfitError: this host cannot run it. Nothing is
                skipped by itself: a test that did not measure must not look as if it had passed.
            errors.NotReadyError: not one boot gave a result.
            errors.UsageError: the scenario or the target's name is wrong, or the scenario's factors have several
                levels: each is a cell, and this measures one.
        """
        from bench.gate.measure import measure  # noqa: PLC0415 - a second that only its users shall spend

        out = self._directories.mktemp("boxbench") / "campaign"
        return measure(scenario, target=target, blocks=blocks, accel=accel, out=out, seed=seed)


@pytest.fixture(scope="session")
def boxbench(tmp_path_factory: pytest.TempPathFactory) -> Boxbench:
    """Measures cells of boxbench scenarios: see ``Boxbench.measure``."""
    return Boxbench(tmp_path_factory)
