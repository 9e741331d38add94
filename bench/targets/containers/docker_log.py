"""A container's log from a Docker Engine. It may be gigabytes, so it is clipped while it is read."""

from __future__ import annotations

from contextlib import suppress
from threading import Event, Timer
from typing import TYPE_CHECKING, Final, Literal

from bench.util.clip import LAST_LINES, Clip, Clipped

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types.daemon import CancellableStream

PATIENCE_S: Final = 60.0
"""Time limit for one of the two streams. The engine reads the whole log even for a stream without output."""


def read_log(api: APIClient, container: str, stream: Literal["stdout", "stderr"]) -> Clipped:
    """What a container has written so far. Of a long log, only the beginning and the last lines.

    Raises:
        DockerException, RequestException: the engine failed.
        NotFound: there is no such container.
    """
    clip = Clip()
    if not _pour(api, container, stream, clip):
        clip.skip()
        _pour(api, container, stream, clip, tail=LAST_LINES)
    return clip.clipped()


def _pour(
    api: APIClient,
    container: str,
    stream: Literal["stdout", "stderr"],
    clip: Clip,
    *,
    tail: int | Literal["all"] = "all",
) -> bool:
    """Add the log to ``clip``. Returns whether it was read to its end."""
    pieces = api.logs(
        container,
        stdout=stream == "stdout",
        stderr=stream == "stderr",
        stream=True,
        # A streamed log is followed by default.
        follow=False,
        tail=tail,
    )
    # The client waits for the next piece without a time limit.
    expired = Event()
    limit = Timer(PATIENCE_S, _expire, (expired, pieces))
    limit.daemon = True
    limit.start()
    try:
        return clip.take(pieces) and not expired.is_set()
    finally:
        limit.cancel()
        limit.join()
        _close(pieces)
        # The client closes the connection but leaves its own end open until it is garbage-collected.
        response = getattr(pieces, "_response", None)
        if response is not None:
            response.close()


def _expire(expired: Event, pieces: CancellableStream[bytes]) -> None:
    expired.set()
    _close(pieces)


def _close(pieces: CancellableStream[bytes]) -> None:
    with suppress(OSError):  # it is closed already
        pieces.close()
