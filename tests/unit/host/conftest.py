"""Fixtures of tests that read a made-up host, or make control groups on the real one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bench.util import proc

StartIn = Callable[[Sequence[Path], str], subprocess.Popen[bytes]]


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Writes files, given by their paths below a root directory, and returns that directory."""

    def make(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return make


@pytest.fixture
def start_in() -> Iterator[StartIn]:
    """Starts a shell script in control groups, given by their ``cgroup.procs`` files; returns at its first line."""
    started: list[subprocess.Popen[bytes]] = []

    def start(files: Sequence[Path], script: str) -> subprocess.Popen[bytes]:
        joins = " ".join(f"echo 0 >{file};" for file in files)
        process = proc.spawn(["sh", "-c", f"{joins} {script}"], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in started:
        proc.stop(process)
