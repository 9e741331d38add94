"""The key ``ready`` of a scenario: the event in the box that the agent waits for."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from bench.scenario.fields import PATH_PATTERN, DurationNs, Port, Strict

READY_TIMEOUT_NS: Final = 120 * 10**9


class _Ready(Strict):
    timeout: DurationNs = READY_TIMEOUT_NS
    """A box that is not ready so long after its request has failed."""
    poll: DurationNs = 2 * 10**6
    """The interval between attempts, for events that must be polled. It limits the resolution of the result."""


class ReadyFirstLine(_Ready):
    """Ready when the workload has written its first line to stdout."""

    when: Literal["first-line"]
    """The kind of event."""


class ReadyLog(_Ready):
    """Ready when a line of stdout or stderr contains ``text``."""

    when: Literal["log"]
    """The kind of event."""
    text: Annotated[str, Field(min_length=1, max_length=200)]
    """A part of the line."""


class ReadyExit(_Ready):
    """Ready when the workload has exited with ``code``."""

    when: Literal["exit"]
    """The kind of event."""
    code: Annotated[int, Field(ge=0, le=255)] = 0
    """The exit code of success."""


class ReadyTcp(_Ready):
    """Ready when 127.0.0.1:``port`` or [::1]:``port``, inside the box, accepts a connection."""

    when: Literal["tcp"]
    """The kind of event."""
    port: Port
    """The port in the box."""


class ReadyHttp(_Ready):
    """Ready when a GET, inside the box, answers with ``status`` and a body that contains ``contains``.

    The address is 127.0.0.1, or ::1 where nobody listens on the other.
    """

    when: Literal["http"]
    """The kind of event."""
    port: Port
    """The port in the box."""
    path: Annotated[str, Field(pattern=PATH_PATTERN, max_length=200)] = "/"
    """What is asked for."""
    status: Annotated[int, Field(ge=100, le=599)] = 200
    """The status of success."""
    contains: Annotated[str, Field(max_length=200)] = ""
    """A part of the reply's body. Without it the reply is not correct, and does not count."""


class ReadyHealthcheck(_Ready):
    """Ready when the image's HEALTHCHECK, or the scenario's ``workload.healthcheck``, has exited with 0."""

    when: Literal["healthcheck"]
    """The kind of event."""
    poll: DurationNs = 100 * 10**6
    """The time from the end of a check to the beginning of the next one. A check costs the box CPU time."""


Ready = Annotated[
    ReadyFirstLine | ReadyLog | ReadyExit | ReadyTcp | ReadyHttp | ReadyHealthcheck, Field(discriminator="when")
]
