"""A program started by us as a box: parked in the box's control group and on its CPUs before the request."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.agent.compile import static_program
from bench.host.cgroup import OwnCgroup
from bench.host.processes import kill_and_wait, wait_ended
from bench.util import proc
from bench.util.clip import file_end
from bench.util.errors import LaunchError

END_PATIENCE_S: Final = 10.0


class HeldProcess:
    """The launcher (``boxlaunch.c``) with one program to start.

    Args:
        what: of error messages.
        argv: the program by its full path, and its words.
        log: gets the program's stdout and stderr.
        stdout: gets its stdout instead.
        flags: more words for the launcher, see ``boxlaunch.c``.
    """

    def __init__(
        self,
        what: str,
        argv: Sequence[str],
        *,
        group: OwnCgroup,
        cpus: Sequence[int],
        log: Path,
        stdout: Path | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        self.pid: int | None = None
        self._what = what
        self._log = log
        self._stdout = stdout or log
        self._group = group
        self._control, theirs = socket.socketpair()
        self._launcher = self._spawn([*flags, "--", *argv], theirs, cpus)
        theirs.close()
        try:
            self._expect(b"p")
        except BaseException:
            self.kill()
            raise

    def _spawn(self, argv: Sequence[str], theirs: socket.socket, cpus: Sequence[int]) -> subprocess.Popen[bytes]:
        launcher = static_program("bench.targets.launcher", "boxlaunch.c")
        words: list[str | Path] = [launcher, "--control", str(theirs.fileno())]
        for file in self._group.join_files:
            words += ["--cgroup", file]
        before = os.sched_getaffinity(0)
        # For appending: where both are one file, neither overwrites the other.
        with self._stdout.open("ab") as stdout, self._log.open("ab") as log:
            try:
                # A child inherits the affinity of the thread that makes it.
                os.sched_setaffinity(0, cpus)
                return proc.spawn([*words, *argv], stdout=stdout, stderr=log, pass_fds=(theirs.fileno(),))
            finally:
                os.sched_setaffinity(0, before)

    def go(self) -> None:
        """Start the program; back when it has been executed. Raises LaunchError."""
        self._control.send(b"g")
        self.pid = int(self._expect(b"\n"))

    def _expect(self, end: bytes) -> bytes:
        answer = b""
        while not answer.endswith(end):
            chunk = self._control.recv(64)
            if not chunk:
                raise LaunchError(f"{self._what}: the launcher failed: {self.log_end()}", hint="look at the host's log")
            answer += chunk
        return answer

    def alive(self) -> bool:
        """Whether the program was started and has not ended."""
        return self.pid is not None and self._launcher.poll() is None and not wait_ended(self.pid, timeout_s=0)

    def status(self) -> int | None:
        """How the program ended, 128 + signal when a signal ended it; None while it lives."""
        try:
            return self._launcher.wait(END_PATIENCE_S) if self.pid is not None and not self.alive() else None
        except subprocess.TimeoutExpired:
            return None

    def log_end(self) -> str:
        """The end of the program's own output, for an error message."""
        return proc.tail(file_end(self._log, proc.TAIL_BYTES))

    def kill(self) -> None:
        """End the program and the launcher, and reap; safe to call twice."""
        for pid in self._group.pids():
            if pid != self._launcher.pid:
                kill_and_wait(pid)
        # The launcher first passes on its child's end; one that was never told to go is ended here.
        proc.stop(self._launcher, ladder=((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)))
        self._control.close()
