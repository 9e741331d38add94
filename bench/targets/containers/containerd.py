"""A container through containerd's API: Docker without dockerd. Shim and runc are those that Docker uses.

The request makes the calls of any client of containerd: a writable snapshot, the container's record (then `created`),
the task, and its start. Every client writes the container's spec itself, as dockerd does; ours comes from
``bench.targets.containers.oci``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from bench.agent.channel import Fifos
from bench.engines.containerd import ContainerdEngine, chain_id
from bench.engines.containerd_api import ContainerdApi, ContainerdError, SnapshotMount
from bench.engines.grpc_call import NOT_FOUND
from bench.engines.lazy import Engines
from bench.host.cgroup import parents_for_runtimes
from bench.host.disk import allocated_bytes
from bench.host.processes import OUTPUT_DRAIN_S, children_of, find_by_argument, parent_of, wait_ended
from bench.host.run_directory import box_labels
from bench.image.etc_files import ETC_FILES
from bench.image.model import Image
from bench.image.saved import ensure_archive, layer_digests
from bench.image.stores.choice import image_store
from bench.records.component import Component
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options, with_defaults
from bench.scenario.target_table import SNAPSHOTTERS, TARGETS
from bench.targets.base import Box, Order, Output
from bench.targets.containers.oci import contents_of, oci_config
from bench.targets.containers.retry import removal_attempts
from bench.targets.rootfs_box import agent_user, open_channel
from bench.targets.volumes import make_volumes, volumes_bytes
from bench.util.clip import clip_file
from bench.util.errors import BoxbenchError, LaunchError, TeardownError
from bench.util.steps import step

SHIM: Final = "containerd-shim-runc-v2"
SHIM_PATIENCE_S: Final = 5.0


class ContainerdTarget:
    """Containers without network, run by runc, on storage with or without copy-on-write."""

    name: ClassVar[str] = "containerd"
    accel = "native"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del accel
        check_options(self.name, options, TARGETS[self.name].options)
        self._snapshotter = with_defaults(options, TARGETS[self.name].options)["snapshotter"]
        self._engines = engines

    def why_unavailable(self) -> str | None:
        """Needs containerd, running or startable, with the snapshotter."""
        try:
            has = self._engines.containerd.api.snapshotters()
        except BoxbenchError as error:
            return f"{self.name}: {error.message}"
        if self._snapshotter in has:
            return None
        return f"{self.name}: containerd has no snapshotter {self._snapshotter!r} (it has {', '.join(has) or 'none'})"

    def describe(self) -> dict[str, str]:
        """Versions of containerd and runc, snapshotter, request, isolation."""
        return {
            **self._engines.containerd.describe(),
            "storage": SNAPSHOTTERS[self._snapshotter],
            "request": "gRPC API: snapshot, container, task create + start",
            "isolation": "namespaces (no user namespace), Docker's default capabilities; no seccomp, no AppArmor",
            "network": "none: a namespace with loopback only",
            "limits": "cpuset and memory control group of the container; what serves it is bound to no CPUs",
        }

    def daemons(self) -> dict[str, int]:
        """The pid of containerd."""
        return self._engines.containerd.daemon_pids

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Load the image from the archive that Docker saves."""
        del resources, ready
        archive = ensure_archive(image_store(self._engines), image)
        with step("load"):
            self._engines.containerd.load(archive, self._chain(image), snapshotter=self._snapshotter)
        # Otherwise the first box would pay for the deletion of what others have removed.
        self._engines.containerd.api.collect_garbage(self._engines.run_dir.name)
        return {}

    def _chain(self, image: Image) -> str:
        return chain_id(layer_digests(image_store(self._engines), image))

    @contextmanager
    def provision(self, order: Order) -> Iterator[_ContainerdBox]:
        """Make the FIFOs and the output files. Snapshot and container are part of the request."""
        with ExitStack() as stack:
            stack.enter_context(parents_for_runtimes())
            ends = stack.enter_context(open_channel(order.directory / "ch", order, agent=agent_user(order)))
            # Each box has its own connection, open before the request: boxes of a storm must not wait for each other.
            api = ContainerdApi(self._engines.containerd.api.socket)
            stack.callback(api.close)
            api.version()
            layers = _Layers(self._chain(order.image), self._snapshotter)
            box = _ContainerdBox(order, ends, self._engines.containerd, api, layers)
            stack.callback(box.remove)
            yield box


@dataclass(frozen=True)
class _Layers:
    """The storage below a container."""

    chain: str
    """The chain id of the image's top layer."""
    snapshotter: str


