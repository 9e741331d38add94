"""The only module that starts processes.

A command is a list of words that no shell interprets. A process that is run to its end has a time limit, and the error
of one that fails quotes the end of its stderr.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from weakref import WeakSet

from bench.util.errors import HostUnfitError, ProcessError, TeardownError

TAIL_BYTES: Final = 2000
_LINE: Final = 500
# Debian installs mke2fs, dockerd and others here, which is not on every user's PATH.
SBIN: Final = "/usr/sbin:/sbin:/usr/local/sbin"
NO_VARIABLES: Final = ()
"""For ``keep``: a program that sees or holds what a box runs. It gets PATH and nothing else of our environment."""
ENGINE_VARIABLES: Final = (
    "HOME", "USER", "TMPDIR", "XDG_*", "LANG", "LC_*", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "DOCKER_*", "CONTAINERD_*", "CONTAINERS_*", "STORAGE_*",
)  # fmt: skip
"""For ``keep``: what engines and their clients read: their own directories, settings, registries and proxies."""
QEMU_VARIABLES: Final = ("TMPDIR", "LD_LIBRARY_PATH", "QEMU_*")
"""For ``keep``: what QEMU reads. A QEMU that the user has built may need its libraries and modules."""
# Signals that end a process, each with the seconds until the next one. Tools may clean up on SIGINT or SIGTERM.
LADDER: Final = ((signal.SIGINT, 2.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class Result:
    """The exit code and output of a finished process."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    cpu_ns: int | None = None
    """Its CPU time, ns, with that of the children that it has waited for; None if it was not to be had."""

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")


def find_tool(name: str) -> str | None:
    """The path of a tool on PATH or in the sbin directories; None if it is not installed."""
    return shutil.which(name) or shutil.which(name, path=SBIN)


def require_tool(name: str, *, package: str) -> str:
    """The path of a tool. Raises HostUnfitError, naming the Debian package to install."""
    path = find_tool(name)
    if path is None:
        raise HostUnfitError(
            f"the tool {name!r} was not found on this host",
            hint=f"install the package {package}; `boxbench doctor` has the command for this machine",
        )
    return path


def tail(output: bytes) -> str:
    """The end of a tool's output, for an error message."""
    return output[-TAIL_BYTES:].decode(errors="replace").strip()


def last_line(log: Path) -> str:
    """The last line of a daemon's log, clipped, for an error message."""
    lines = tail(log.read_bytes()).splitlines()
    return lines[-1][:_LINE] if lines else "its log is empty"


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    check: bool = True,
    stdin: bytes | IO[bytes] | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    keep: Sequence[str] | None = None,
    stdout_to: IO[bytes] | None = None,
) -> Result:
    """Run a tool to its end.

    Args:
        timeout_s: after this time the process group is interrupted, terminated and killed.
        check: raise ProcessError on a non-zero exit code.
        stdin: content, or an open file, for its standard input.
        env: variables to add to the environment.
        without: variables of our environment that the tool does not get, unless ``env`` has them.
        keep: as for ``spawn``.
        stdout_to: a file that receives standard output; ``Result.stdout`` is then empty.

    Raises:
        HostUnfitError: the tool is missing or cannot be executed.
        ProcessError: it exceeded the time limit, or ``check`` is set and the exit code is not 0.
        TeardownError: it could not be killed.
    """
    words = tuple(str(word) for word in argv)
    process = spawn(
        words,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE if isinstance(stdin, bytes) else stdin,
        stdout=subprocess.PIPE if stdout_to is None else stdout_to,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=env,
        without=without,
        keep=keep,
    )
    stdout, stderr = _wait(process, words, stdin if isinstance(stdin, bytes) else None, timeout_s)
    result = Result(words, process.returncode, stdout, stderr, count_cpu(process))
    if check and result.returncode != 0:
        stderr_tail = tail(result.stderr)
        raise ProcessError(
            f"`{' '.join(words)}` ended with exit code {result.returncode}: {stderr_tail}",
            hint="run it by hand to see the whole output",
            stderr_tail=stderr_tail,
        )
    return result


class Process(subprocess.Popen[bytes]):
    """A child that keeps its CPU time when it has been waited for."""

    cpu_ns: int | None = None
    """As ``Result.cpu_ns``; None until ``wait`` has returned."""
    thread: int | None = None
    """The identity of the thread that started it."""

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        # The one place in which ``wait`` and ``communicate`` ask the kernel. Their waitpid(2) does not tell the CPU
        # time, and the sum over all our children (RUSAGE_CHILDREN) holds that of others too.
        try:
            pid, status, usage = os.wait4(self.pid, wait_flags)
        except ChildProcessError:
            # As in the base class: somebody else has waited for it, and nobody knows how it ended.
            return self.pid, 0
        if pid:
            self.cpu_ns = round((usage.ru_utime + usage.ru_stime) * 1e9)
        return pid, status


