"""Connecting to containerd: the one that runs, or a private one with its own root, state and socket."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench.engines.containerd_api import NAMESPACE, ContainerdApi, ContainerdError
from bench.engines.data_root import DataRoot, exclusive_data_root
from bench.engines.grpc_call import NOT_FOUND
from bench.engines.startup import comes_up, peer_pid, why_not_up
from bench.host.cgroup import describe_engine_account, engine_group
from bench.host.run_directory import BOX_LABEL, Tag, living_tags, parse_tag
from bench.host.scratch import temporary_run_dir
from bench.util import proc
from bench.util.errors import HostUnfitError, TeardownError
from bench.util.private import private_directory

CONFIG: Final = "containerd/config.toml"
"""Where the configuration of a private engine is in its run directory."""
SOCKET: Final = "containerd/sock"
SYSTEM_SOCKET: Final = Path("/run/containerd/containerd.sock")
START_TIMEOUT_S: Final = 30.0
IMPORT_TIMEOUT_S: Final = 600.0
_ANSWER_TIMEOUT_S: Final = 5.0
ENGINE_CONFIG: Final = """\
version = 2
root = "{root}"
state = "{state}"
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{socket}"
[debug]
  level = "warn"
"""
"""An engine of ours. Not needed: Kubernetes' interface, resource plug-ins, packages in /opt, other snapshotters."""


@dataclass(frozen=True)
class ContainerdEngine:
    """A connected containerd."""

    api: ContainerdApi
    private: bool
    """Boxbench started it and stops it."""
    daemon_pids: dict[str, int]
    """The pid of ``containerd`` on this host; empty if it cannot be determined."""
    runc_state: Path | None
    """The directory for runc's state; None means containerd's default."""

    def describe(self) -> dict[str, str]:
        """Versions and origin of the engine, for records."""
        runc = proc.run([proc.require_tool("runc", package="runc"), "--version"], timeout_s=10).text
        return {
            "engine": f"containerd {self.api.version()}",
            "runc": runc.partition("\n")[0].removeprefix("runc version "),
            "daemon": "private, started for this campaign" if self.private else "the host's own",
            "engine's CPU time": describe_engine_account(self.daemon_pids.values()),
        }

    def load(self, archive: Path, chain: str, *, snapshotter: str) -> None:
        """Import an image, unless the snapshotter has its layers already.

        Args:
            archive: the output of ``docker save``.
            chain: the chain id of the image's top layer.
            snapshotter: the snapshotter to unpack the layers for.

        Raises:
            ProcessError: the import failed.
        """
        if not self.api.has_snapshot(chain, snapshotter=snapshotter):
            # containerd's API has no import: its client `ctr` reads the archive. This is not part of any measurement.
            argv = self.ctr("images", "import", "--snapshotter", snapshotter, archive)
            proc.run(argv, timeout_s=IMPORT_TIMEOUT_S, keep=proc.ENGINE_VARIABLES)

    def ctr(self, *words: str | Path) -> list[str | Path]:
        """The command line of containerd's client in our namespace. Raises HostUnfitError: it is missing."""
        ctr = proc.require_tool("ctr", package="containerd")
        return [ctr, "--address", self.api.socket, "--namespace", NAMESPACE, *words]


def chain_id(layers: Sequence[str]) -> str:
    """The chain id of a stack of layers (OCI image specification, "Layer ChainID").

    Args:
        layers: digests of the uncompressed layers, lowest first; at least one.
    """
    chain = layers[0]
    for layer in layers[1:]:
        chain = f"sha256:{hashlib.sha256(f'{chain} {layer}'.encode()).hexdigest()}"
    return chain


@contextmanager
def containerd_engine(run_dir: Path) -> Iterator[ContainerdEngine]:
    """The containerd at CONTAINERD_ADDRESS, else the running system containerd, else a private one below ``run_dir``.

    Raises:
        HostUnfitError: CONTAINERD_ADDRESS does not answer, or no containerd runs and a private one cannot be started.
    """
    with ExitStack() as stack:
        home = private_directory((run_dir / CONFIG).parent)
        api = running_api()
        pids: dict[str, int] = {}
        private = api is None
        if api is None:
            api = stack.enter_context(private_containerd(run_dir))
        stack.callback(api.close)
        with suppress(OSError):
            pids["containerd"] = peer_pid(api.socket)
        _remove_dead(api, run_dir.name)
        # A containerd that outlives the campaign cleans up after killed boxes later, and would recreate a directory of
        # the campaign. So only a private one gets a directory there.
        yield ContainerdEngine(api, private, pids, home / "runc" if private else None)


def running_api() -> ContainerdApi | None:
    """A connection to the containerd that runs; None if none answers.

    Raises:
        HostUnfitError: CONTAINERD_ADDRESS does not answer.
    """
    named = os.environ.get("CONTAINERD_ADDRESS")
    socket = Path(named) if named else SYSTEM_SOCKET
    if not named and not os.access(socket, os.R_OK | os.W_OK):
        return None
    api = ContainerdApi(socket)
    try:
        api.version(timeout_s=_ANSWER_TIMEOUT_S)
    except ContainerdError as error:
        api.close()
        # A user who names an engine must not silently get another one.
        if named:
            raise HostUnfitError(
                f"the containerd at CONTAINERD_ADDRESS={named} does not answer: {error}",
                hint="start it, or unset CONTAINERD_ADDRESS to let boxbench start a private one",
            ) from None
        return None
    return api


