"""Private engines: those that still run, and the data of those that ended before their containers were removed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from bench.engines import containerd, dockerd, libvirt_daemon
from bench.engines.data_root import abandoned_data_roots
from bench.host import run_directory
from bench.host.processes import Process, command_lines, own_uids, program_of, runs_as
from bench.host.read import HOST_ROOT
from bench.host.run_directory import Tag, parse_tag
from bench.run.cleanup.leftover import Leftover, Wanted
from bench.run.cleanup.processes import end, value_of
from bench.util.errors import BoxbenchError

_LADDER: Final = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 10.0))
_OPTIONS: Final = {
    "dockerd": {
        "--pidfile": ("", dockerd.PIDFILE),
        "--exec-root": ("", dockerd.EXEC_ROOT),
        "--host": ("unix://", dockerd.SOCKET),
    },
    "containerd": {"--config": ("", containerd.CONFIG)},
    **{
        program: {"--config": ("", libvirt_daemon.CONFIG), "--pid-file": ("", libvirt_daemon.PIDFILE)}
        for program in libvirt_daemon.PROGRAMS
    },
}
"""The options of a private engine: what comes before its run directory, and the path in it."""
_EMPTY: Final[dict[str, Callable[[Path], None]]] = {
    "dockerd": dockerd.empty_private,
    "containerd": containerd.empty_private,
}
"""The VMs of a libvirt are no part of its daemon: they are found as processes."""
_RESTART: Final[dict[str, Callable[[], None]]] = {
    "dockerd": dockerd.remove_abandoned,
    "containerd": containerd.remove_abandoned,
}


def find_engines(wanted: Wanted) -> Iterator[Leftover]:
    """Private engines that run. They remove their containers before they are ended."""
    for pid, argv in command_lines():
        process, engine = Process.of(pid), program_of(pid)
        tag = tag_of_engine(pid, argv)
        if process is not None and engine is not None and tag is not None and wanted(tag):
            run_dir = run_directory.run_root() / tag.text
            yield Leftover("engine", f"{engine} {pid}", partial(_end, process, engine, run_dir))


def find_abandoned_data(wanted: Wanted) -> Iterator[Leftover]:
    """Containers of private engines that were killed. Only an engine on the same data can remove them."""
    if wanted.everything:
        for engine, root in abandoned_data_roots().items():
            yield Leftover("containers", f"of a {engine} that was killed, in {root}", _RESTART[engine])


def tag_of_engine(pid: int, argv: list[str], *, root: Path = HOST_ROOT) -> Tag | None:
    """The tag of the campaign that started a private engine; None for every other process.

    It runs as this user, its executable is the engine's, and all its own files are in one run directory.
    """
    options = _OPTIONS.get(program_of(pid, root=root) or "")
    if options is None or not runs_as(pid, own_uids(), root=root):
        return None
    top = f"{run_directory.run_root()}/"
    words = {option: value_of(argv, option) for option in options}
    names = {(word or "").partition(top)[2].partition("/")[0] for word in words.values()}
    tag = parse_tag(names.pop()) if len(names) == 1 else None
    if tag is None:
        return None
    expected = {option: f"{scheme}{top}{tag.text}/{path}" for option, (scheme, path) in options.items()}
    return tag if words == expected else None


def _end(process: Process, engine: str, run_dir: Path) -> None:
    # An engine that does not answer can only be ended. Its containers are removed later.
    if engine in _EMPTY:
        with suppress(BoxbenchError, OSError):
            _EMPTY[engine](run_dir)
    end(process, _LADDER)
