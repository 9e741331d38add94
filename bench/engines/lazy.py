"""All engines of a campaign, each opened when first needed and closed together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.host.run_directory import owned_dir, run_root

if TYPE_CHECKING:
    from bench.engines.containerd import ContainerdEngine
    from bench.engines.dockerd import DockerEngine
    from bench.engines.libvirtd import LibvirtEngine
    from bench.engines.podman import PodmanEngine


class Engines:
    """Opens late: a campaign without VMs never needs libvirt."""

    def __init__(self, run_dir: Path, stack: ExitStack) -> None:
        self.run_dir = run_dir
        self._stack = stack
        self._docker: DockerEngine | None = None
        self._libvirt: LibvirtEngine | None = None
        self._podman: PodmanEngine | None = None
        self._containerd: ContainerdEngine | None = None

    @property
    def docker(self) -> DockerEngine:
        """The Docker Engine. Raises HostUnfitError."""
        if self._docker is None:
            from bench.engines.dockerd import docker_engine  # noqa: PLC0415

            self._docker = self._stack.enter_context(docker_engine(self.run_dir))
        return self._docker

    @property
    def libvirt(self) -> LibvirtEngine:
        """The libvirt connection. Raises HostUnfitError."""
        if self._libvirt is None:
            from bench.engines.libvirtd import libvirt_engine  # noqa: PLC0415

            self._libvirt = self._stack.enter_context(libvirt_engine())
        return self._libvirt

    @property
    def containerd(self) -> ContainerdEngine:
        """containerd, beside the one that an engine may have of its own. Raises HostUnfitError."""
        if self._containerd is None:
            from bench.engines.containerd import containerd_engine  # noqa: PLC0415

            self._containerd = self._stack.enter_context(containerd_engine(self.run_dir))
        return self._containerd

    @property
    def podman(self) -> PodmanEngine:
        """podman with storage of its own. Raises HostUnfitError."""
        if self._podman is None:
            from bench.engines.podman import podman_engine  # noqa: PLC0415

            self._podman = self._stack.enter_context(podman_engine(self.run_dir))
        return self._podman

    def opened_docker(self) -> DockerEngine | None:
        """The Docker Engine if something has needed it."""
        return self._docker


@contextmanager
def probe_engines() -> Iterator[Engines]:
    """Engines for a question, not for a campaign: in a run directory that is gone afterwards."""
    run_root().mkdir(mode=0o755, parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="boxbench-probe-", dir=run_root()) as name,
        owned_dir(Path(name)),
        open_engines(Path(name)) as engines,
    ):
        yield engines


@contextmanager
def open_engines(run_dir: Path) -> Iterator[Engines]:
    """An ``Engines``, and the end of every daemon it started."""
    with ExitStack() as stack:
        yield Engines(run_dir, stack)
