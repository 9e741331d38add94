"""Connecting to a Docker Engine: the one that runs, or a private one with its own data and socket and no network."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import docker
import psutil
from docker.context import ContextAPI
from docker.errors import DockerException, NotFound
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env
from requests.exceptions import RequestException

from bench.engines.data_root import DataRoot, exclusive_data_root
from bench.engines.orphan_layers import remove_orphan_layers
from bench.engines.registries import registry_settings
from bench.engines.runtimes import engine_settings
from bench.engines.startup import becomes, peer_pid, why_not_up
from bench.host.cgroup import describe_engine_account, engine_group, engine_parent
from bench.host.mounts import unmount
from bench.host.processes import find_by_argument, wait_ended
from bench.host.run_directory import BOX_LABEL, Tag, parse_tag
from bench.host.scratch import temporary_run_dir
from bench.util import proc
from bench.util.errors import HostUnfitError, TeardownError
from bench.util.private import private_directory

SOCKET: Final = "dockerd/sock"
"""Where the socket of a private engine is in its run directory."""
PIDFILE: Final = "dockerd/pid"
EXEC_ROOT: Final = "dockerd/exec"
START_TIMEOUT_S: Final = 60.0
_UNIX: Final = "unix://"
_DEFAULT_ADDRESS: Final = "unix:///var/run/docker.sock"
API_TIMEOUT_S: Final = 300
_REMOVAL_TIMEOUT_S: Final = 20
_POLL_S: Final = 0.05
# How long to wait for the end of another dockerd on the same data root. Its owner may have been killed.
_OTHER_DAEMON_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class DockerEngine:
    """A connected engine."""

    client: docker.DockerClient
    private: bool
    """Boxbench started it and stops it."""
    daemon_pids: dict[str, int]
    """The pids of ``dockerd`` and ``containerd`` on this host, if they can be determined; empty for a remote engine."""

    @property
    def rootless(self) -> bool:
        """Whether a user without privileges runs it."""
        return "name=rootless" in self._security

    @property
    def maps_users(self) -> bool:
        """Whether the users of its containers have other uids on this host: in rootless mode, and with userns-remap."""
        return self.rootless or "name=userns" in self._security

    @cached_property
    def _security(self) -> frozenset[str]:
        return frozenset(self.client.info().get("SecurityOptions") or ())

    def describe(self) -> dict[str, str]:
        """Versions and settings of the engine, for records."""
        version = self.client.version()
        info = self.client.info()
        words = {
            "engine": f"Docker {version.get('Version', 'unknown')}",
            "storage": str(info.get("Driver", "unknown")),
            "cgroup driver": f"{info.get('CgroupDriver', 'unknown')}, cgroup v{info.get('CgroupVersion', '?')}",
            "daemon": "private, started for this campaign" if self.private else "the host's own",
            "engine's CPU time": describe_engine_account(self.daemon_pids.values()),
        }
        for part in version.get("Components", []):
            if part.get("Name") in ("containerd", "runc"):
                words[part["Name"]] = str(part.get("Version", "unknown"))
        return words


@contextmanager
def docker_engine(run_dir: Path) -> Iterator[DockerEngine]:
    """The engine of DOCKER_HOST, else that of the docker context if it answers, else a private one below ``run_dir``.

    Raises:
        HostUnfitError: DOCKER_HOST does not answer, or no engine runs and a private one cannot be started.
    """
    client = running_client()
    if client is not None:
        try:
            yield DockerEngine(client, private=False, daemon_pids=_daemon_pids(socket_of(client)))
        finally:
            client.close()
        return
    with private_docker(run_dir) as engine:
        yield engine


def running_client() -> docker.DockerClient | None:
    """A client of the running engine; None if none answers. Raises HostUnfitError if DOCKER_HOST does not answer."""
    named = os.environ.get("DOCKER_HOST")
    client = None
    try:
        address, tls = _address()
        if address.startswith(_UNIX):
            # docker-py leaks its socket if no engine listens, so the socket is tried first.
            peer_pid(Path(address.removeprefix(_UNIX)))
        client = docker.DockerClient(base_url=address, tls=tls or False, timeout=API_TIMEOUT_S)
        client.ping()
    except (DockerException, RequestException, OSError) as error:
        if client is not None:
            client.close()
        # A user who names an engine must not silently get another one.
        if named:
            raise HostUnfitError(
                f"the Docker Engine at DOCKER_HOST={named} does not answer: {error}",
                hint="start it, check DOCKER_TLS_VERIFY and DOCKER_CERT_PATH if it uses TLS, or unset DOCKER_HOST to "
                "let boxbench start a private one",
            ) from None
        return None
    return client


def _address() -> tuple[str, TLSConfig | None]:
    """The address of the engine that the user has named or chosen, and the certificates for it.

    Raises:
        DockerException: certificates are named that do not exist.
    """
    named = os.environ.get("DOCKER_HOST")
    if named is None or named == "":
        return _of_context() or (_DEFAULT_ADDRESS, None)
    # Like the docker command: a unix socket needs no certificates, whatever the variables say.
    return named, None if named.startswith(_UNIX) else kwargs_from_env().get("tls")


def _of_context() -> tuple[str, TLSConfig | None] | None:
    """Address and certificates of the user's docker context; None if there is none."""
    with suppress(DockerException, OSError):
        context = ContextAPI.get_current_context()
        if context is not None and context.Host:
            return context.Host, context.TLSConfig
    return None


