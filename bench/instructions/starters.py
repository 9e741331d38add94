"""How each target starts a box in a guest: directives before the request, in the measured part, and afterwards."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final

from bench.agent.boxconf import AGENT_IN_BOX, CHANNEL_IN_BOX, HOSTNAME
from bench.engines.containerd import ENGINE_CONFIG
from bench.image.etc_files import OWN_ADDRESS
from bench.instructions import grpc
from bench.instructions.recipe import ARCHIVE, REF, TREE, CountedImage, Recipe
from bench.targets.containers.oci import Contents, oci_config
from bench.targets.rootfs_box import INHERITING_AGENT_ARGV

LAUNCHER: Final = "/.boxbench/boxlaunch"
DOCKER_SOCKET: Final = "/run/docker.sock"
CONTAINERD_SOCKET: Final = "/run/containerd.sock"
_NAMESPACES: Final = ("mount", "pid", "uts", "ipc", "net", "cgroup")
_GO_SETTINGS: Final = ("GOGC=off",)
"""Variables for engines. When Go's collector runs depends on how far a heap has grown at that moment, so on everything
that was ever allocated: the letters of a comment moved docker's first start by 15 %."""
_CONTAINERD_CONFIG: Final = ENGINE_CONFIG.format(
    root="/var/lib/containerd", state="/run/containerd", socket=CONTAINERD_SOCKET
)


class Starter(ABC):
    """Appends the directives of one target to a recipe."""

    programs: tuple[str, ...] = ()
    needs_archive: bool = False
    """Whether the engine loads the image from an archive. Other targets use the image's tree."""

    def __init__(self, recipe: Recipe, subject: CountedImage) -> None:
        self.recipe = recipe
        self.subject = subject

    def set_up(self) -> None:  # noqa: B027 - most targets need nothing here
        """Before the first box, once."""

    def before(self, start: str) -> None:
        """Before the request of each box."""
        self.recipe.do("channel", f"/box/{start}/ch")

    @abstractmethod
    def request(self, start: str) -> None:
        """The request of a box: the measured part."""

    def after(self, start: str) -> None:  # noqa: B027 - most targets need nothing here
        """After a box has ended: remove what it left."""

    def mount_overlay(self, start: str) -> None:
        """Mount a new writable layer on the image's tree."""
        self.recipe.do("mount", "overlay", f"/box/{start}/root", "overlay", overlay_options(start))

    def spec(self, start: str, root: str) -> bytes:
        """The config.json of an OCI bundle."""
        config = self.subject.config
        contents = Contents(
            argv=INHERITING_AGENT_ARGV,
            root=root,
            env=config.env,
            cwd=config.cwd,
            uid=config.uid,
            gid=config.gid,
            groups=config.groups,
            binds={f"/box/{start}/ch": CHANNEL_IN_BOX},
            memory_bytes=self.subject.memory_bytes,
            cpus=(0,),
            cgroup=f"/boxbench/{start}",
        )
        return json.dumps(oci_config(contents, mode="v2"), sort_keys=True).encode()


def overlay_options(start: str) -> str:
    """Options for mount(2) of a new writable layer on the image's tree."""
    return f"lowerdir={TREE},upperdir=/box/{start}/upper,workdir=/box/{start}/work"


class _Process(Starter):
    def before(self, start: str) -> None:
        root = f"/box/{start}/root"
        self.mount_overlay(start)
        self.recipe.do("mount", "proc", f"{root}/proc", "proc")
        self.recipe.do("channel", root + CHANNEL_IN_BOX)
        agent = (root + AGENT_IN_BOX, "--chroot", root, "run", CHANNEL_IN_BOX)
        self.recipe.do("hold", LAUNCHER, "--control", "3", "--", *agent)

    def request(self, start: str) -> None:
        del start
        self.recipe.do("go")


class _Namespaces(Starter):
    def before(self, start: str) -> None:
        super().before(start)
        words = ["--isolate", f"/box/{start}/root", "--overlay", overlay_options(start), "--cgroupfs", ".:"]
        words += ["--bind", f"/box/{start}/ch:{CHANNEL_IN_BOX.lstrip('/')}", "--hostname", HOSTNAME, "--enter", "pivot"]
        for name in _NAMESPACES:
            words += ["--new", name]
        self.recipe.do("hold", LAUNCHER, "--control", "3", *words, "--", AGENT_IN_BOX, "run", CHANNEL_IN_BOX)

    def request(self, start: str) -> None:
        del start
        self.recipe.do("go")


class _Runc(Starter):
    programs = ("runc",)

    def before(self, start: str) -> None:
        super().before(start)
        self.recipe.files[f"box/{start}/bundle/config.json"] = self.spec(start, f"/box/{start}/root")

    def request(self, start: str) -> None:
        self.mount_overlay(start)
        words = ("run", "--detach", "--bundle", f"/box/{start}/bundle", "--pid-file", f"/box/{start}/pid", start)
        self.recipe.do("call", "/usr/sbin/runc", "--root", "/run/runc", *words)

    def after(self, start: str) -> None:
        self.recipe.do("call", "/usr/sbin/runc", "--root", "/run/runc", "delete", "--force", start)


