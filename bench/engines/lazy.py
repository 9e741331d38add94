"""The engines of a campaign: each is opened when first used, and all are closed together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bench.host.orphans import adopting_orphans
from bench.host.scratch import temporary_run_dir

if TYPE_CHECKING:
    from bench.engines.containerd import ContainerdEngine
    from bench.engines.dockerd import DockerEngine
    from bench.engines.libvirtd import LibvirtEngine
    from bench.engines.podman import PodmanEngine


class Engines:
    """Opens each engine on first use, so that a campaign without VMs does not need libvirt.

    Every property raises HostUnfitError if its engine cannot be opened. The next use tries again.
    """

    # The modules are imported on first use for the same reason: their client libraries may be missing.

    def __init__(self, run_dir: Path, stack: ExitStack) -> None:
        self.run_dir = run_dir
        self._stack = stack

    @cached_property
    def docker(self) -> DockerEngine:
        """The Docker Engine."""
        from bench.engines.dockerd import docker_engine  # noqa: PLC0415

        return self._stack.enter_context(docker_engine(self.run_dir))

    @property
    def opened_docker(self) -> DockerEngine | None:
        """The Docker Engine if it has been opened. Images may be in another engine, so that none is needed."""
        return self.__dict__.get("docker")

    @cached_property
    def libvirt(self) -> LibvirtEngine:
        """The libvirt connection."""
        from bench.engines.libvirtd import libvirt_engine  # noqa: PLC0415

        return self._stack.enter_context(libvirt_engine(self.run_dir))

    @cached_property
    def containerd(self) -> ContainerdEngine:
        """A containerd that is used directly. It is not the one that a private Docker Engine starts for itself."""
        from bench.engines.containerd import containerd_engine  # noqa: PLC0415

        return self._stack.enter_context(containerd_engine(self.run_dir))

    @cached_property
    def podman(self) -> PodmanEngine:
        """podman with its own storage."""
        from bench.engines.podman import podman_engine  # noqa: PLC0415

        return self._stack.enter_context(podman_engine(self.run_dir))


@contextmanager
def open_engines(run_dir: Path) -> Iterator[Engines]:
    """Engines for a campaign; every daemon that they start stops at the end. Orphans of theirs are ours meanwhile.

    Args:
        run_dir: the campaign's run directory, for sockets and run-time state.
    """
    with adopting_orphans(), ExitStack() as stack:
        yield Engines(run_dir, stack)


@contextmanager
def probe_engines() -> Iterator[Engines]:
    """Engines for a question about this host, in a temporary run directory."""
    with temporary_run_dir() as run_dir, open_engines(run_dir) as engines:
        yield engines
