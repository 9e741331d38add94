"""Files and directories: of boxes, campaigns and tasks, half-made entries of the cache, logs and trace instances."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bench.host import run_directory
from bench.host.tracefs import find_instances, remove_instance
from bench.run.cleanup.leftover import Leftover, Wanted
from bench.util.cache import half_made
from bench.util.tree import remove_tree

LIBVIRT_LOGS: Final = Path("/var/log/libvirt/qemu")
"""Where libvirt's system daemon keeps a log per domain, also after the domain's end."""


def find_traces(wanted: Wanted) -> Iterator[Leftover]:
    """Instances of the kernel's trace."""
    for path in find_instances():
        if wanted.named(path.name):
            yield Leftover("trace", str(path), partial(remove_instance, path))


def find_files(wanted: Wanted) -> Iterator[Leftover]:
    """Directories of boxes and campaigns and libvirt's logs; with everything also what has no tag."""
    for path in _directories():
        if wanted.named(path.name):
            yield Leftover("directory", str(path), partial(run_directory.remove_abandoned, path))
    # libvirt leaves one per domain, so it is no sign of a box that was not removed.
    for path in _entries(LIBVIRT_LOGS) if wanted.whole else ():
        if path.suffix == ".log" and wanted.named(path.stem):
            yield Leftover("file", str(path), partial(path.unlink, missing_ok=True))
    if wanted.everything:
        for path in half_made():
            yield Leftover("half-made entry", str(path), partial(remove_tree, path))


def _directories() -> Iterator[Path]:
    """Directories in the run root, the boxes' storage and the scratch root, and those in them, outer ones first."""
    for top in (run_directory.run_root(), run_directory.boxes_root(), run_directory.scratch_root()):
        for outer in _entries(top):
            if outer.is_dir() and not outer.is_symlink():
                yield outer
                yield from (inner for inner in _entries(outer) if inner.is_dir() and not inner.is_symlink())


def _entries(directory: Path) -> list[Path]:
    # Directories of living campaigns may vanish during the search.
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []
