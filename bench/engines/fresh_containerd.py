"""A private containerd that has no image: its data root is new, and its registry is at the far end of a link.

The image is pulled by containerd's own client, which fetches all of it and then lets the snapshotter unpack one layer
after another. It tells the end of both only, so the last byte is seen on the link.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.engines.containerd import ContainerdEngine, spawned_containerd
from bench.engines.containerd_api import ContainerdApi, ContainerdError
from bench.engines.fresh import Arrived, not_forgotten, not_pulled, pull_limit_s, silent_engine
from bench.engines.link import Link
from bench.engines.link_watch import watched
from bench.engines.registry import PushedImage
from bench.engines.startup import peer_pid
from bench.util import proc
from bench.util.errors import ProcessError
from bench.util.private import private_directory


@dataclass(frozen=True)
class FreshContainerd:
    """See ``FreshEngine``."""

    engine: ContainerdEngine
    data_root: Path
    link: Link
    snapshotter: str
    knows_by_id: ClassVar[bool] = False

    def pull(self, image: PushedImage, *, arrived: Arrived) -> int:
        """Pull by ``ctr images pull``. See ``FreshEngine``."""
        words = ("images", "pull", "--local", "--plain-http", "--snapshotter", self.snapshotter, image.ref)
        argv = self.link.on_fetcher(*self.engine.ctr(*words))
        try:
            with watched(self.link) as watch:
                result = proc.run(argv, timeout_s=pull_limit_s(image, self.link), keep=proc.NO_VARIABLES)
        except ProcessError as error:
            raise not_pulled("containerd", image.ref, error.stderr_tail or error.message) from None
        arrived(at_ns=watch.layers_came_ns(image))
        return result.cpu_ns or 0

    def forget(self) -> None:
        """See ``FreshEngine``."""
        api = self.engine.api
        try:
            for name in api.images():
                api.delete_image(name)
            for name in api.unfinished_content():
                api.abort_content(name)
            for name in api.leases():  # of a pull that was killed
                api.delete_lease(name)
            api.collect_garbage("forget")
            left = [*api.images(), *api.content(), *api.snapshots(self.snapshotter)]
        except ContainerdError as error:
            raise silent_engine("containerd", error.message) from None
        if left:
            raise not_forgotten("containerd", f"{len(left)} images, blobs or snapshots, such as {left[0]}")


@contextmanager
def fresh_containerd(link: Link, run_dir: Path, storage: Path) -> Iterator[tuple[ContainerdEngine, Path]]:
    """Run a containerd without images until the end of the context.

    Args:
        run_dir: a run directory whose name is a tag, for its socket and run-time state.
        storage: a directory on a disk, for its data root. The caller removes both.

    Yields:
        The engine, and its data root.

    Raises:
        HostUnfitError: containerd is missing or does not start.
    """
    root = private_directory(storage / "containerd")
    with spawned_containerd(run_dir, root, inside=link.on_fetcher) as socket:
        api = ContainerdApi(socket)
        try:
            state = run_dir / "containerd" / "runc"
            yield (
                ContainerdEngine(api, private=True, daemon_pids={"containerd": peer_pid(socket)}, runc_state=state),
                root,
            )
        finally:
            api.close()
