"""What first starts need on this host: for each link a registry at its far end, and an engine without images here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from pathlib import Path

from bench.engines import link, registry
from bench.engines.containerd import ContainerdEngine
from bench.engines.dockerd import DockerEngine
from bench.engines.fresh import FreshEngine
from bench.engines.fresh_containerd import FreshContainerd, fresh_containerd
from bench.engines.fresh_docker import FreshDocker, fresh_docker
from bench.engines.fresh_podman import FreshPodman, fresh_podman
from bench.engines.lazy import Engines
from bench.engines.podman import PodmanEngine
from bench.engines.registry import PushedImage, Registry
from bench.host.run_directory import boxes_root, run_root
from bench.image.model import Image
from bench.image.saved import ensure_archive
from bench.image.stores.choice import image_store
from bench.scenario.first_start import FirstStart
from bench.scenario.model import TargetSpec
from bench.scenario.options import with_defaults
from bench.scenario.target_table import TARGETS, target_info
from bench.targets.base import Target
from bench.targets.first_start.target import FilesTarget, LayersTarget
from bench.targets.table import make_target
from bench.util.errors import HostUnfitError
from bench.util.private import private_directory
from bench.util.tree import remove_tree


class FirstStarts:
    """Makes targets for ``cache=absent``. Everything they need starts on first use, and ends with the engines."""

    def __init__(self, engines: Engines, tag: str, stack: ExitStack, *, accel: str) -> None:
        """Args: ``tag``: the campaign's; ``accel``: as for ``make_target``."""
        self._engines = engines
        self._tag = tag
        self._stack = stack
        self._accel = accel
        self._sites: dict[FirstStart, _Site] = {}
        self._targets: dict[tuple[str, FirstStart], Target] = {}

    def target(self, inner: Target, spec: TargetSpec, wanted: FirstStart) -> Target:
        """The target whose boxes get their image over the link.

        Args:
            inner: the target of ``spec`` whose image is there.

        Raises:
            HostUnfitError: a tool is missing, or this process is not root.
        """
        key = spec.label, wanted
        if key not in self._targets:
            self._targets[key] = self._make(inner, spec, self._site(wanted), wanted)
        return self._targets[key]

    def _make(self, inner: Target, spec: TargetSpec, site: _Site, wanted: FirstStart) -> Target:
        if target_info(spec.target).arrives_as != "layers":
            return FilesTarget(inner, site.registry, has_base=wanted.present == "base")

        def push(image: Image) -> PushedImage:
            archive = ensure_archive(image_store(self._engines), image)
            return site.registry.push_image(archive, layers=wanted.layers)

        engine, engines = site.fresh(spec, self._engines)
        own = make_target(spec, engines, accel=self._accel)
        return LayersTarget(own, site.registry, engine, push, has_base=wanted.present == "base")

    def _site(self, wanted: FirstStart) -> _Site:
        if wanted not in self._sites:
            name = f"{self._tag}-first{len(self._sites)}"
            self._sites[wanted] = self._stack.enter_context(_site(wanted, name))
        return self._sites[wanted]


class _Site:
    """A link with a registry, and engines at its near end, each of which starts on first use."""

    def __init__(self, served: Registry, run_dir: Path, storage: Path, stack: ExitStack) -> None:
        self.registry = served
        self.run_dir, self.stack = run_dir, stack
        self._places = (served.link, run_dir, storage)

    @cached_property
    def docker(self) -> FreshDocker:
        return self.stack.enter_context(fresh_docker(*self._places))

    @cached_property
    def containerd(self) -> tuple[ContainerdEngine, Path]:
        return self.stack.enter_context(fresh_containerd(*self._places))

    @cached_property
    def podman(self) -> FreshPodman:
        return self.stack.enter_context(fresh_podman(*self._places))

    def fresh(self, spec: TargetSpec, others: Engines) -> tuple[FreshEngine, Engines]:
        """The fresh engine of a target, and engines of which its own is the fresh one. Raises HostUnfitError.

        Args:
            others: of the campaign. One of them holds the image.
        """
        if spec.target == "docker":
            return self.docker, _FreshEngines(self, others, docker=self.docker.engine)
        if spec.target == "podman":
            return self.podman, _FreshEngines(self, others, podman=self.podman.engine)
        engine, root = self.containerd
        snapshotter = str(with_defaults(spec.options, TARGETS[spec.target].options)["snapshotter"])
        fresh = FreshContainerd(engine, root, self.registry.link, snapshotter)
        return fresh, _FreshEngines(self, others, containerd=engine)


class _FreshEngines(Engines):
    def __init__(
        self,
        site: _Site,
        others: Engines,
        *,
        docker: DockerEngine | None = None,
        containerd: ContainerdEngine | None = None,
        podman: PodmanEngine | None = None,
    ) -> None:
        super().__init__(site.run_dir, site.stack)
        self._others = others
        self._own = docker, containerd, podman

    @cached_property
    def docker(self) -> DockerEngine:
        return self._own[0] or self._others.docker

    @cached_property
    def containerd(self) -> ContainerdEngine:
        return self._own[1] or self._others.containerd

    @cached_property
    def podman(self) -> PodmanEngine:
        return self._own[2] or self._others.podman


@contextmanager
def _site(wanted: FirstStart, name: str) -> Iterator[_Site]:
    if os.geteuid() != 0:
        raise HostUnfitError(
            "cache=absent: only root can make the link, and a private engine at its end",
            hint="run as root, or leave out the level absent",
        )
    link.check_tools()
    registry.check_tools()
    run_dir, storage = private_directory(run_root() / name), boxes_root() / name
    with ExitStack() as stack:
        for path in (run_dir, storage):
            stack.callback(partial(remove_tree, path))
        private_directory(storage)
        made = stack.enter_context(link.limited_link(wanted.bandwidth))
        served = stack.enter_context(registry.registry(made, run_dir, storage))
        yield _Site(served, run_dir, storage, stack)
