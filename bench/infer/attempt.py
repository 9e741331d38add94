"""What one run of an image in a container showed: the value that inference reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One run of the image's command, watched from the host until it was clear what it does.

    Attributes:
        watched_s: how long it was watched.
        exit_code: of the command; None when it still ran.
        listening: TCP ports in its network namespace on which it accepted connections, ascending.
        printed: it had written a line to stdout.
        last_line: the last line of its stdout and stderr; untrusted text.
        anon_bytes: its anonymous memory at the end; None when the engine does not tell.
    """

    watched_s: float
    exit_code: int | None = None
    listening: tuple[int, ...] = ()
    printed: bool = False
    last_line: str = ""
    anon_bytes: int | None = None
