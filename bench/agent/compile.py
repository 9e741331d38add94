"""Our C programs: compiled once per source and compiler, static, so that the same file runs on hosts and in boxes."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import Final

from bench.util import cache, proc
from bench.util.errors import HostUnfitError, ProcessError

COMPILERS: Final = ("cc", "gcc", "musl-gcc", "clang")
FLAGS: Final = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-static", "-s")


def agent_binary() -> Path:
    """Path of the agent that runs in every box. Raises HostUnfitError."""
    return static_program("bench.agent", "boxinit.c")


def static_program(package: str, name: str) -> Path:
    """Path of a compiled program.

    Args:
        package: where the source travels.
        name: of the source file.

    Raises:
        HostUnfitError: no C compiler, or none that can link a static program.
    """
    source = resources.files(package).joinpath(name).read_bytes()
    found = [path for compiler in COMPILERS if (path := shutil.which(compiler))]
    if not found:
        raise HostUnfitError(
            f"no C compiler was found (tried {', '.join(COMPILERS)}); {name} is compiled on this host",
            hint="install the packages gcc and libc6-dev (./bootstrap setup does)",
        )
    problems = []
    for compiler in found:
        try:
            return _compiled(compiler, source)
        except ProcessError as error:
            problems.append(error.message)
    raise HostUnfitError(
        f"{name} could not be compiled to a static program: {problems[0]}",
        hint="install the package libc6-dev, which has the static C library (./bootstrap setup does)",
    )


def _compiled(compiler: str, source: bytes) -> Path:
    version = proc.run([compiler, "--version"], timeout_s=20).stdout
    key = cache.content_key(compiler, version, " ".join(FLAGS), source)

    def make(path: Path) -> None:
        proc.run([compiler, *FLAGS, "-x", "c", "-o", path, "-"], timeout_s=120, stdin=source)

    return cache.ensure("agent", key, make)
