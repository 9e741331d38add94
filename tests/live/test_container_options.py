"""Options of container targets: no network namespace, storage without copy-on-write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.engines.containerd import chain_id
from bench.image.build import build_image
from bench.image.saved import layer_digests
from bench.records.record import Endpoint, Record
from bench.scenario.model import LoadedScenario, TargetSpec
from bench.scenario.readiness import ReadyLog
from bench.targets.base import Target
from bench.targets.containers.containerd import _ContainerdBox
from bench.targets.table import make_target
from tests.lab import Lab, ProxiedTarget

MIB = 2**20
PAYLOAD_BYTES = 6 * MIB
# The workload looks for itself at which network namespace it is in; `busybox dd` makes a tree whose size is known.
DOCKERFILE = f"""
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
RUN ["/bin/busybox", "dd", "if=/dev/urandom", "of=/payload", "bs=1M", "count={PAYLOAD_BYTES // MIB}"]
CMD ["/bin/busybox", "sh", "-c", "echo $(busybox readlink /proc/self/ns/net) up; exec busybox sleep 1000"]
"""


@pytest.fixture(scope="session")
def loaded(make_scenario: Callable[..., LoadedScenario]) -> LoadedScenario:
    return make_scenario(DOCKERFILE, name="variants")


def run(lab: Lab, loaded: LoadedScenario, target: Target) -> Record:
    """One trial from request to gone, that leaves nothing."""
    trialed = lab.run(target, loaded)
    assert trialed.record.outcome == "ok", trialed.record.failure
    assert {Endpoint.REQUESTED, Endpoint.READY, Endpoint.GONE} <= set(trialed.record.endpoints_ns)
    trialed.assert_gone()
    return trialed.record


def saying(loaded: LoadedScenario, text: str) -> LoadedScenario:
    """Ready only when the workload has said this."""
    ready = ReadyLog(when="log", text=text, timeout=90 * 10**9)
    return loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"ready": ready})})


@pytest.mark.parametrize("name", ["docker", "docker-cli"])
def test_a_container_without_a_network_namespace(name: str, lab: Lab, loaded: LoadedScenario) -> None:
    """It is in the engine's; and what must be equal still is: the same user, limits and tree."""
    dockerd = lab.engines.docker.daemon_pids.get("dockerd")
    own = Path(f"/proc/{dockerd or 'self'}/ns/net").readlink()
    target = lab.make(name, network="host")
    host = run(lab, saying(loaded, f"{own} up"), target)
    assert target.describe()["network"] == "the host's: no network namespace"
    default = run(lab, loaded, lab.make(name))
    must = ("argv", "uid", "gid", "groups", "cwd", "cpus", "memory_limit_bytes", "hostname")
    assert {fact: host.inside.get(fact) for fact in must} == {fact: default.inside.get(fact) for fact in must}


def test_a_bridge_that_is_not_there_is_said_beforehand(lab: Lab, loaded: LoadedScenario) -> None:
    target = make_target(TargetSpec(target="docker", options={"network": "bridge"}), lab.engines, accel="tcg")
    reason = target.why_unavailable()
    if lab.engines.docker.private:
        assert reason is not None
        assert "no network 'bridge' (it has host, none)" in reason
    elif reason is None:
        run(lab, loaded, target)


def test_storage_without_copy_on_write_holds_the_whole_tree(lab: Lab, loaded: LoadedScenario) -> None:
    """A copy for each container, which goes with it: from containerd's book and from the disk."""
    target, image = lab.make("containerd", snapshotter="native"), build_image(lab.store, loaded, lambda _text: None)
    target.prepare(image, loaded.scenario.resources, loaded.scenario.ready)
    api = lab.engines.containerd.api
    assert api.has_snapshot(chain_id(layer_digests(lab.store, image)), snapshotter="native")
    proxied = ProxiedTarget(target)
    copied = run(lab, loaded, proxied)
    assert copied.disk_bytes["box.allocated"] >= PAYLOAD_BYTES
    (order,), (box,) = proxied.orders, proxied.boxes
    assert isinstance(box, _ContainerdBox)
    (directory,), tag = (mount.own for mount in box._mounts), order.tag
    assert directory is not None
    assert directory.parent.is_dir()
    assert not directory.exists()
    assert tag not in api.containers()
    assert not any(api.has_snapshot(tag, snapshotter=kind) for kind in ("native", "overlayfs"))


def test_storage_with_copy_on_write_holds_what_was_written(lab: Lab, loaded: LoadedScenario) -> None:
    record = run(lab, loaded, lab.make("containerd"))
    assert record.disk_bytes["box.allocated"] < PAYLOAD_BYTES
