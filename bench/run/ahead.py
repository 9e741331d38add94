"""The files that targets need of an image, made beside each other and while the main thread does something else."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import Final

from bench.image.model import Image
from bench.image.tree import ensure_tree_dir
from bench.image.vm.disk import ensure_disk
from bench.scenario.model import Resources
from bench.scenario.target_table import target_info
from bench.targets.base import Target
from bench.targets.rootfs_box import RootfsTarget
from bench.util import proc
from bench.util.threads import WatchedThread

_LOOK_AGAIN_S: Final = 0.1

Work = Callable[[], object]


def works_of(image: Image, targets: Iterable[Target], resources: Resources) -> tuple[Work, ...]:
    """What takes long in ``Target.prepare`` of these targets: each of them finds it in the cache then."""
    found = list(targets)
    works: list[Work] = []
    if os.geteuid() == 0 and any(isinstance(target, RootfsTarget) for target in found):
        works.append(partial(ensure_tree_dir, image))
    if any(target_info(target.name).arrives_as == "disk" for target in found):
        works.append(partial(ensure_disk, image, resources.disk))
    return tuple(works)


@contextmanager
def done_beside(works: Iterable[Work]) -> Iterator[None]:
    """Do all works in threads while the block runs, and wait for them after it.

    An error of a work is left out: whoever needs what it should have made tries again and has the error. When the
    block ends with an error, or is interrupted, the programs that the works have started are ended.
    """
    threads = [_thread(work, number) for number, work in enumerate(works)]
    try:
        for thread in threads:
            thread.start()
        yield
        for thread in threads:
            thread.join()
    except BaseException:
        _end(threads)
        raise


def _thread(work: Work, number: int) -> WatchedThread:
    context = copy_context()
    return WatchedThread(lambda: context.run(work), name=f"ahead-{number}")


def _end(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            for process in proc.started_by(thread.ident):
                with suppress(Exception):
                    proc.stop(process)
            thread.join(_LOOK_AGAIN_S)
