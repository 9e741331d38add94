"""The classic builder of a Docker Engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import IO, Any, Final, cast

import docker
from docker.api.build import process_dockerfile
from docker.utils.build import tar
from requests.exceptions import ReadTimeout
from urllib3.exceptions import ReadTimeoutError

from bench.image.stores import limits
from bench.image.stores.base import LABELS, BuildOrder, Log, StoreError
from bench.image.stores.buildkit import read_dockerfile, way_to_buildkit
from bench.image.stores.dockerfile import needs_of_buildkit
from bench.image.stores.failure import build_error
from bench.image.stores.ignored import DOCKER, ignore_file, ignore_list
from bench.image.stores.progress import TAIL_LINES
from bench.util.clock import MonotonicClock
from bench.util.deadline import deadline_after

BUILDER: Final = "classic builder"
_SHOWN: Final = 5
"""At most so many reasons are in one message."""


def build_classic(client: docker.DockerClient, order: BuildOrder, log: Log) -> str:
    """Build an image; returns its id.

    Raises:
        StoreError: a step failed, or the build took longer than a limit.
        DockerException, RequestException, HTTPError: the engine failed.
    """
    refuse_what_needs_buildkit(order)
    try:
        with _context(order) as context:
            # docker-py sets no time limit of its own for builds. This one is for each read.
            output = client.api.build(
                **context,
                tag=order.tag,
                buildargs=dict(order.args),
                target=order.target,
                network_mode=None if order.network == "default" else order.network,
                labels=LABELS,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=limits.SILENCE_LIMIT_S,
            )
            # The engine ends a build whose connection is closed.
            with closing(output):
                return _follow(output, log)
    except (ReadTimeout, ReadTimeoutError):
        raise limits.too_silent() from None


@contextmanager
def _context(order: BuildOrder) -> Iterator[dict[str, Any]]:
    """Where docker-py finds the context. It can be given no list of ignored files, but the whole context as a tar."""
    if not order.leave_out:
        yield {"path": str(order.context), "dockerfile": order.dockerfile}
        return
    lines = (line.strip() for line in ignore_list(order, DOCKER).decode("utf-8", "surrogateescape").splitlines())
    ignored = [line for line in lines if line and not line.startswith("#")]
    name, content = process_dockerfile(order.dockerfile, str(order.context))
    with cast(IO[bytes], tar(order.context, exclude=ignored, dockerfile=(name, content))) as context:
        yield {"fileobj": context, "custom_context": True, "dockerfile": name}


def refuse_what_needs_buildkit(order: BuildOrder) -> None:
    """Raise StoreError for what the classic builder refuses without a line, or ignores without a word."""
    name = order.dockerfile
    found = [f"{name}:{need.line}: {need.what}" for need in needs_of_buildkit(read_dockerfile(order))]
    found += [f"build.secrets: {', '.join(order.secrets)}"] if order.secrets else []
    found += [str(ignore_file(order).name)] if ignore_file(order).is_file() else []
    if found:
        raise StoreError(
            f"only BuildKit can build this, which is not used here: {'; '.join(found[:_SHOWN])}",
            hint=f"{way_to_buildkit()}, or write it another way",
        )


def _follow(output: Iterator[dict[str, Any]], log: Log) -> str:
    """Read a build's messages to the end; returns the image id. Raises StoreError with the step and the tail."""
    clock, limit_ns = MonotonicClock(), deadline_after(limits.TOTAL_LIMIT_S)
    lines: deque[str] = deque(maxlen=TAIL_LINES)
    step, image, error = "", "", ""
    for message in output:  # also after an error, since the connection stays open until everything was read
        if clock.now_ns() >= limit_ns:
            raise limits.too_slow()
        for line in str(message.get("stream", "")).splitlines():
            if line.strip():
                lines.append(line)
                log(line)
            step = line if line.startswith("Step ") else step
        error = error or str(message.get("error", ""))
        image = (message.get("aux") or {}).get("ID", image)
    if error:
        raise build_error(error, lines, where=repr(step) if step else "")
    if not image:
        raise StoreError(
            f"the builder ended without an image; its last line: {lines[-1] if lines else '(none)'}",
            hint="check whether this engine's classic builder is switched off",
        )
    return image