class _Engine(Starter):
    """A target with daemons, which load the image from an archive."""

    needs_archive = True

    def set_up(self) -> None:
        for setting in _GO_SETTINGS:
            self.recipe.do("env", setting)
        self.start_daemon()

    @abstractmethod
    def start_daemon(self) -> None:
        """Start the daemon and load the image."""


class _Containerd(_Engine):
    programs = ("runc", "containerd", "containerd-shim-runc-v2", "ctr")

    def start_daemon(self) -> None:
        self.recipe.files["box/containerd.toml"] = _CONTAINERD_CONFIG.encode()
        self.recipe.do("daemon", "/usr/bin/containerd", "--config", "/box/containerd.toml")
        self.recipe.do("await", CONTAINERD_SOCKET)
        words = ("--address", CONTAINERD_SOCKET, "--namespace", grpc.NAMESPACE, "images", "import")
        self.recipe.do("call", "/usr/bin/ctr", *words, "--snapshotter", "overlayfs", ARCHIVE)

    def request(self, start: str) -> None:
        calls = grpc.start_calls(
            start,
            image=REF,
            parent=self.subject.layer,
            # Relative to the bundle that containerd makes.
            spec=self.spec(start, "rootfs"),
            output=f"/box/{start}/out",
        )
        for call in calls:
            self.recipe.files[f"box/{start}/{call.name}"] = call.message
            self.recipe.files[f"box/{start}/{call.name}.head"] = call.head
        self.recipe.files[f"box/{start}/out"] = b""
        self.recipe.do("grpc", CONTAINERD_SOCKET, *(f"/box/{start}/{call.name}" for call in calls))


class _Docker(_Engine):
    programs: tuple[str, ...] = ("runc", "containerd", "containerd-shim-runc-v2", "dockerd")

    def start_daemon(self) -> None:
        words = ("--iptables=false", "--ip6tables=false", "--bridge=none", "--userland-proxy=false")
        self.recipe.do("daemon", "/usr/sbin/dockerd", "--host", f"unix://{DOCKER_SOCKET}", *words)
        self.recipe.do("await", DOCKER_SOCKET)
        self.recipe.do("http", DOCKER_SOCKET, "POST", "/images/load?quiet=1", ARCHIVE)

    def request(self, start: str) -> None:
        self.recipe.files[f"box/{start}/create.json"] = self._creation(start)
        create = f"/containers/create?name={start}"
        self.recipe.do("http", DOCKER_SOCKET, "POST", create, f"/box/{start}/create.json")
        self.recipe.do("http", DOCKER_SOCKET, "POST", f"/containers/{start}/start")

    def after(self, start: str) -> None:
        self.recipe.do("http", DOCKER_SOCKET, "DELETE", f"/containers/{start}?force=1")

    def _creation(self, start: str) -> bytes:
        memory = self.subject.memory_bytes
        body = {
            "Image": REF,
            "Hostname": HOSTNAME,
            "User": self.subject.config.user,
            "Entrypoint": list(INHERITING_AGENT_ARGV),
            "Cmd": [],
            "Env": list(self.subject.config.env),
            "HostConfig": {
                "Binds": [f"/box/{start}/ch:{CHANNEL_IN_BOX}:rw"],
                "CpusetCpus": "0",
                "Memory": memory,
                "MemorySwap": memory,
                "NetworkMode": "none",
                "ExtraHosts": [f"{HOSTNAME}:{OWN_ADDRESS}"],
            },
        }
        return json.dumps(body, sort_keys=True).encode()


class _DockerCli(_Docker):
    programs = (*_Docker.programs, "docker")

    def request(self, start: str) -> None:
        self.recipe.do("call", "/usr/bin/docker", "--host", f"unix://{DOCKER_SOCKET}", *self._words(start))

    def _words(self, start: str) -> Iterator[str]:
        config, memory = self.subject.config, str(self.subject.memory_bytes)
        agent, *words = INHERITING_AGENT_ARGV
        yield from ("run", "--detach", "--pull", "never", "--name", start, "--hostname", HOSTNAME)
        yield from ("--add-host", f"{HOSTNAME}:{OWN_ADDRESS}")
        yield from ("--network", "none", "--memory", memory, "--memory-swap", memory, "--cpuset-cpus", "0")
        yield from ("--volume", f"/box/{start}/ch:{CHANNEL_IN_BOX}:rw")
        for entry in config.env:
            yield from ("--env", entry)
        if config.user:
            yield from ("--user", config.user)
        yield from ("--entrypoint", agent, REF, *words)


STARTERS: Final[dict[str, type[Starter]]] = {
    "process": _Process,
    "namespaces": _Namespaces,
    "runc": _Runc,
    "containerd": _Containerd,
    "docker": _Docker,
    "docker-cli": _DockerCli,
}
