"""The key ``first_start`` of a scenario: how images come to a host that has nothing of them (``cache=absent``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from bench.scenario.fields import Strict
from bench.util.units import format_bits_per_s, parse_bits_per_s

ABSENT: Final = "absent"
"""The level of the factor ``cache`` at which nothing of the image is on the host."""
_LEAST_BITS_PER_S: Final = 10**6
_MOST_BITS_PER_S: Final = 10**10
_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*[kMG]bit/s\s*$",
    "examples": ["100Mbit/s"],
}


def is_first_start(levels: Mapping[str, str]) -> bool:
    """Whether the image comes to the host after the request, at these levels of a scenario's factors."""
    return levels.get("cache") == ABSENT


def _from_text(value: object) -> object:
    return parse_bits_per_s(value) if isinstance(value, str) else value


Bandwidth = Annotated[
    int,
    BeforeValidator(_from_text),
    Field(ge=_LEAST_BITS_PER_S, le=_MOST_BITS_PER_S),
    WithJsonSchema(_SCHEMA),
]


class FirstStart(Strict):
    """The link over which everything travels, and how images are packed."""

    bandwidth: Bandwidth = 100 * 10**6
    """Of the link, bit/s, headers of Ethernet, IP and TCP included: 1 Mbit/s to 10 Gbit/s."""
    layers: Literal["gzip", "zstd"] = "gzip"
    """How the layers of a container image are compressed; ``docker push`` writes gzip. Disks and trees are always
    compressed by zstd."""
    present: Literal["nothing", "base"] = "nothing"
    """``base``: the host has the lowest layer of a container image, as after another image of the same base, and a VM's
    kernel and initramfs, or its system. A packed tree has no parts, so all of it travels."""

    def describe(self) -> str:
        """The link in reports: ``100 Mbit/s``."""
        return format_bits_per_s(self.bandwidth)
