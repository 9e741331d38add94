"""Makes the published results in a directory of their own, with nothing there but the sources."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.gallery.listing import PUBLISHED, ROOT, Gallery, Result

_SHOWN: Final = 2000
"""Characters of the output of a command that failed."""


class MakingError(Exception):
    """A command ended with an exit code that the listing does not allow."""


def copy_sources(gallery: Gallery, root: Path) -> Path:
    """Copy all that no command makes into a new repository at ``root``; returns the gallery there."""
    target = root / PUBLISHED
    for file in sorted((ROOT / PUBLISHED).rglob("*")):
        name = file.relative_to(ROOT / PUBLISHED).as_posix()
        if file.is_file() and gallery.is_source(name) and not gallery.is_kept(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / name)
    return target


def make(results: Iterable[Result], root: Path) -> None:
    """Run the commands of the results, some results at once. Raises MakingError."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(lambda result: _make(result, root), tuple(results)):
            print(one, flush=True)


def _make(result: Result, root: Path) -> str:
    for command in result.commands:
        _run(command, root / PUBLISHED / result.inside if result.inside else root, result.exit_codes)
    return result.directory


def _run(command: str, place: Path, exit_codes: Iterable[int]) -> None:
    words = [sys.executable, "-m", "bench.cli", *shlex.split(command)[1:]]
    # One thread of linear algebra per command, since as many commands as CPUs run.
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=place, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in exit_codes:
        raise MakingError(
            f"`{command}` ended with exit code {done.returncode}, not with one of {sorted(exit_codes)}: "
            f"{(done.stderr or done.stdout)[-_SHOWN:]}"
        )
