"""The pytest fixture ``boxbench``: measure one cell in a test and assert on it.

    def test_starts_quickly(boxbench):
        docker = boxbench.measure("scenarios/my-api", target="docker", blocks=7)
        assert docker.at_most("endpoint.ready", 300e6)

pytest loads this module in every project where boxbench is installed, so it imports only pytest until it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bench.gate.measure import Measurement


class Boxbench:
    """The value of the fixture ``boxbench``."""

    def __init__(self, directories: pytest.TempPathFactory) -> None:
        self._directories = directories

    def measure(
        self, scenario: str | Path, *, target: str, blocks: int = 5, accel: str = "auto", seed: int = 1
    ) -> Measurement:
        """Boot a scenario's box ``blocks`` times in one target, after its warm-ups.

        Records are kept in a temporary directory.

        Args:
            scenario: the name of a bundled scenario, or the path of a scenario file or directory.
            target: ``docker``, or with options as in a scenario file: ``libvirt[console=serial]``.
            blocks: measured boots; a median needs 5 for an interval.
            accel: ``auto``, ``kvm`` or ``tcg``, for VMs.

        Raises:
            errors.TargetUnavailableError, errors.HostUnfitError: this host cannot run it. The test
                is not skipped: a test that did not measure must not look as if it had passed.
            errors.NotReadyError: no boot gave a result.
            errors.UsageError: the scenario or the target's name is wrong, or the scenario's factors have several
                levels, so that the target is more than one cell.
        """
        from bench.gate.measure import measure  # noqa: PLC0415 - importing takes a second, which only users of the fixture should spend

        out = self._directories.mktemp("boxbench") / "campaign"
        return measure(scenario, target=target, blocks=blocks, accel=accel, out=out, seed=seed)


@pytest.fixture(scope="session")
def boxbench(tmp_path_factory: pytest.TempPathFactory) -> Boxbench:
    """Measures cells of boxbench scenarios: see ``Boxbench.measure``."""
    return Boxbench(tmp_path_factory)
