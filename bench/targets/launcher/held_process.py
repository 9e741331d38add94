"""A process that is held back: it waits in a box's control group and on its CPUs, and runs on request.

Joining a control group takes milliseconds on some hosts, so it is done before the request.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.agent.compile import static_program
from bench.host.cgroup import OwnCgroup
from bench.host.processes import wait_ended
from bench.util import proc
from bench.util.clip import file_end
from bench.util.errors import LaunchError

END_PATIENCE_S: Final = 10.0
ANSWER_LIMIT_S: Final = 60
"""How long the launcher may take to join its control groups, or to make its namespaces and mounts and to execute."""


class HeldProcess:
    """The launcher (``boxlaunch``) with one program to execute.

    Args:
        what: the target's name in error messages.
        argv: the program's full path and its arguments.
        log: the file for the program's stdout and stderr.
        stdout: a file for its stdout alone; None: ``log``.
        keep: the variables of our environment that launcher and program get, as for ``proc.spawn``.
        flags: more arguments for the launcher, see ``boxlaunch``.
        pass_fds: descriptors that the program inherits, under the same numbers.
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
        keep: Sequence[str] = proc.NO_VARIABLES,
        flags: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.pid: int | None = None
        self._what = what
        self._log = log
        self._stdout = stdout or log
        self._group = group
        self._control, theirs = socket.socketpair()
        # Python's own time limits call poll(2) before each recv(2), and one of those is in the measured part.
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", ANSWER_LIMIT_S, 0))
        self._launcher = self._spawn([*flags, "--", *argv], theirs, cpus, keep, pass_fds)
        theirs.close()
        try:
            self._expect(b"p")
        except BaseException:
            self.kill()
            raise

    def _spawn(
        self,
        argv: Sequence[str],
        theirs: socket.socket,
        cpus: Sequence[int],
        keep: Sequence[str],
        pass_fds: Sequence[int],
    ) -> subprocess.Popen[bytes]:
        launcher = static_program("bench.targets.launcher", "boxlaunch")
        command: list[str | Path] = [launcher, "--control", str(theirs.fileno())]
        for file in self._group.join_files:
            command += ["--cgroup", file]
        before = os.sched_getaffinity(0)
        # Append mode: if both are one file, neither overwrites the other.
        with self._stdout.open("ab") as stdout, self._log.open("ab") as log:
            try:
                # A child inherits the affinity of the thread that creates it.
                os.sched_setaffinity(0, cpus)
                fds = (theirs.fileno(), *pass_fds)
                return proc.spawn([*command, *argv], stdout=stdout, stderr=log, keep=keep, pass_fds=fds)
            finally:
                os.sched_setaffinity(0, before)

    def go(self) -> None:
        """Execute the program. Returns after its exec. Raises LaunchError."""
        self._control.send(b"g")
        self.pid = int(self._expect(b"\n"))

    def _expect(self, end: bytes) -> bytes:
        answer = b""
        while not answer.endswith(end):
            try:
                chunk = self._control.recv(64)
            except BlockingIOError:
                raise LaunchError(
                    f"{self._what}: the launcher did not answer within {ANSWER_LIMIT_S} s: {self.log_end()}",
                    hint="the host is overloaded, or its kernel hangs: look at the host's log",
                ) from None
            if not chunk:
                raise LaunchError(f"{self._what}: the launcher failed: {self.log_end()}", hint="look at the host's log")
            answer += chunk
        return answer

    def alive(self) -> bool:
        """Whether the program has been executed and has not ended."""
        return self.pid is not None and self._launcher.poll() is None and not wait_ended(self.pid, timeout_s=0)

    def cpu_ns(self) -> int | None:
        """CPU time, ns, of all that ever ran in its control group: one small file."""
        return self._group.cpu_ns()

    def status(self) -> int | None:
        """The program's exit status, 128 + N after signal N; None before its start and while it runs."""
        try:
            return self._launcher.wait(END_PATIENCE_S) if self.pid is not None and not self.alive() else None
        except subprocess.TimeoutExpired:
            return None

    def log_end(self) -> str:
        """The end of the program's log, for an error message."""
        return proc.tail(file_end(self._log, proc.TAIL_BYTES))

    def kill(self) -> None:
        """Kill the program, all that it has started, and the launcher. May be called again."""
        self._group.kill(spare=self._launcher.pid)
        # The launcher reaps its child and exits by itself. A launcher that still waits is ended here.
        proc.stop(self._launcher, ladder=((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)))
        self._control.close()
