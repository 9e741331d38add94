"""The key ``ready`` of a scenario: the event in the box that the agent waits for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.scenario.fields import PATH_PATTERN, DurationNs, Port, Strict


class _Ready(Strict):
    timeout: DurationNs = 120 * 10**9
    poll: DurationNs = 2 * 10**6
    """The interval between attempts, for events that must be polled. It limits the resolution of the result."""


class ReadyFirstLine(_Ready):
    """Ready when the workload has written its first line to stdout."""

    when: Literal["first-line"]


class ReadyLog(_Ready):
    """Ready when a line of stdout or stderr contains ``text``."""

    when: Literal["log"]
    text: Annotated[str, Field(min_length=1, max_length=200)]


class ReadyExit(_Ready):
    """Ready when the workload has exited with ``code``."""

    when: Literal["exit"]
    code: Annotated[int, Field(ge=0, le=255)] = 0


class ReadyTcp(_Ready):
    """Ready when 127.0.0.1:``port`` or [::1]:``port``, inside the box, accepts a connection."""

    when: Literal["tcp"]
    port: Port


class ReadyHttp(_Ready):
    """Ready when a GET, inside the box, answers with ``status`` and a body that contains ``contains``.

    The address is 127.0.0.1, or ::1 where nobody listens on the other.
    """

    when: Literal["http"]
    port: Port
    path: Annotated[str, Field(pattern=PATH_PATTERN, max_length=200)] = "/"
    status: Annotated[int, Field(ge=100, le=599)] = 200
    contains: Annotated[str, Field(max_length=200)] = ""


class ReadyHealthcheck(_Ready):
    """Ready when the image's HEALTHCHECK, or the scenario's ``workload.healthcheck``, has exited with 0."""

    when: Literal["healthcheck"]
    poll: DurationNs = 100 * 10**6
    """The time from the end of a check to the beginning of the next one. A check costs the box CPU time."""


Ready = Annotated[
    ReadyFirstLine | ReadyLog | ReadyExit | ReadyTcp | ReadyHttp | ReadyHealthcheck, Field(discriminator="when")
]