class _ContainerdBox(Box):
    channel: Fifos

    def __init__(
        self, order: Order, ends: Fifos, engine: ContainerdEngine, api: ContainerdApi, layers: _Layers
    ) -> None:
        self.channel = ends
        self._api = api
        self._order = order
        self._engine = engine
        self._layers = layers
        self._mounts: tuple[SnapshotMount, ...] = ()
        self._volumes = make_volumes(order)
        self._agent: int | None = None
        # The container was requested, and containerd has not confirmed it.
        self._pending = False
        self._stdout, self._stderr = order.storage / "stdout", order.storage / "stderr"
        for file in (self._stdout, self._stderr):
            file.touch()
        self._etc = dict(_etc_files(order.storage))

    def start(self) -> None:
        """Make snapshot, container and task, and start the task. Raises LaunchError."""
        api, order, snapshotter = self._api, self._order, self._layers.snapshotter
        # Relative to the bundle. containerd makes the bundle, and the shim mounts the snapshot in it.
        contents = contents_of(
            order, root="rootfs", channel=self.channel.directory, volumes=self._volumes, files=self._etc
        )
        spec = oci_config(contents)
        self._pending = True
        try:
            self._mounts = api.prepare_snapshot(order.tag, self._layers.chain, snapshotter=snapshotter)
            api.create_container(
                order.tag,
                image=order.image.ref,
                spec=spec,
                labels=box_labels(order.tag),
                runc_state=self._engine.runc_state,
                snapshotter=snapshotter,
            )
            order.mark(Endpoint.CREATED)
            self._agent = api.create_task(order.tag, self._mounts, stdout=self._stdout, stderr=self._stderr)
            api.start_task(order.tag)
            self._pending = False
        except ContainerdError as error:
            raise LaunchError(
                error.message, hint="`boxbench targets` shows whether containerd works on this host"
            ) from None

    def main_pid(self) -> int | None:
        """The host pid of the agent."""
        return None if self._agent is None or wait_ended(self._agent, timeout_s=0) else self._agent

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The agent, the workload, and the container's shim."""
        agent = self.main_pid()
        if agent is None:
            return {}
        found: dict[str, Sequence[int]] = {Component.AGENT: (agent,), Component.WORKLOAD: children_of(agent)}
        shim = parent_of(agent)
        # When the shim has ended, the parent is PID 1 or this process.
        return found if shim in (None, 1, os.getpid()) else {**found, Component.SHIM: (shim,)}

    def stop(self) -> None:
        """Send SIGTERM to the agent, which sends the image's stop signal to the workload."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the agent."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ContainerdError):  # it has ended already
            self._api.kill_task(self._order.tag, number)

    def remove(self) -> None:
        """Remove task, container and snapshot, if they exist, and those that containerd is still making.

        Other leftovers are found by their tag. Raises TeardownError: the snapshot stays.
        """
        for _ in removal_attempts(pending=self._pending):
            self._remove_task()
            if self._remove_snapshot():
                return

    def _remove_task(self) -> None:
        api, tag = self._api, self._order.tag
        self.kill()
        shim = find_by_argument(tag, program=SHIM)
        for remove in (api.wait_task, api.delete_task, api.delete_container):
            with suppress(ContainerdError):
                remove(tag)
        # Deleting the task only asks the shim to end.
        if shim is not None:
            wait_ended(shim, timeout_s=SHIM_PATIENCE_S)

    def _remove_snapshot(self) -> bool:
        """Remove the snapshot. Returns whether there was one. Raises TeardownError."""
        api, tag = self._api, self._order.tag
        try:
            api.remove_snapshot(tag, snapshotter=self._layers.snapshotter)
            # The call only marks the snapshot. Docker's engine, for comparison, has deleted the files when it answers.
            api.collect_garbage(tag)
        except ContainerdError as error:
            # Only this call reveals a snapshot that stays: it is no process and no mount, and lies in containerd's own
            # directory.
            if error.status != NOT_FOUND:
                raise TeardownError(
                    f"the snapshot of {tag} stays: {error.message}", hint="remove it with `ctr snapshots`"
                ) from None
            return False
        return True

    def disk_bytes(self) -> Mapping[str, int]:
        """The size of what is the container's alone: the overlay's upper layer or a copy of the tree, and volumes."""
        own: Path | None = self._mounts[0].own if self._mounts else None
        if own is None or not own.is_dir():
            return {}
        return {"box.allocated": allocated_bytes(own) + volumes_bytes(self._volumes)}

    def output(self, *, ended: bool) -> Output:
        """The files into which the shim copies the output. The copy is complete once the task is deleted."""
        if ended and self._agent is not None and wait_ended(self._agent, timeout_s=OUTPUT_DRAIN_S):
            with suppress(ContainerdError):
                self._api.wait_task(self._order.tag)
                self._api.delete_task(self._order.tag)
        return Output.of(clip_file(self._stdout), clip_file(self._stderr))


def _etc_files(directory: Path) -> Iterator[tuple[str, str]]:
    """Make the box's own /etc/hosts and similar files, as every client of containerd has to; yields path and place.

    They lie beside the output, so what the box writes to them is limited likewise.
    """
    for name, content in ETC_FILES.items():
        file = directory / Path(name).name
        file.write_bytes(content)
        file.chmod(0o644)
        yield str(file), f"/{name}"
