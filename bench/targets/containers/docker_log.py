"""A container's log from a Docker Engine: read as it comes, since the whole may be gigabytes, and clipped."""

from __future__ import annotations

from contextlib import suppress
from threading import Event, Timer
from typing import TYPE_CHECKING, Final, Literal

from bench.util.clip import LAST_LINES, Clip, Clipped

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types.daemon import CancellableStream

PATIENCE_S: Final = 60.0
"""For one of the two streams; the engine goes through the whole log even for the one that nobody wrote to."""


def read_log(api: APIClient, container: str, stream: Literal["stdout", "stderr"]) -> Clipped:
    """What a container wrote so far: of a long log the beginning and the last lines.

    Raises:
        DockerException, RequestException: the engine failed; NotFound: there is no such container.
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
    """Whether the log was read to its end."""
    pieces = api.logs(
        container,
        stdout=stream == "stdout",
        stderr=stream == "stderr",
        stream=True,
        # What is streamed is followed unless one says that it should not be.
        follow=False,
        tail=tail,
    )
    # The client waits for the next piece without any limit.
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
        # The client hangs up then, and keeps its own end open until somebody collects its garbage.
        response = getattr(pieces, "_response", None)
        if response is not None:
            response.close()


def _expire(expired: Event, pieces: CancellableStream[bytes]) -> None:
    expired.set()
    _close(pieces)


def _close(pieces: CancellableStream[bytes]) -> None:
    with suppress(OSError):  # the engine has closed it, or we did before
        pieces.close()
