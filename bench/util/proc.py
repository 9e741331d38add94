"""The only door to subprocesses: a list, a time limit, no shell, and the tail of stderr in the error."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from bench.util.errors import HostUnfitError, ProcessError, TeardownError

TAIL_BYTES: Final = 2000
# Seconds between asking, insisting and killing: an interactive tool may clean up on SIGINT or SIGTERM.
LADDER: Final = ((signal.SIGINT, 2.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class Result:
    """What a finished process left."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output, with undecodable bytes replaced."""
        return self.stdout.decode(errors="replace")


def require_tool(name: str, *, package: str) -> str:
    """The path of a tool. Raises HostUnfitError naming the Debian package that has it."""
    # Debian keeps mke2fs and friends in sbin, which is not on every user's PATH.
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise HostUnfitError(
            f"the tool {name!r} was not found on this host",
            hint=f"install the package {package} (./bootstrap setup installs all of them)",
        )
    return path


def tail(output: bytes) -> str:
    """The last lines of a tool's output, for an error message."""
    return output[-TAIL_BYTES:].decode(errors="replace").strip()


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    check: bool = True,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout_to: IO[bytes] | None = None,
) -> Result:
    """Run a tool to its end.

    Args:
        timeout_s: after this the process group is interrupted, terminated, killed.
        check: raise on a non-zero exit code.
        env: variables added to ours.
        stdout_to: a file for the output instead of memory; then ``Result.stdout`` is empty.

    Raises:
        HostUnfitError: the tool is not there.
        ProcessError: time limit, or non-zero exit code when ``check``.
        TeardownError: it could not even be killed.
    """
    words = tuple(str(word) for word in argv)
    process = spawn(
        words,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE if stdout_to is None else stdout_to,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=env,
    )
    stdout, stderr = _wait(process, words, stdin, timeout_s)
    result = Result(words, process.returncode, stdout, stderr)
    if check and result.returncode != 0:
        said = tail(result.stderr)
        raise ProcessError(
            f"`{' '.join(words)}` ended with exit code {result.returncode}: {said}",
            hint="run it by hand to see the whole output",
            said=said,
        )
    return result


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
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in its own session; the caller ends it with ``stop``.

    Raises:
        HostUnfitError: the tool is not there or cannot be run.
        ProcessError: ``cwd`` is not there.
    """
    words = [str(word) for word in argv]
    try:
        return subprocess.Popen(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            pass_fds=tuple(pass_fds),
            # Own session: the terminal's Ctrl-C reaches only the harness, which then ends its children in order.
            start_new_session=True,
        )
    except OSError as error:
        raise _start_error(error, words, cwd) from None


def _start_error(error: OSError, words: Sequence[str], cwd: Path | None) -> HostUnfitError | ProcessError:
    # Popen reports the directory and the tool by the same exception; only the file name in it differs.
    if cwd is not None and str(error.filename) == str(cwd):
        return ProcessError(
            f"`{' '.join(words)}` cannot run in the directory {cwd}: {error.strerror}",
            hint="was it removed meanwhile?",
        )
    if isinstance(error, FileNotFoundError):
        return HostUnfitError(
            f"the tool {words[0]!r} was not found on this host",
            hint="run ./bootstrap setup, or install the package that has it",
        )
    return HostUnfitError(
        f"the tool {words[0]!r} cannot be run on this host: {error.strerror}",
        hint="look at its owner, mode and machine type, and at the memory and process limits of this user",
    )


def stop(
    process: subprocess.Popen[bytes],
    *,
    on_step: Callable[[str], None] | None = None,
    ladder: Sequence[tuple[signal.Signals, float]] = LADDER,
) -> None:
    """Interrupt, terminate, kill: the process's whole group, with time in between; always reaps.

    Args:
        process: from ``spawn``, so that its group is its own.
        on_step: told the name of each signal before it is sent.
        ladder: signals, each with the seconds that the leader has before the next one.

    Raises:
        TeardownError: it survived the last signal.
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
                hint="it is stuck in the kernel (a dead disk, a debugger?); look at /proc/PID/stack",
            )
        # The leader is gone; what it started and left in its group goes now.
        _signal_group(process, signal.SIGKILL)
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _signal_group(process: subprocess.Popen[bytes], sig: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, sig)
