"""podman, an engine without a daemon. Images are in the cache; containers of a campaign in directories of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Final

from bench.host.run_directory import boxes_root
from bench.util import cache, proc
from bench.util.clip import LAST_LINES, NOTHING, Clip, Clipped
from bench.util.clock import MonotonicClock
from bench.util.errors import ProcessError, TeardownError
from bench.util.private import private_directory
from bench.util.tree import remove_tree

TIMEOUT_S: Final = 60.0
LOAD_TIMEOUT_S: Final = 600.0
# How long a command may run after the end of its output.
_END_S: Final = 5.0
_PIECE_BYTES: Final = 65536
# base_hosts_file: by default every box would have the lines of the host's /etc/hosts, in which anything can be.
# host_containers_internal_ip: by default a box without a network has the host's address in its /etc/hosts.
# log_driver: the host's default may be its journal, which stores lines later and keeps them.
# userns: a host's default may map the box's users to others, and the files of its channel belong to them.
# lock_type: the default, shared memory in /dev/shm, is common to all podman processes of the host and outlives them.
_SETTINGS: Final = """\
[containers]
base_hosts_file = "none"
host_containers_internal_ip = "none"
http_proxy = false
log_driver = "k8s-file"
userns = "host"
[engine]
lock_type = "file"
events_logger = "none"
cgroup_manager = "cgroupfs"
"""


@dataclass(frozen=True)
class PodmanEngine:
    """The directories of a campaign's podman, and its commands."""

    home: Path
    """Run-time state; small, and not kept over a reboot."""
    storage: Path
    """The writable layers of containers."""
    images: Path | None
    """Images, shared by all campaigns; None if containers run from directories only."""

    @property
    def env(self) -> dict[str, str]:
        """The environment variables of every command."""
        return {
            "CONTAINERS_CONF_OVERRIDE": str(self.home / "containers.conf"),
            # Otherwise every command warns on hosts with control groups v1. The version is in the record.
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }

    def argv(self, *words: str) -> list[str]:
        """The command line for a podman command. Raises HostUnfitError if podman is not installed."""
        argv = [proc.require_tool("podman", package="podman"), "--storage-driver", "overlay"]
        argv += ["--root", str(self.storage), "--runroot", str(self.home / "run"), "--tmpdir", str(self.home / "tmp")]
        if self.images is not None:
            argv += ["--imagestore", str(self.images)]
        return [*argv, *words]

    def ask(self, *words: str, check: bool = True, timeout_s: float = TIMEOUT_S) -> proc.Result:
        """Run a podman command to its end. Raises ProcessError."""
        return proc.run(self.argv(*words), timeout_s=timeout_s, check=check, env=self.env, keep=proc.ENGINE_VARIABLES)

    def logs(self, container: str) -> tuple[Clipped, Clipped]:
        """What a container has written to stdout and stderr so far. Of a long log, the beginning and the last lines."""
        clips = Clip(), Clip()
        status = self._pour(clips, "logs", container)
        if status is None:
            for clip in clips:
                clip.skip()
            self._pour(clips, "logs", "--tail", str(LAST_LINES), container)
        # A status other than 0 means that there is no such container.
        return (clips[0].clipped(), clips[1].clipped()) if not status else (NOTHING, NOTHING)

    def _pour(self, clips: tuple[Clip, Clip], *words: str) -> int | None:
        """Add a command's output to the clips. Its exit code; None if it wrote too much or took too long."""
        process = proc.spawn(self.argv(*words), stdout=PIPE, stderr=PIPE, env=self.env, keep=proc.ENGINE_VARIABLES)
        try:
            ended = _read_both(process, clips, timeout_s=TIMEOUT_S)
            return process.wait(_END_S) if ended else None
        except TimeoutExpired:
            return None
        finally:
            proc.stop(process)

    def make(self) -> None:
        """Create the directories and the configuration."""
        for path in (self.home, self.storage):
            private_directory(path)
        (self.home / "containers.conf").write_text(_SETTINGS, encoding="ascii")

    def load(self, image_id: str, archive: Path) -> None:
        """Load an image, unless podman has it. podman and Docker give it the same id. Raises ProcessError."""
        if self.ask("image", "exists", image_id, check=False).returncode != 0:
            self.ask("load", "--quiet", "--input", str(archive), timeout_s=LOAD_TIMEOUT_S)

    def version(self) -> str:
        """podman's version, for records."""
        return self.ask("--version").text.strip()


def _read_both(process: Popen[bytes], clips: tuple[Clip, Clip], *, timeout_s: float) -> bool:
    """Add stdout and stderr to the clips. True if both were read to their end."""
    clock = MonotonicClock()
    until_ns = clock.now_ns() + round(timeout_s * 1e9)
    with DefaultSelector() as selector:
        for stream, clip in zip((process.stdout, process.stderr), clips, strict=True):
            selector.register(stream, EVENT_READ, clip)  # type: ignore[arg-type]
        while selector.get_map() and not any(clip.too_much for clip in clips):
            left_ns = until_ns - clock.now_ns()
            if left_ns <= 0:
                return False
            for key, _ in selector.select(left_ns / 1e9):
                piece = os.read(key.fd, _PIECE_BYTES)
                key.data.add(piece)
                if not piece:
                    selector.unregister(key.fileobj)
    return not any(clip.too_much for clip in clips)


@contextmanager
def podman_engine(run_dir: Path) -> Iterator[PodmanEngine]:
    """podman for a campaign. Its containers and their storage are removed at the end.

    Raises:
        HostUnfitError: podman is not installed.
    """
    engine = PodmanEngine(
        home=run_dir / "podman",
        # Its name contains the campaign's tag, so that it is found if Boxbench is killed.
        storage=boxes_root() / f"{run_dir.name}-podman",
        images=cache.cache_dir() / "podman",
    )
    with opened_podman(engine):
        yield engine


@contextmanager
def opened_podman(engine: PodmanEngine) -> Iterator[None]:
    """Make an engine's directories; at the end, remove them with its containers. Raises HostUnfitError."""
    engine.argv()
    engine.make()
    try:
        yield
    finally:
        with suppress(ProcessError):  # containers that stay are found by the campaign's tag
            engine.ask("rm", "--all", "--force", "--time", "0")
        for path in (engine.storage, engine.home):
            with suppress(TeardownError):  # the campaign's last search finds what stays
                remove_tree(path)
