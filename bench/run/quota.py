"""How much a box may write to the host's disk and to its run directory. A box that writes more is killed."""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.targets.base import Box, Order
from bench.util.errors import BoxbenchError, QuotaError
from bench.util.tree import walk_tree
from bench.util.units import format_bytes

OUTPUT_BYTES: Final = 512 * 2**20
"""Of each file that the workload's output is written to. An engine limits its logs by itself."""
RUN_BYTES: Final = 16 * 2**20
RUN_FILES: Final = 1000
"""Of the run directory. It is memory of the host, and a box can write to the channel's directory in it."""
CHECK_S: Final = 1.0
"""How often a box is checked once it is ready. Before that, whoever waits for the box checks it."""

_BLOCK_BYTES: Final = 512
# A disk cannot become larger than the scenario says.
_DISKS: Final = (".qcow2", ".raw", ".cow")


class Quota:
    """The limits of one box, and what its file systems held before it started.

    Args:
        layer_bytes: how much the box's writable layer may hold; None for a box with a disk, which has a size.
    """

    def __init__(self, order: Order, box: Box, *, layer_bytes: int | None) -> None:
        self.error: QuotaError | None = None
        """Why the box was killed; None when it kept its limits."""
        self._storage, self._directory = order.storage, order.directory
        self._box = box
        self._layer_bytes = layer_bytes
        self._disk, self._run = _Space(order.storage), _Space(order.directory)
        # The background's check and the end of the box exclude each other.
        self._lock = threading.Lock()
        self._closed = False
        _watch.register(self)

    def check(self) -> None:
        """Compare what the box has written with its limits.

        Raises:
            QuotaError: a limit is passed. The box was killed.
        """
        try:
            with suppress(FileNotFoundError):
                self._check_output()
                self._check_run_directory()
                self._check_layer()
        except QuotaError as error:
            self.error = error
            with suppress(BoxbenchError, OSError):
                self._box.kill()
            raise

    def begin(self) -> None:
        """Check the box in the background from now on."""
        _watch.begin(self)

    def look(self) -> None:
        """Check the box, unless it has ended or passed a limit already; for the background."""
        with self._lock, suppress(BoxbenchError, OSError):
            if not self._closed and self.error is None:
                self.check()

    def close(self) -> None:
        """End the checks. A second call does nothing."""
        _watch.unregister(self)
        with self._lock:
            self._closed = True

    def _check_output(self) -> None:
        with os.scandir(self._storage) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False) or entry.name.endswith(_DISKS):
                    continue
                if entry.stat(follow_symlinks=False).st_size > OUTPUT_BYTES:
                    raise _too_much(
                        OUTPUT_BYTES, f"the output file {entry.path}", "let the workload print less, or run shorter"
                    )

    def _check_run_directory(self) -> None:
        # Counting is only needed when something has filled the file system meanwhile.
        taken_bytes, taken_files = self._run.taken()
        if taken_bytes < RUN_BYTES // 2 and taken_files < RUN_FILES // 2:
            return
        size = 0
        for number, found in enumerate(walk_tree(self._directory), start=1):
            size += found.st_blocks * _BLOCK_BYTES
            if size > RUN_BYTES or number > RUN_FILES:
                raise _too_much(
                    RUN_BYTES,
                    f"its run directory {self._directory}, or more than {RUN_FILES} files",
                    "only the agent has to write there; look for a program in the box that writes to /.boxbench/ch",
                )

    def _check_layer(self) -> None:
        limit = self._layer_bytes
        if limit is None or self._disk.taken()[0] < limit // 2:
            return
        if self._box.disk_bytes().get("box.allocated", 0) > limit:
            raise _too_much(
                limit, f"the writable layer below {self._storage}", "allow more with resources.disk, or write less"
            )


def _too_much(limit: int, where: str, hint: str) -> QuotaError:
    return QuotaError(f"the box was killed, since it wrote more than {format_bytes(limit)} to {where}", hint=hint)


class _Space:
    """How much of a file system was taken since the object was made, by whomever."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = os.statvfs(path)

    def taken(self) -> tuple[float, float]:
        """Bytes and files; infinite where the file system has no limit, since it does not tell them then."""
        before, now = self._before, os.statvfs(self._path)
        return (
            (before.f_bfree - now.f_bfree) * now.f_frsize if now.f_blocks else math.inf,
            before.f_ffree - now.f_ffree if now.f_files else math.inf,
        )


class _Watch:
    """One thread that checks all boxes that are ready. It exists while there is a box, and sleeps until one is ready.

    A thread takes some 100 us to start. It is started before a box is requested, so that no start pays for it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._registered: set[Quota] = set()
        self._begun: set[Quota] = set()
        self._thread: threading.Thread | None = None

    def register(self, quota: Quota) -> None:
        with self._changed:
            self._registered.add(quota)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="boxbench-quota", daemon=True)
                self._thread.start()

    def begin(self, quota: Quota) -> None:
        with self._changed:
            self._begun.add(quota)
            self._changed.notify()

    def unregister(self, quota: Quota) -> None:
        ended = None
        with self._changed:
            self._registered.discard(quota)
            self._begun.discard(quota)
            if not self._registered:
                ended, self._thread = self._thread, None
                self._changed.notify_all()
        if ended is not None:
            ended.join()

    def _run(self) -> None:
        while (due := self._await_due()) is not None:
            for quota in due:
                quota.look()

    def _await_due(self) -> list[Quota] | None:
        """The boxes to check, CHECK_S from now; None once this thread is to end."""
        due_s = time.monotonic() + CHECK_S
        with self._changed:
            while self._thread is threading.current_thread():
                left_s = due_s - time.monotonic()
                if self._begun and left_s <= 0:
                    return list(self._begun)
                self._changed.wait(max(0.0, left_s) if self._begun else None)
            return None


_watch: Final = _Watch()
