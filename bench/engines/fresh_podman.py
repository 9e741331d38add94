"""podman with a storage of its own that has no image, and a registry at the far end of a link.

podman unpacks layers while others arrive, and fetches the image's configuration last. It tells the end of all of it
only, so the last byte is seen on the link.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from bench.engines.fresh import Arrived, not_forgotten, not_pulled, pull_limit_s, silent_engine
from bench.engines.link import Link
from bench.engines.link_watch import watched
from bench.engines.podman import LOAD_TIMEOUT_S, PodmanEngine, opened_podman
from bench.engines.registry import PushedImage
from bench.util import proc
from bench.util.errors import ProcessError
from bench.util.private import private_directory

_VARIABLES: Final = ("HOME", "TMPDIR", "LANG", "LC_*")
"""What it gets of our environment. A proxy of ours cannot be reached from the link."""


@dataclass(frozen=True)
class FreshPodman:
    """See ``FreshEngine``."""

    engine: PodmanEngine
    data_root: Path
    link: Link
    knows_by_id: ClassVar[bool] = True

    def pull(self, image: PushedImage, *, arrived: Arrived) -> int:
        """Pull by ``podman pull``. See ``FreshEngine``."""
        # A start whose pull broke is no measurement, so it is not tried again.
        words = ("pull", "--quiet", "--tls-verify=false", "--retry", "0", image.ref)
        argv = self.link.on_fetcher(*self.engine.argv(*words))
        limit_s = pull_limit_s(image, self.link)
        try:
            with watched(self.link) as watch:
                result = proc.run(argv, timeout_s=limit_s, env=self.engine.env, keep=_VARIABLES)
        except ProcessError as error:
            raise not_pulled("podman", image.ref, error.stderr_tail or error.message) from None
        arrived(at_ns=watch.layers_came_ns(image))
        return result.cpu_ns or 0

    def forget(self) -> None:
        """See ``FreshEngine``."""
        try:
            self.engine.ask("rmi", "--all", "--force", timeout_s=LOAD_TIMEOUT_S)
            left = self.engine.ask("images", "--all", "--quiet").text.split()
        except ProcessError as error:
            raise silent_engine("podman", error.stderr_tail or error.message) from None
        if left:
            raise not_forgotten("podman", f"{len(left)} images")


@contextmanager
def fresh_podman(link: Link, run_dir: Path, storage: Path) -> Iterator[FreshPodman]:
    """podman without images; its containers are removed at the end.

    Args:
        run_dir: a run directory whose name is a tag, for run-time state.
        storage: a directory on a disk, for images and writable layers. The caller removes both.

    Raises:
        HostUnfitError: podman is missing.
    """
    root = private_directory(storage / "podman")
    # In two directories, as for every other box of the target.
    engine = PodmanEngine(run_dir / "podman", root / "containers", private_directory(root / "images"))
    with opened_podman(engine):
        yield FreshPodman(engine, root, link)
