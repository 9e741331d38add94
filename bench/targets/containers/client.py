"""Running a program that starts a box and exits: a client or a runtime. Its CPU time and its error are kept."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.host.processes import wait_ended
from bench.targets.smoke_test import tool_message
from bench.util import proc
from bench.util.clip import file_end
from bench.util.errors import LaunchError

TIMEOUT_S: Final = 60.0
_GRACE_S: Final = 2.0
# Both clients read a file by lines of at most 64 KiB, skip those that begin with #, and refuse blanks in a name and
# what is not UTF-8.
_ENTRY_OF_A_FILE: Final = re.compile(r"[^\s#=\ud800-\udfff][^\s=\ud800-\udfff]*=[^\n\r\ud800-\udfff]{,12000}")


@dataclass(frozen=True)
class BoxVariables:
    """How a client learns a box's variables. On its command line every user of the host could read them."""

    arguments: tuple[str, ...]
    """For the client's command line: a file that only we can read, and names of variables that the client has."""
    env: Mapping[str, str]
    """For the client's environment: the variables that a file cannot hold."""

    @classmethod
    def of(cls, entries: Sequence[str], file: Path) -> BoxVariables:
        """Write the variables of a box, ``NAME=VALUE``, to ``file``, which does not exist yet."""
        in_file = [entry for entry in entries if _ENTRY_OF_A_FILE.fullmatch(entry)]
        others = dict(entry.split("=", 1) for entry in entries if entry not in in_file)
        file.touch(mode=0o600, exist_ok=False)
        file.write_text("".join(f"{entry}\n" for entry in in_file), encoding="utf-8")
        names = (word for name in others for word in ("--env", name))
        return cls(("--env-file", str(file), *names), others)


def run_client(
    argv: Sequence[str],
    *,
    stdout: Path,
    stderr: Path,
    keep: Sequence[str],
    env: Mapping[str, str] | None = None,
) -> int:
    """Run a program to its end. Its children inherit its output and may live on.

    When an exception such as Ctrl-C interrupts the call, the program has still ended on return, so that its box can
    be removed.

    Args:
        keep: the variables of our environment that the program gets, as for ``proc.spawn``.
        env: variables to add.

    Returns:
        The program's CPU time, ns, with that of the children that it has waited for.

    Raises:
        LaunchError: with the program's own message.
    """
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = proc.spawn(argv, stdout=out, stderr=err, env=env, keep=keep)
    try:
        # Popen.wait with a time limit polls at intervals of up to 50 ms.
        status = process.wait() if wait_ended(process.pid, timeout_s=TIMEOUT_S) else None
    except BaseException:
        # The program has its own session, so Ctrl-C does not reach it. It would make the box after the removal.
        _end(process)
        raise
    if status is None:
        proc.stop(process)
    spent_ns = proc.count_cpu(process) or 0
    if status != 0:
        program = Path(argv[0]).name
        ended = f"was stopped after {TIMEOUT_S:g} s" if status is None else f"ended with {status}"
        raise LaunchError(
            f"{program} {ended}: {tool_message(file_end(stderr, proc.TAIL_BYTES))}",
            hint=f"`boxbench targets` shows whether {program} works on this host",
        )
    return spent_ns


def _end(process: subprocess.Popen[bytes]) -> None:
    """Give an interrupted program a moment to finish: a complete box can be removed like any other."""
    try:
        wait_ended(process.pid, timeout_s=_GRACE_S)
    finally:
        proc.stop(process)