def box_containers(client: docker.DockerClient) -> dict[str, Tag]:
    """The containers in an engine that Boxbench made: their tags by id. Raises OSError.

    Their name and the label that only Boxbench sets are the same tag. Our images' own labels prove nothing: every
    container that a user makes of such an image has them.
    """
    found = {}
    for container in client.api.containers(all=True, filters={"label": BOX_LABEL}):
        tag = parse_tag((container.get("Labels") or {}).get(BOX_LABEL, ""))
        if tag is not None and f"/{tag.text}" in (container.get("Names") or ()):
            found[container["Id"]] = tag
    return found


def remove_container(client: docker.DockerClient, identity: str) -> None:
    """Kill and remove a container with its anonymous volumes; one that is gone is no error. Raises OSError."""
    with suppress(NotFound):
        client.api.remove_container(identity, force=True, v=True)


def empty_private(run_dir: Path) -> None:
    """Remove our containers from a private engine whose owner has died.

    Raises:
        HostUnfitError: the engine does not answer or refuses.
    """
    address = f"{_UNIX}{run_dir / SOCKET}"
    try:
        # docker-py leaks its socket if no engine listens.
        peer_pid(run_dir / SOCKET)
        with closing(docker.DockerClient(base_url=address, timeout=_REMOVAL_TIMEOUT_S, version="1.44")) as client:
            remove_boxes(client)
    except (DockerException, RequestException, OSError) as error:
        raise HostUnfitError(
            f"the private Docker Engine at {address} does not remove its containers: {error}",
            hint="kill the dockerd process by hand",
        ) from None


def remove_boxes(client: docker.DockerClient) -> None:
    """Remove all our containers from a private engine. Raises OSError."""
    for identity in box_containers(client):
        remove_container(client, identity)


def remove_abandoned() -> None:
    """Start a private engine to remove the containers that a killed one left. Raises HostUnfitError."""
    with temporary_run_dir() as run_dir, private_docker(run_dir):
        pass


@contextmanager
def private_docker(run_dir: Path) -> Iterator[DockerEngine]:
    """A private engine below ``run_dir``, whatever other engine runs. Raises HostUnfitError: it cannot be started."""
    if os.geteuid() != 0:
        raise HostUnfitError(
            "no Docker Engine answers, and a private one can be started by root only",
            hint="start Docker, set DOCKER_HOST, or run as root",
        )
    dockerd = proc.require_tool("dockerd", package="docker.io")
    with exclusive_data_root("dockerd") as data:
        _wait_for_data_root(data.path)
        # What stays costs space only.
        with suppress(TeardownError, OSError):
            remove_orphan_layers(data.path)
        try:
            with (
                engine_parent(run_dir.name) as parent,
                engine_group(f"{run_dir.name}-dockerd") as account,
                spawned_engine(dockerd_argv(dockerd, run_dir, data.path, parent), run_dir) as engine,
                _emptied(engine.client, data),
            ):
                if account is not None:
                    account.add(*engine.daemon_pids.values())
                yield engine
        finally:
            # dockerd mounts its data root on itself, and leaves the mount behind if it is killed. A mount that is still
            # busy does no harm; it is unmounted after the next private engine.
            with suppress(TeardownError):
                unmount(str(data.path.resolve()))


@contextmanager
def _emptied(client: docker.DockerClient, data: DataRoot) -> Iterator[None]:
    """Remove all boxes of the data root at the end, and before if a killed engine left some."""
    if data.abandoned:
        remove_boxes(client)
    try:
        yield
    finally:
        # An engine that has ended by itself leaves the data root marked, for the next one.
        with suppress(DockerException, OSError):
            remove_boxes(client)
            data.note_empty()


