"""Compiles our C programs on this host. They are static, so that one file runs on the host and in every box."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from bench.host.scratch import scratch
from bench.util import cache, proc
from bench.util.errors import HostUnfitError, ProcessError

COMPILERS: Final = ("cc", "gcc", "musl-gcc", "clang")
"""The compilers that are tried, in this order."""
FLAGS: Final = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-static", "-s")
SHARED: Final = ("bench.agent", "shared")
"""Package and folder of the sources that are linked into every program."""
_SUFFIXES: Final = (".c", ".h")


def agent_binary() -> Path:
    """Path of the compiled agent that runs in every box. Raises HostUnfitError, see ``static_program``."""
    return static_program("bench.agent", "boxinit")


def static_program(package: str, name: str) -> Path:
    """Path of a compiled program in the cache. Its key covers the compiler, the flags, every source and every header.

    Args:
        package: the package that holds the sources.
        name: a source file (``tsc_rate.c``), or a folder of sources (``boxinit``).

    Raises:
        HostUnfitError: no C compiler was found, or none of them can link a static program.
    """
    sources = program_sources(package, name)
    found = [path for compiler in COMPILERS if (path := shutil.which(compiler))]
    if not found:
        raise HostUnfitError(
            f"no C compiler was found (tried {', '.join(COMPILERS)}); {name} is compiled on this host",
            hint="install the packages gcc and libc6-dev; `boxbench doctor` has the command for this machine",
        )
    problems = []
    for compiler in found:
        try:
            return _ensure_compiled(compiler, sources)
        except ProcessError as error:
            problems.append(error.message)
    raise HostUnfitError(
        f"{name} could not be compiled to a static program: {problems[0]}",
        hint="install the package libc6-dev, which has the static C library; `boxbench doctor` has the command",
    )


def program_sources(package: str, name: str) -> dict[str, bytes]:
    """Contents of all sources and headers of a program, shared ones included, by path in the order of the paths."""
    own = resources.files(package).joinpath(name)
    shared_package, folder = SHARED
    shared = resources.files(shared_package).joinpath(folder)
    sources = _read_folder(own, f"{name}/") if own.is_dir() else {name: own.read_bytes()}
    return dict(sorted((sources | _read_folder(shared, f"{folder}/")).items()))


def compile_program(compiler: str, sources: Mapping[str, bytes], output: Path, *, flags: tuple[str, ...]) -> None:
    """Compile what ``program_sources`` returned. Raises ProcessError with the compiler's messages."""
    with scratch() as folder:
        for path, content in sources.items():
            file = folder / path
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        # Relative paths and a fixed order: the same sources give the same bytes.
        units = [path for path in sources if path.endswith(".c")]
        proc.run([compiler, *flags, "-I", ".", "-o", output.absolute(), *units], timeout_s=120, cwd=folder)


def _read_folder(folder: Traversable, prefix: str) -> dict[str, bytes]:
    return {f"{prefix}{file.name}": file.read_bytes() for file in folder.iterdir() if file.name.endswith(_SUFFIXES)}


def _ensure_compiled(compiler: str, sources: Mapping[str, bytes]) -> Path:
    version = proc.run([compiler, "--version"], timeout_s=20).stdout
    parts = [part for path, content in sources.items() for part in (path, content)]
    key = cache.content_key(compiler, version, " ".join(FLAGS), *parts)
    return cache.ensure("agent", key, lambda path: compile_program(compiler, sources, path, flags=FLAGS))
