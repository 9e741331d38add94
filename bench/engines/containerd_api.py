"""The calls of containerd's gRPC API that create, start, stop and remove a container, in a namespace of our own.

Messages are encoded by field number; ``bench.engines.wire`` explains why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.engines.grpc_call import ALREADY_EXISTS, NOT_FOUND, CallRefusedError, GrpcConnection
from bench.engines.wire import Fields, Value, message, number_of, parse, parts, texts
from bench.util.errors import BoxbenchError, ProtocolError

NAMESPACE: Final = "boxbench"
SNAPSHOTTER: Final = "overlayfs"
"""The default of containerd and of Boxbench."""
_SNAPSHOTTER_PLUGINS: Final = "io.containerd.snapshotter.v1"
RUNTIME: Final = "io.containerd.runc.v2"
CALL_TIMEOUT_S: Final = 60.0
REMOVAL_TIMEOUT_S: Final = 600.0
"""For calls that delete the files of whole images."""
_METADATA: Final = {"containerd-namespace": NAMESPACE}
_SERVICES: Final = "containerd.services"
_SPEC_TYPE: Final = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
_OPTIONS_TYPE: Final = "containerd.runc.v1.Options"


class ContainerdError(BoxbenchError):
    """containerd refused a call or does not answer.

    Attributes:
        status: the gRPC status code of the refusal; None if there was no answer.
    """

    stable = False

    def __init__(self, message: str, *, hint: str, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True)
class SnapshotMount:
    """A mount that makes up a snapshot."""

    encoded: bytes
    """containerd's message, which ``create_task`` sends back."""
    kind: str
    source: str
    options: tuple[str, ...]

    @classmethod
    def decoded(cls, encoded: bytes) -> SnapshotMount:
        """Decode containerd's message."""
        fields = parse(encoded)
        kind, source = ("".join(texts(fields, number)) for number in (1, 2))
        return cls(encoded, kind, source, tuple(texts(fields, 4)))

    @property
    def own(self) -> Path | None:
        """The directory with the data that belongs to this container alone; None if there is none.

        For an overlay it is the upper directory, with what the container wrote; for a bind mount the whole tree.
        """
        if self.kind == "bind":
            return Path(self.source)
        found = [option for option in self.options if option.startswith("upperdir=")]
        return Path(found[0].removeprefix("upperdir=")) if found else None


@dataclass(frozen=True)
class ContainerRecord:
    """A container as containerd stores it."""

    snapshotter: str
    labels: Mapping[str, str]


