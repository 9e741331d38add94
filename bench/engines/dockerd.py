"""A Docker Engine to talk to: the one that runs, or a private one with its own data, socket and no network."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import docker
import psutil
from docker.context import ContextAPI
from docker.errors import DockerException
from requests.exceptions import RequestException

from bench.engines.data_root import exclusive_data_root
from bench.engines.runtimes import engine_settings
from bench.host.mounts import unmount
from bench.host.processes import find_by_argument, wait_ended
from bench.util import proc
from bench.util.cache import cache_dir
from bench.util.clock import MonotonicClock
from bench.util.errors import HostUnfitError, TeardownError

START_TIMEOUT_S: Final = 60.0
_UNIX: Final = "unix://"
_DEFAULT_ADDRESS: Final = "unix:///var/run/docker.sock"
API_TIMEOUT_S: Final = 300
_REMOVAL_TIMEOUT_S: Final = 20
_POLL_S: Final = 0.05
# For one whose owner was killed, and that may be about to end.
_NEIGHBOUR_PATIENCE_S: Final = 10.0


@dataclass(frozen=True)
class DockerEngine:
    """A connected engine."""

    client: docker.DockerClient
    private: bool
    """We started it, and we end it."""
    daemon_pids: dict[str, int]
    """``dockerd`` and ``containerd`` on this host, where they could be told; empty for a remote engine."""

    def describe(self) -> dict[str, str]:
        """Versions and settings, for the record."""
        version = self.client.version()
        info = self.client.info()
        words = {
            "engine": f"Docker {version.get('Version', 'unknown')}",
            "storage": str(info.get("Driver", "unknown")),
            "cgroup driver": f"{info.get('CgroupDriver', 'unknown')}, cgroup v{info.get('CgroupVersion', '?')}",
            "daemon": "private, started for this campaign" if self.private else "the host's own",
        }
        for part in version.get("Components", []):
            if part.get("Name") in ("containerd", "runc"):
                words[part["Name"]] = str(part.get("Version", "unknown"))
        return words


@contextmanager
def docker_engine(run_dir: Path) -> Iterator[DockerEngine]:
    """The engine of DOCKER_HOST or the docker context when it answers, else a private one under ``run_dir``.

    Raises:
        HostUnfitError: none answers and none can be started.
    """
    client = running_client()
    if client is not None:
        try:
            yield DockerEngine(client, private=False, daemon_pids=_daemon_pids(socket_of(client)))
        finally:
            client.close()
        return
    with _private_daemon(run_dir) as engine:
        yield engine


def running_client() -> docker.DockerClient | None:
    """A client of the engine that runs already; None when none answers. Raises HostUnfitError: wrong DOCKER_HOST."""
    named = os.environ.get("DOCKER_HOST")
    client = None
    try:
        address = named or _context_host() or _DEFAULT_ADDRESS
        if address.startswith(_UNIX):
            # docker-py leaves its socket open when nobody listens.
            peer_pid(Path(address.removeprefix(_UNIX)))
        client = docker.DockerClient(base_url=address, timeout=API_TIMEOUT_S)
        client.ping()
    except (DockerException, RequestException, OSError) as error:
        if client is not None:
            client.close()
        # Somebody who names an engine does not want another one silently.
        if named:
            raise HostUnfitError(
                f"the Docker Engine at DOCKER_HOST={named} does not answer: {error}",
                hint="start it, or unset DOCKER_HOST to let boxbench start a private one",
            ) from None
        return None
    return client


def _context_host() -> str | None:
    with suppress(DockerException, OSError):
        context = ContextAPI.get_current_context()
        return context.Host if context is not None else None
    return None


def remove_all_containers(address: str) -> None:
    """End and remove every container of a private engine whose owner has died.

    Raises:
        HostUnfitError: it does not answer, or refuses.
    """
    client = docker.DockerClient(base_url=address, timeout=_REMOVAL_TIMEOUT_S, version="1.44")
    try:
        for container in client.api.containers(all=True):
            client.api.remove_container(container["Id"], force=True, v=True)
    except (DockerException, RequestException, OSError) as error:
        raise HostUnfitError(
            f"the private Docker Engine at {address} does not remove its containers: {error}",
            hint="end the dockerd process by hand",
        ) from None
    finally:
        client.close()


@contextmanager
def _private_daemon(run_dir: Path) -> Iterator[DockerEngine]:
    if os.geteuid() != 0:
        raise HostUnfitError(
            "no Docker Engine answers, and a private one can be started by root only",
            hint="start Docker, set DOCKER_HOST, or run as root",
        )
    dockerd = proc.require_tool("dockerd", package="docker.io")
    data_root = cache_dir() / "docker"
    with exclusive_data_root(data_root, "dockerd"):
        _wait_for_data_root(data_root)
        try:
            with _spawned(dockerd, run_dir / "dockerd") as engine:
                yield engine
        finally:
            # It mounts its data root on itself, and leaves that behind when it was killed once. A mount that is busy
            # hurts nobody, and the next engine's end tries again.
            with suppress(TeardownError):
                unmount(str(data_root.resolve()))


@contextmanager
def _spawned(dockerd: str, home: Path) -> Iterator[DockerEngine]:
    home.mkdir(parents=True, exist_ok=True)
    socket_path = home / "sock"
    log = home / "log"
    with log.open("wb") as stream:
        (home / "daemon.json").write_text(json.dumps(engine_settings()), encoding="utf-8")
        process = proc.spawn(_dockerd_argv(dockerd, home, socket_path), stdout=stream, stderr=subprocess.STDOUT)
    client = docker.DockerClient(base_url=f"unix://{socket_path}", timeout=API_TIMEOUT_S, version="1.44")
    try:
        _wait_until_up(client, socket_path, process, log)
        yield DockerEngine(client, private=True, daemon_pids=_daemon_pids(socket_path))
    finally:
        client.close()
        proc.stop(process)


def _wait_for_data_root(data_root: Path) -> None:
    """Two engines on one data root destroy it: let one that is about to end do so, and refuse to join another."""
    pid = find_by_argument(str(data_root))
    if pid is not None and not wait_ended(pid, timeout_s=_NEIGHBOUR_PATIENCE_S):
        raise HostUnfitError(
            f"another private dockerd (process {pid}) is using {data_root}",
            hint="wait until the other boxbench ends; if it was killed, `boxbench clean` ends what it left",
        )


def _dockerd_argv(dockerd: str, home: Path, socket_path: Path) -> list[str]:
    # Its images outlive it: a second campaign builds nothing. Its run-time state does not.
    return [
        dockerd,
        # Not /etc/docker/daemon.json, which is somebody else's engine's.
        "--config-file", str(home / "daemon.json"),
        "--data-root", str(cache_dir() / "docker"),
        "--exec-root", str(home / "exec"),
        "--pidfile", str(home / "pid"),
        "--host", f"unix://{socket_path}",
        "--iptables=false",
        "--ip6tables=false",
        "--bridge=none",
        "--userland-proxy=false",
        "--label", "boxbench=1",
    ]  # fmt: skip


def _wait_until_up(client: docker.DockerClient, socket_path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    clock = MonotonicClock()
    deadline_ns = clock.now_ns() + round(START_TIMEOUT_S * 1e9)
    while clock.now_ns() < deadline_ns and process.poll() is None:
        with suppress(DockerException, RequestException, OSError):
            peer_pid(socket_path)
            client.ping()
            return
        clock.sleep(_POLL_S)
    said = proc.tail(log.read_bytes()).splitlines()
    raise HostUnfitError(
        f"a private dockerd did not come up within {START_TIMEOUT_S:g} s: {said[-1][:500] if said else 'no word'}",
        hint="start Docker by hand and set DOCKER_HOST",
    )


def socket_of(client: docker.DockerClient) -> Path | None:
    """The unix socket that a client talks to; None when it is another kind of connection."""
    # docker-py hides a unix socket behind an http+docker base URL and keeps the path in its adapter.
    adapter = getattr(client.api, "_custom_adapter", None)
    path = getattr(adapter, "socket_path", None)
    return Path(path) if path else None


def _daemon_pids(socket_path: Path | None) -> dict[str, int]:
    if socket_path is None:
        return {}
    with suppress(OSError, psutil.Error):
        pids = {"dockerd": peer_pid(socket_path)}
        if psutil.Process(pids["dockerd"]).name() != "dockerd":
            return {}  # a proxy or systemd's socket answers in its place
        children = psutil.Process(pids["dockerd"]).children()
        own = [child.pid for child in children if child.name() == "containerd"]
        others = own or [process.pid for process in psutil.process_iter() if process.name() == "containerd"]
        if others:
            pids["containerd"] = others[0]
        return pids
    return {}


def peer_pid(path: Path) -> int:
    """Who listens on a unix socket. Raises OSError when nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(path))
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])
