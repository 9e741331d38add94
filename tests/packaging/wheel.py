"""Installs the wheel into a bare environment of every Python from 3.11 on that this host has, and uses it there.

Run as ``python -m tests.packaging.wheel``. Each environment has what pip brings and nothing else: no libvirt, no tools,
no PATH. ``boxbench quickstart --replay`` must write a report, and ``boxbench doctor`` must say what is missing.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.util import proc
from bench.util.errors import ExitCode
from tests.wheel import build_wheel

VERSIONS: Final = ("3.11", "3.12", "3.13", "3.14")
_OURS: Final = ("PYTHONPATH", "BOXBENCH_CACHE")
_INSTALL_TIMEOUT_S: Final = 900.0
_USE_TIMEOUT_S: Final = 300.0


def interpreters() -> Iterator[tuple[str, str]]:
    """Version and path of every Python in ``VERSIONS`` that runs on this host."""
    for version in VERSIONS:
        found = shutil.which(f"python{version}")
        if found is None:
            print(f"python {version}: not on PATH; not tried")
            continue
        # A shim of pyenv is there for versions that are not chosen, and fails.
        done = proc.run([found, "-c", "import sys; print(sys.executable)"], timeout_s=60, check=False)
        if done.returncode == 0:
            yield version, done.text.strip()
        else:
            print(f"python {version}: {found} does not run; not tried")


def use(program: Path, folder: Path) -> str | None:
    """Use an installed Boxbench without any tool. Returns what is wrong, or None."""
    bare = {"PATH": "/nonexistent", "HOME": str(folder), "COLUMNS": "80"}
    words: list[str | Path] = [program, "quickstart", "--replay", "-o", folder / "replayed"]
    proc.run(words, timeout_s=_USE_TIMEOUT_S, env=bare, cwd=folder, without=_OURS)
    if not (folder / "replayed/index.html").is_file():
        return "quickstart --replay wrote no report"
    words = [program, "doctor"]
    doctor = proc.run(words, timeout_s=_USE_TIMEOUT_S, env=bare, cwd=folder, without=_OURS, check=False)
    if doctor.returncode != ExitCode.HOST_UNFIT or "To install what is missing on this machine:" not in doctor.text:
        return f"doctor ended with {doctor.returncode}: {doctor.text[-500:]}{proc.tail(doctor.stderr)}"
    wide = [line for line in doctor.text.splitlines() if len(line) > 80 and "/" not in line]
    return f"doctor has a line wider than 80 columns: {wide[0]}" if wide else None


def main() -> int:
    """Print a line per Python. Returns 1 if one of them failed, 2 if there was none."""
    wrong: list[str | None] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dist").mkdir()
        wheel = build_wheel(folder / "dist")
        for version, python in interpreters():
            place = folder / version
            proc.run([python, "-m", "venv", place], timeout_s=_INSTALL_TIMEOUT_S)
            words: list[str | Path] = [place / "bin/python", "-m", "pip", "install", "--quiet", wheel]
            proc.run(words, timeout_s=_INSTALL_TIMEOUT_S, without=_OURS)
            wrong.append(use(place / "bin/boxbench", place))
            print(f"python {version}: {wrong[-1] or 'installed; replay and doctor work'}")
            shutil.rmtree(place)
    return 2 if not wrong else int(any(wrong))


if __name__ == "__main__":
    sys.exit(main())