@contextmanager
def spawned_engine(
    argv: Sequence[str],
    run_dir: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    keep: Sequence[str] = proc.ENGINE_VARIABLES,
) -> Iterator[DockerEngine]:
    """Run a private dockerd until the end of the context.

    Args:
        argv: as ``dockerd_argv`` of the same ``run_dir``.
        settings: for its daemon.json, beside the runtimes; the host's registries and mirrors when None.
        keep: variables of our environment that it gets.

    Raises:
        HostUnfitError: it does not start.
    """
    socket_path, home = run_dir / SOCKET, (run_dir / SOCKET).parent
    private_directory(home)
    log = home / "log"
    with log.open("wb") as stream:
        registries = registry_settings() if settings is None else settings
        content = json.dumps({**registries, **engine_settings()})
        (home / "daemon.json").write_text(content, encoding="utf-8")
        process = proc.spawn(argv, stdout=stream, stderr=subprocess.STDOUT, keep=keep)
    client = docker.DockerClient(base_url=f"unix://{socket_path}", timeout=API_TIMEOUT_S, version="1.44")
    try:
        _wait_until_up(client, socket_path, process, log)
        yield DockerEngine(client, private=True, daemon_pids=_daemon_pids(socket_path))
    finally:
        client.close()
        proc.stop(process)


def _wait_for_data_root(data_root: Path) -> None:
    """Wait for the end of another dockerd on the data root, which two engines would destroy. Raises HostUnfitError."""
    pid = find_by_argument(str(data_root), program="dockerd")
    if pid is not None and not wait_ended(pid, timeout_s=_OTHER_DAEMON_TIMEOUT_S):
        raise HostUnfitError(
            f"another private dockerd (process {pid}) is using {data_root}",
            hint="wait until the other boxbench ends; if it was killed, `boxbench clean` ends what it left",
        )


def dockerd_argv(dockerd: str, run_dir: Path, data_root: Path, parent: str | None) -> list[str]:
    """The command line of a private dockerd, with all its run-time state in ``run_dir``.

    Args:
        parent: the control group of its containers; None: the engine's own choice.
    """
    return [
        dockerd,
        # Without this it would read /etc/docker/daemon.json, of which it may have what concerns registries only.
        "--config-file", str((run_dir / SOCKET).with_name("daemon.json")),
        "--data-root", str(data_root),
        "--exec-root", str(run_dir / EXEC_ROOT),
        "--pidfile", str(run_dir / PIDFILE),
        "--host", f"{_UNIX}{run_dir / SOCKET}",
        "--iptables=false",
        "--ip6tables=false",
        "--bridge=none",
        "--userland-proxy=false",
        "--label", "boxbench=1",
        *(() if parent is None else ("--cgroup-parent", parent)),
    ]  # fmt: skip


def _wait_until_up(client: docker.DockerClient, socket_path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        with suppress(DockerException, RequestException):
            return bool(peer_pid(socket_path) and client.ping())
        return False

    if becomes(process, answers, timeout_s=START_TIMEOUT_S, poll_s=_POLL_S):
        return
    reason = why_not_up("a private dockerd", process, timeout_s=START_TIMEOUT_S)
    raise HostUnfitError(
        f"{reason}: {proc.last_line(log)}",
        hint="start Docker by hand and set DOCKER_HOST",
    )


def socket_of(client: docker.DockerClient) -> Path | None:
    """The unix socket of a client; None if it uses another kind of connection."""
    # docker-py gives a unix socket the base URL http+docker, and keeps the path in its adapter.
    adapter = getattr(client.api, "_custom_adapter", None)
    path = getattr(adapter, "socket_path", None)
    return Path(path) if path else None


def client_environment(client: docker.DockerClient) -> dict[str, str]:
    """The variables by which Docker's own programs reach the engine of a client, with its certificates."""
    api = client.api
    path = socket_of(client)
    if path is not None:
        return {"DOCKER_HOST": f"{_UNIX}{path}", "DOCKER_TLS_VERIFY": "", "DOCKER_TLS": ""}
    over_ssh = getattr(getattr(api, "_custom_adapter", None), "ssh_host", None)
    if over_ssh:
        return {"DOCKER_HOST": f"ssh://{over_ssh}", "DOCKER_TLS_VERIFY": "", "DOCKER_TLS": ""}
    # The programs look for ca.pem, cert.pem and key.pem in one directory, as docker-py and contexts do.
    files = [*(api.cert or ()), api.verify] if not isinstance(api.cert, str) else [api.cert]
    named = [file for file in files if isinstance(file, str)]
    return {
        "DOCKER_HOST": re.sub(r"^https?://", "tcp://", api.base_url),
        "DOCKER_TLS": "1" if named else "",
        "DOCKER_TLS_VERIFY": "1" if named and api.verify else "",
        **({"DOCKER_CERT_PATH": str(Path(named[0]).parent)} if named else {}),
    }


def _daemon_pids(socket_path: Path | None) -> dict[str, int]:
    if socket_path is None:
        return {}
    with suppress(OSError, psutil.Error):
        pids = {"dockerd": peer_pid(socket_path)}
        if psutil.Process(pids["dockerd"]).name() != "dockerd":
            return {}  # a proxy or systemd listens on the socket
        children = psutil.Process(pids["dockerd"]).children()
        own = [child.pid for child in children if child.name() == "containerd"]
        others = own or [process.pid for process in psutil.process_iter() if process.name() == "containerd"]
        if others:
            pids["containerd"] = others[0]
        return pids
    return {}