@contextmanager
def private_containerd(run_dir: Path) -> Iterator[ContainerdApi]:
    """A private engine below ``run_dir``, whatever other engine runs. Raises HostUnfitError: it cannot be started."""
    if os.geteuid() != 0:
        raise HostUnfitError(
            "no containerd answers, and a private one can be started by root only",
            hint="start containerd, set CONTAINERD_ADDRESS, or run as root",
        )
    with (
        exclusive_data_root("containerd") as data,
        spawned_containerd(run_dir, data.path) as socket,
        _emptied(socket, data),
    ):
        yield ContainerdApi(socket)


@contextmanager
def spawned_containerd(
    run_dir: Path, root: Path, *, inside: Callable[..., Sequence[str | Path]] = lambda *argv: argv
) -> Iterator[Path]:
    """Run a containerd with this data root until the end of the context.

    Args:
        inside: puts a command line before which it is to run elsewhere.

    Yields:
        Its socket, below ``run_dir``.

    Raises:
        HostUnfitError: it is missing, or does not start.
    """
    containerd = proc.require_tool("containerd", package="containerd")
    config, socket = run_dir / CONFIG, run_dir / SOCKET
    with engine_group(f"{run_dir.name}-containerd") as account:
        home = private_directory(config.parent)
        log = home / "log"
        config.write_text(ENGINE_CONFIG.format(root=root, state=home / "state", socket=socket), encoding="utf-8")
        with log.open("wb") as stream:
            argv = inside(containerd, "--config", config)
            process = proc.spawn(argv, stdout=stream, stderr=subprocess.STDOUT, keep=proc.ENGINE_VARIABLES)
        try:
            _wait_until_up(socket, process, log)
            if account is not None:
                account.add(process.pid)
            yield socket
        finally:
            proc.stop(process, ladder=((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)))


@contextmanager
def _emptied(socket: Path, data: DataRoot) -> Iterator[None]:
    """Remove all boxes of the data root at the end, and before if a killed engine left some."""
    if data.abandoned:
        _remove_all(socket)
    try:
        yield
    finally:
        # An engine that has ended by itself leaves the data root marked, for the next one.
        with suppress(ContainerdError):
            _remove_all(socket)
            data.note_empty()


def _remove_all(socket: Path) -> None:
    with closing(ContainerdApi(socket)) as api:
        for tag in box_records(api):
            remove_records(api, tag)


def empty_private(run_dir: Path) -> None:
    """Remove our containers from a private containerd whose owner has died. Raises ContainerdError."""
    _remove_all(run_dir / SOCKET)


def remove_abandoned() -> None:
    """Start a private containerd to remove what a killed one left in the data root. Raises HostUnfitError."""
    with temporary_run_dir() as run_dir, private_containerd(run_dir) as api:
        api.close()


def _wait_until_up(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    if comes_up(socket, process, timeout_s=START_TIMEOUT_S):
        return
    reason = why_not_up("a private containerd", process, timeout_s=START_TIMEOUT_S)
    raise HostUnfitError(
        f"{reason}: {proc.last_line(log)}",
        hint="start containerd by hand and set CONTAINERD_ADDRESS",
    )


def box_records(api: ContainerdApi) -> tuple[Tag, ...]:
    """The tags of all that Boxbench made in its namespace: containers, snapshots and leases. Raises ContainerdError.

    A snapshot is made before its container, so a kill between the two leaves a snapshot alone.
    """
    names = {name for name, container in api.containers().items() if container.labels.get(BOX_LABEL) == name}
    names.update(key for snapshotter in api.snapshotters() for key in api.snapshots(snapshotter))
    names.update(api.leases())
    return tuple(tag for name in sorted(names) if (tag := parse_tag(name)) is not None)


def remove_records(api: ContainerdApi, tag: Tag) -> None:
    """End and remove what ``box_records`` found of a box. Raises ContainerdError with the first thing that stays."""
    name = tag.text
    with suppress(ContainerdError):  # its process has ended
        api.kill_task(name, signal.SIGKILL)
        api.wait_task(name)
    for remove in (api.delete_task, api.delete_container):
        _unless_missing(partial(remove, name))
    for snapshotter in api.snapshotters():
        _unless_missing(partial(api.remove_snapshot, name, snapshotter=snapshotter))
    api.collect_garbage(name)


def _unless_missing(remove: Callable[[], None]) -> None:
    try:
        remove()
    except ContainerdError as error:
        if error.status != NOT_FOUND:
            raise


def _remove_dead(api: ContainerdApi, campaign: str) -> None:
    """Remove what killed campaigns left, and what an earlier run of ``campaign`` left: its boxes are not made yet.

    Raises:
        TeardownError: something stays, so the box of the same name could not be made.
    """
    living = living_tags()
    for tag in box_records(api):
        if tag.owner == campaign or tag.owner not in living:
            try:
                remove_records(api, tag)
            except ContainerdError as error:
                raise TeardownError(
                    f"what is left of {tag.text} in containerd cannot be removed: {error.message}", hint=error.hint
                ) from None
