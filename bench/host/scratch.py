"""Directories for the time of a task. Each is locked by its process, so that those of killed ones can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.host.run_directory import new_tag, owned_dir, run_root, scratch_root
from bench.util.tree import remove_tree


@contextmanager
def scratch() -> Iterator[Path]:
    """A new directory in the cache, removed at the end. Its name is a tag, also for what is made with it.

    Raises:
        HostUnfitError: it cannot be made.
        TeardownError, OSError: it cannot be removed.
    """
    with _temporary(scratch_root() / new_tag("scratch")) as path:
        yield path


@contextmanager
def temporary_run_dir() -> Iterator[Path]:
    """A new run directory for engines beside campaigns, removed at the end. Raises as ``scratch``."""
    with _temporary(run_root() / new_tag("probe")) as path:
        yield path


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    with owned_dir(path):
        try:
            yield path
        finally:
            remove_tree(path)
