"""What an image's configuration says about how it wants to run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_EXPOSED: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII | re.IGNORECASE)
_MOST_PORTS: Final = 1000
"""An image may expose ranges of ports. More than so many are not looked at."""


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """The parts of an image that inference reads.

    Attributes:
        argv: entry point and command together, as the image has them; empty when it has none.
        tcp: exposed TCP ports, ascending.
        exposed_by: who says which ports are exposed, in words.
        other_ports: exposed ports that are not TCP, as ``53/udp``.
        has_healthcheck: it has a HEALTHCHECK that is not NONE.
        user: as ``USER`` has it; empty for root.
        volumes: the paths of its VOLUMEs.
        size_bytes: unpacked.
        architecture: in Docker's spelling, such as ``amd64``; empty when unknown.
    """

    argv: tuple[str, ...] = ()
    tcp: tuple[int, ...] = ()
    other_ports: tuple[str, ...] = ()
    exposed_by: str = "the image"
    has_healthcheck: bool = False
    user: str = ""
    volumes: tuple[str, ...] = ()
    size_bytes: int = 0
    architecture: str = ""


def image_facts(config: Mapping[str, Any], *, size_bytes: int, architecture: str = "") -> ImageFacts:
    """Read the ``Config`` of an image, in Docker's spelling. What does not have its type counts as absent.

    Args:
        size_bytes: of the image, unpacked.
    """
    ports = dict.fromkeys(_ports(_keys(config.get("ExposedPorts"))))
    return ImageFacts(
        argv=(*_words(config.get("Entrypoint")), *_words(config.get("Cmd"))),
        tcp=tuple(sorted(number for number, protocol in ports if protocol == "tcp")),
        other_ports=tuple(f"{number}/{protocol}" for number, protocol in sorted(ports) if protocol != "tcp"),
        has_healthcheck=_has_healthcheck(config.get("Healthcheck")),
        user=str(config.get("User") or ""),
        volumes=_keys(config.get("Volumes")),
        size_bytes=size_bytes,
        architecture=architecture,
    )


def _ports(exposed: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Number and protocol of each exposed port."""
    for text in exposed:
        match = _EXPOSED.fullmatch(text.strip())
        if match is None:
            continue
        first, last = int(match[1]), int(match[2] or match[1])
        for number in range(first, min(last, first + _MOST_PORTS) + 1):
            if 0 < number < 2**16:
                yield number, (match[3] or "tcp").lower()


def _has_healthcheck(value: object) -> bool:
    test = _words(value.get("Test")) if isinstance(value, Mapping) else ()
    return bool(test) and test[0] != "NONE"


def _keys(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, Mapping) else ()


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()