class ContainerdApi:
    """One connection. Every call raises ContainerdError with containerd's own message."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._connection = GrpcConnection(socket)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def version(self, *, timeout_s: float = CALL_TIMEOUT_S) -> str:
        """The version of containerd."""
        return texts(self._call("version.v1.Version/Version", b"", timeout_s=timeout_s), 1)[0]

    def snapshotters(self) -> list[str]:
        """The names of the snapshotters that were loaded without an error."""
        answer = self._call("introspection.v1.Introspection/Plugins", b"")
        plugins = [parse(part) for part in parts(answer, 1)]
        return [
            name
            for one in plugins
            if texts(one, 1) == [_SNAPSHOTTER_PLUGINS] and not one.get(7)
            for name in texts(one, 2)
        ]

    def prepare_snapshot(self, key: str, parent: str, *, snapshotter: str) -> tuple[SnapshotMount, ...]:
        """Create the writable layer ``key`` on top of ``parent`` (a chain id). Returns its mounts."""
        # The label protects the layer from garbage collection until its container exists.
        labels = {"containerd.io/gc.root": "boxbench"}
        answer = self._call("snapshots.v1.Snapshots/Prepare", message({1: snapshotter, 2: key, 3: parent, 4: labels}))
        return tuple(SnapshotMount.decoded(part) for part in parts(answer, 1))

    def has_snapshot(self, key: str, *, snapshotter: str = SNAPSHOTTER) -> bool:
        """Whether the snapshot exists."""
        try:
            self._call("snapshots.v1.Snapshots/Stat", message({1: snapshotter, 2: key}))
        except ContainerdError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def snapshots(self, snapshotter: str) -> list[str]:
        """The keys of a snapshotter's snapshots in our namespace."""
        answers = self._call_for_all("snapshots.v1.Snapshots/List", message({1: snapshotter}))
        return [key for answer in answers for part in parts(answer, 1) for key in texts(parse(part), 1)]

    def remove_snapshot(self, key: str, *, snapshotter: str = SNAPSHOTTER) -> None:
        """Remove a snapshot. Its data stays until containerd collects garbage."""
        self._call("snapshots.v1.Snapshots/Remove", message({1: snapshotter, 2: key}))

    def collect_garbage(self, key: str) -> None:
        """Wait until removed snapshots are deleted from the disk, which containerd's garbage collector does.

        Args:
            key: a name for a lease that no other caller uses at the same time.
        """
        # The only call that waits for a garbage collection is the synchronous deletion of a lease.
        try:
            self._call("leases.v1.Leases/Create", message({1: key}))
        except ContainerdError as error:
            # A process that was killed in this method left the lease behind.
            if error.status != ALREADY_EXISTS:
                raise
        self._call("leases.v1.Leases/Delete", message({1: key, 2: 1}))

    def images(self) -> dict[str, int | None]:
        """The names of the images in our namespace, and when each was last imported: seconds since 1970."""
        answer = self._call("images.v1.Images/List", b"")
        found = [parse(part) for part in parts(answer, 1)]
        return {"".join(texts(one, 1)): _seconds(one, 8) for one in found}

    def delete_image(self, name: str) -> None:
        """Delete an image, and wait until what only it needs is deleted from the disk."""
        self._call("images.v1.Images/Delete", message({1: name, 2: 1}), timeout_s=REMOVAL_TIMEOUT_S)

    def leases(self) -> list[str]:
        """The names of the leases in our namespace."""
        answer = self._call("leases.v1.Leases/List", b"")
        return [name for part in parts(answer, 1) for name in texts(parse(part), 1)]

    def delete_lease(self, name: str) -> None:
        """Delete a lease. What it protected stays until containerd collects garbage."""
        self._call("leases.v1.Leases/Delete", message({1: name}))

    def content(self) -> list[str]:
        """The digests of the blobs in our namespace: compressed layers, configurations, manifests."""
        answers = self._call_for_all("content.v1.Content/List", b"")
        return [digest for answer in answers for part in parts(answer, 1) for digest in texts(parse(part), 1)]

    def unfinished_content(self) -> list[str]:
        """The names of blobs that have come in part."""
        answer = self._call("content.v1.Content/ListStatuses", b"")
        return [name for part in parts(answer, 1) for name in texts(parse(part), 3)]

    def abort_content(self, name: str) -> None:
        """Remove a blob that has come in part."""
        self._call("content.v1.Content/Abort", message({1: name}))

    def create_container(
        self,
        name: str,
        *,
        image: str,
        spec: Mapping[str, Any],
        labels: Mapping[str, str],
        runc_state: Path | None,
        snapshotter: str,
    ) -> None:
        """Create the record of a container, whose snapshot has the same name.

        Args:
            spec: its OCI runtime configuration.
            runc_state: the directory for runc's state; None means containerd's default.
        """
        options = b"" if runc_state is None else message({1: _OPTIONS_TYPE, 2: message({7: str(runc_state)})})
        container: dict[int, Value] = {
            1: name,
            2: labels,
            3: image,
            4: message({1: RUNTIME, 2: options}),
            5: message({1: _SPEC_TYPE, 2: json.dumps(spec)}),
            6: snapshotter,
            7: name,
        }
        self._call("containers.v1.Containers/Create", message({1: message(container)}))

    def containers(self) -> dict[str, ContainerRecord]:
        """The containers in our namespace by name."""
        answer = self._call("containers.v1.Containers/List", b"")
        records = [parse(part) for part in parts(answer, 1)]
        return {"".join(texts(one, 1)): ContainerRecord("".join(texts(one, 6)), _map(one, 2)) for one in records}

    def delete_container(self, name: str) -> None:
        """Delete the record of a container."""
        self._call("containers.v1.Containers/Delete", message({1: name}))

    def create_task(self, name: str, mounts: Sequence[SnapshotMount], *, stdout: Path, stderr: Path) -> int:
        """Start the shim and create the container's namespaces and first process, which does not run yet.

        Returns:
            The pid of the first process on the host.
        """
        request: dict[int, Value] = {1: name, 3: [mount.encoded for mount in mounts], 5: str(stdout), 6: str(stderr)}
        return number_of(self._call("tasks.v1.Tasks/Create", message(request)), 2)

    def start_task(self, name: str) -> None:
        """Start the first process of the container."""
        self._call("tasks.v1.Tasks/Start", message({1: name}))

    def kill_task(self, name: str, signal_number: int) -> None:
        """Send a signal to the first process."""
        self._call("tasks.v1.Tasks/Kill", message({1: name, 3: signal_number}))

    def wait_task(self, name: str) -> None:
        """Wait until the shim has noticed the end of the first process."""
        self._call("tasks.v1.Tasks/Wait", message({1: name}))

    def delete_task(self, name: str) -> None:
        """Delete the ended task. Its shim ends too."""
        self._call("tasks.v1.Tasks/Delete", message({1: name}))

    def _call(self, method: str, request: bytes, *, timeout_s: float = CALL_TIMEOUT_S) -> Fields:
        answers = self._call_for_all(method, request, timeout_s=timeout_s)
        if len(answers) != 1:
            raise ContainerdError(
                f"containerd: {method}: {len(answers)} answers to one request", hint="look at containerd's log"
            )
        return answers[0]

    def _call_for_all(self, method: str, request: bytes, *, timeout_s: float = CALL_TIMEOUT_S) -> list[Fields]:
        path = f"/{_SERVICES}.{method}"
        try:
            answers = self._connection.call(path, request, metadata=_METADATA, timeout_s=timeout_s)
            return [parse(answer) for answer in answers]
        except CallRefusedError as error:
            reason, status = error.text, error.status
        except ProtocolError as error:
            reason, status = error.message, None
        name = method.rpartition(".")[2]
        raise ContainerdError(f"containerd: {name}: {reason}", hint="look at containerd's log", status=status)


def _map(fields: Fields, number: int) -> dict[str, str]:
    """A map of texts, which is encoded as a list of pairs."""
    pairs = [parse(part) for part in parts(fields, number)]
    return {"".join(texts(pair, 1)): "".join(texts(pair, 2)) for pair in pairs}


def _seconds(fields: Fields, number: int) -> int | None:
    """A time stamp (google.protobuf.Timestamp) in seconds since 1970; None when there is none."""
    stamps = parts(fields, number)
    return number_of(parse(stamps[0]), 1) if stamps else None
