"""A private Docker Engine that has no image: its data root is new, and its registry is at the far end of a link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from bench.engines.dockerd import DockerEngine, dockerd_argv, remove_boxes, spawned_engine
from bench.engines.fresh import Arrived, not_forgotten, not_pulled, silent_engine
from bench.engines.link import Link
from bench.engines.registry import ADDRESS, PushedImage
from bench.host.cgroup import engine_group, engine_parent
from bench.host.mounts import unmount
from bench.util import proc
from bench.util.errors import TeardownError
from bench.util.private import private_directory

_VARIABLES: Final = ("HOME", "TMPDIR", "LANG", "LC_*", "LD_LIBRARY_PATH")
"""What it gets of our environment. A proxy of ours cannot be reached from the link."""
# A start whose pull broke is no measurement, so it is not tried again, which would take a minute.
_SETTINGS: Final = {"insecure-registries": [ADDRESS], "max-download-attempts": 1}
_ARRIVED: Final = ("Download complete", "Already exists", "Pull complete")


@dataclass(frozen=True)
class FreshDocker:
    """See ``FreshEngine``."""

    engine: DockerEngine
    data_root: Path
    knows_by_id: bool = False

    def pull(self, image: PushedImage, *, arrived: Arrived) -> int:
        """Pull by the Engine API, which says when each layer has come. See ``FreshEngine``."""
        layers = len({layer.digest for layer in image.layers})
        there: set[str] = set()
        try:
            for event in self.engine.client.api.pull(image.ref, stream=True, decode=True):
                if "error" in event:
                    raise not_pulled("docker", image.ref, str(event["error"]))
                if event.get("status") in _ARRIVED and len(there) < layers:
                    there.add(str(event.get("id")))
                    if len(there) == layers:
                        arrived()
        except (DockerException, RequestException, json.JSONDecodeError) as error:
            raise not_pulled("docker", image.ref, str(error)) from None
        if len(there) < layers:
            arrived()
        return 0

    def forget(self) -> None:
        """See ``FreshEngine``."""
        images = self.engine.client.images
        try:
            for image in images.list(all=True):
                with suppress(NotFound):  # removed with an image above it
                    images.remove(str(image.id), force=True)
            left = len(images.list(all=True))
        except (DockerException, RequestException) as error:
            raise silent_engine("docker", error) from None
        if left:
            raise not_forgotten("docker", f"{left} images")


@contextmanager
def fresh_docker(link: Link, run_dir: Path, storage: Path) -> Iterator[FreshDocker]:
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
                settings=_SETTINGS,
                keep=_VARIABLES,
            ) as engine,
        ):
            if account is not None:
                account.add(*engine.daemon_pids.values())
            try:
                yield FreshDocker(engine, data_root)
            finally:
                with suppress(DockerException, OSError):
                    remove_boxes(engine.client)
    finally:
        # dockerd mounts its data root on itself.
        with suppress(TeardownError):
            unmount(str(data_root.resolve()))
