"""Volumes are the box's own: what it writes there counts as its disk, and they go with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from bench.scenario.model import LoadedScenario, Resources
from tests.lab import Lab

WRITTEN: Final = 3 * 2**20
DOCKERFILE: Final = """
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
COPY kept /data/kept
VOLUME /data /fresh/one
CMD ["/bin/busybox", "sh", "-c", "dd if=/dev/urandom of=/data/new bs=1M count=3 2>/dev/null && cat /data/kept && \
exec sleep 1000"]
"""


@pytest.fixture(scope="session")
def writer(make_scenario: Callable[..., LoadedScenario]) -> LoadedScenario:
    """A workload that writes into its volume and then shows what the image put there, which makes it ready."""
    resources = Resources(cpus=1, memory=128 * 2**20, disk=64 * 2**20)
    return make_scenario(DOCKERFILE, name="volumes", files={"kept": "kept by the image\n"}, resources=resources)


@pytest.mark.parametrize("name", ["process", "namespaces", "bubblewrap", "runc", "containerd", "docker", "podman"])
def test_a_volume_is_filled_counted_and_removed(lab: Lab, writer: LoadedScenario, name: str) -> None:
    volumes = _volumes(lab)
    boot = lab.run(name, writer)
    assert boot.record.outcome == "ok", boot.record.failure
    assert boot.record.disk_bytes["box.at_stop"] >= WRITTEN
    boot.assert_gone()
    assert _volumes(lab) == volumes


def _volumes(lab: Lab) -> set[str]:
    of_docker = {volume.name for volume in lab.client.volumes.list()}
    of_podman = lab.engines.podman.storage / "volumes"
    return of_docker | {path.name for path in Path(of_podman).glob("*/_data")}
