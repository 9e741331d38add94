"""The classic builder of a Docker Engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import docker
from requests.exceptions import ReadTimeout
from urllib3.exceptions import ReadTimeoutError

from bench.image.stores import limits
from bench.image.stores.base import LABELS, BuildOrder, Log, StoreError
from bench.util.clock import MonotonicClock
from bench.util.deadline import deadline_after

_TAIL_LINES: Final = 30


def build_classic(client: docker.DockerClient, order: BuildOrder, log: Log) -> str:
    """Build an image; returns its id.

    Raises:
        StoreError: a step failed, or the build took longer than a limit.
        DockerException, RequestException, HTTPError: the engine failed.
    """
    try:
        # docker-py sets no time limit of its own for builds. This one is for each read.
        output = client.api.build(
            path=str(order.context),
            dockerfile=order.dockerfile,
            tag=order.tag,
            buildargs=dict(order.args),
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


def _follow(output: Iterator[dict[str, Any]], log: Log) -> str:
    """Read a build's messages to the end; returns the image id. Raises StoreError with the step and the tail."""
    clock, limit_ns = MonotonicClock(), deadline_after(limits.TOTAL_LIMIT_S)
    lines: deque[str] = deque(maxlen=_TAIL_LINES)
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
        raise StoreError(_explain(step, error, lines), hint=_hint(error))
    if not image:
        raise StoreError(
            f"the builder ended without an image; its last line: {lines[-1] if lines else '(none)'}",
            hint="check whether this engine's classic builder is switched off",
        )
    return image


def _explain(step: str, error: str, lines: deque[str]) -> str:
    where = f" at {step!r}" if step else ""
    tail = "".join(f"\n    {line}" for line in lines)
    return f"the image could not be built{where}: {error.strip()}{tail}"


def _hint(error: str) -> str:
    # "/v2/" is the path of every registry's API.
    if any(word in error for word in ("pull", "manifest", "registry", "/v2/")):
        return "no registry answered; with workload.base the FROM image is made from this host's packages"
    if "BuildKit" in error:
        return "images are built by the engine's classic builder; write this step without features of BuildKit"
    return "run `docker build` by hand to investigate"
