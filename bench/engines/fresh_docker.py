"""A private Docker Engine that has no image: its data root is new, and its registry is at the far end of a link."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from bench.engines.dockerd import DockerEngine, dockerd_argv, remove_boxes, spawned_engine
from bench.engines.link import Link
from bench.engines.registry import ADDRESS
from bench.host.cgroup import engine_group, engine_parent
from bench.host.mounts import unmount
from bench.util import proc
from bench.util.errors import LaunchError, TeardownError
from bench.util.private import private_directory

_VARIABLES: Final = ("HOME", "TMPDIR", "LANG", "LC_*", "LD_LIBRARY_PATH")
"""What it gets of our environment. A proxy of ours cannot be reached from the link."""
_ARRIVED: Final = ("Download complete", "Already exists", "Pull complete")


@dataclass(frozen=True)
class FreshEngine:
    """A private engine at the near end of a link."""

    engine: DockerEngine
    data_root: Path

    def pull(self, ref: str, *, layers: int, arrived: Callable[[], object]) -> None:
        """Pull an image.

        Args:
            layers: how many different layers it has.
            arrived: called once, when the last byte of the last layer has come.

        Raises:
            LaunchError: the registry or the engine failed.
        """
        there: set[str] = set()
        try:
            for event in self.engine.client.api.pull(ref, stream=True, decode=True):
                _refuse_error(ref, event)
                if event.get("status") in _ARRIVED and len(there) < layers:
                    there.add(str(event.get("id")))
                    if len(there) == layers:
                        arrived()
        except (DockerException, RequestException, json.JSONDecodeError) as error:
            raise _failed(ref, str(error)) from None
        if len(there) < layers:
            arrived()

    def forget(self) -> None:
        """Remove all images with their layers. Raises LaunchError: the engine still has one, or does not answer."""
        images = self.engine.client.images
        try:
            for image in images.list(all=True):
                with suppress(NotFound):  # removed with an image above it
                    images.remove(str(image.id), force=True)
            left = len(images.list(all=True))
        except (DockerException, RequestException) as error:
            raise LaunchError(
                f"the engine for first starts does not remove its images: {error}", hint="look at its log; run again"
            ) from None
        if left:
            raise LaunchError(
                f"the engine for first starts still has {left} images, so a start would not be the first one",
                hint="run again",
            )


def _refuse_error(ref: str, event: Mapping[str, Any]) -> None:
    if "error" in event:
        raise _failed(ref, str(event["error"]))


def _failed(ref: str, why: str) -> LaunchError:
    return LaunchError(
        f"docker: {ref} was not pulled: {why[:500]}",
        hint="the registry is one of boxbench's own: a full disk, or a fault of boxbench",
    )


@contextmanager
def fresh_engine(link: Link, run_dir: Path, storage: Path) -> Iterator[FreshEngine]:
    """Run an engine without images until the end of the context. Its containers have no network.

    Args:
        run_dir: a run directory whose name is a tag, for its sockets and run-time state.
        storage: a directory on a disk, for its data root. The caller removes both.

    Raises:
        HostUnfitError: dockerd is missing or does not start.
    """
    dockerd = proc.require_tool("dockerd", package="docker.io")
    data_root = private_directory(storage / "docker")
    try:
        with (
            engine_parent(run_dir.name) as parent,
            engine_group(f"{run_dir.name}-dockerd") as account,
            spawned_engine(
                link.on_fetcher(*dockerd_argv(dockerd, run_dir, data_root, parent)),
                run_dir,
                settings={"insecure-registries": [ADDRESS]},
                keep=_VARIABLES,
            ) as engine,
        ):
            if account is not None:
                account.add(*engine.daemon_pids.values())
            try:
                yield FreshEngine(engine, data_root)
            finally:
                with suppress(DockerException, OSError):
                    remove_boxes(engine.client)
    finally:
        # dockerd mounts its data root on itself.
        with suppress(TeardownError):
            unmount(str(data_root.resolve()))