_ran_ns = 0
_ran_lock: Final = threading.Lock()


def ran_ns() -> int:
    """CPU time, ns, of all programs that have been run to their end so far and counted by ``count_cpu``."""
    return _ran_ns


def count_cpu(process: Process) -> int | None:
    """Add the CPU time of a process that was waited for to ``ran_ns``, once. Returns it, as ``Result.cpu_ns``."""
    global _ran_ns  # noqa: PLW0603 - one sum per process, as the kernel's own
    with _ran_lock:
        _ran_ns += process.cpu_ns or 0
    return process.cpu_ns


def _wait(
    process: subprocess.Popen[bytes], words: Sequence[str], stdin: bytes | None, timeout_s: float
) -> tuple[bytes, bytes]:
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        stop(process)
        raise ProcessError(
            f"`{' '.join(words)}` was still running after {timeout_s:g} s and was stopped",
            hint="run it by hand to see what it waits for",
        ) from None
    except BaseException:
        stop(process)
        raise
    return stdout or b"", stderr or b""


def spawn(
    argv: Sequence[str | Path],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    keep: Sequence[str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start a process in its own session. The caller must end it with ``stop``.

    Args:
        env: variables to add to the environment.
        keep: the variables of our own environment that the process gets besides PATH; a name may end with ``*``.
            None: all of them, for tools that never touch what a box runs. Ours may hold tokens and keys.

    Raises:
        HostUnfitError: the tool is missing or cannot be executed.
        ProcessError: the process cannot use ``cwd``.
    """
    words = [str(word) for word in argv]
    try:
        process = Process(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=_inherited(keep, without) | dict(env or {}),
            pass_fds=tuple(pass_fds),
            # In a session of its own it does not receive the terminal's Ctrl-C. Boxbench does, and ends it in order.
            start_new_session=True,
        )
    except OSError as error:
        raise _start_error(error, words, cwd) from None
    process.thread = threading.get_ident()
    with _started_lock:
        _started.add(process)
    return process


def started_by(thread: int | None) -> list[Process]:
    """The processes that a thread has started and that nobody has waited for."""
    with _started_lock:
        return [process for process in _started if process.thread == thread and process.returncode is None]


_started: Final = WeakSet[Process]()
_started_lock: Final = threading.Lock()


def unwaited_pids() -> set[int]:
    """The pids of processes that ``spawn`` has started and that nobody has waited for: their exit status is awaited."""
    with _started_lock:
        return {process.pid for process in _started if process.returncode is None}


def _inherited(keep: Sequence[str] | None, without: Collection[str]) -> dict[str, str]:
    # A part of every measured start of a program, so nothing is matched letter by letter.
    names = {"PATH", *(keep or ())} - set(without)
    beginnings = ("",) if keep is None else tuple(name[:-1] for name in names if name.endswith("*"))
    return {
        name: value
        for name, value in os.environ.items()
        if name in names or (name.startswith(beginnings) and name not in without)
    }


def _start_error(error: OSError, words: Sequence[str], cwd: Path | None) -> HostUnfitError | ProcessError:
    # Popen raises the same exception for the directory and the tool; only its file name differs.
    if cwd is not None and str(error.filename) == str(cwd):
        return ProcessError(
            f"`{' '.join(words)}` cannot run in the directory {cwd}: {error.strerror}",
            hint="check whether the directory was removed",
        )
    if isinstance(error, FileNotFoundError):
        return HostUnfitError(
            f"the tool {words[0]!r} was not found on this host",
            hint="install the package that provides it; `boxbench doctor` has the command for this machine",
        )
    return HostUnfitError(
        f"the tool {words[0]!r} cannot be run on this host: {error.strerror}",
        hint="check its owner, mode and architecture, and the memory and process limits of this user",
    )


def stop(
    process: subprocess.Popen[bytes],
    *,
    on_step: Callable[[str], None] | None = None,
    ladder: Sequence[tuple[signal.Signals, float]] = LADDER,
) -> None:
    """Interrupt, terminate, then kill a process and its whole group, and reap it.

    Args:
        process: started by ``spawn``, so that it has a group of its own.
        on_step: called with the name of each signal before it is sent.
        ladder: signals, each with the seconds to wait for the end of the process before the next one.

    Raises:
        TeardownError: the process survived the last signal.
    """
    try:
        for sig, patience_s in ladder:
            if process.poll() is not None:
                break
            if on_step is not None:
                on_step(sig.name)
            _signal_group(process, sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience_s)
        if process.poll() is None:
            raise TeardownError(
                f"process {process.pid} ({process.args!r}) survived {ladder[-1][0].name} for {ladder[-1][1]:g} s",
                hint="it is stuck in the kernel (a failing disk, a debugger); /proc/PID/stack shows where",
            )
        # The process has ended; kill what it started and left in its group.
        _signal_group(process, signal.SIGKILL)
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _signal_group(process: subprocess.Popen[bytes], sig: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, sig)
