"""The ports of a service: where its box may be listening."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from bench.compose.item import Item, Reader

_LAST: Final = re.compile(r"(?:.*:)?(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?")
"""``[[IP:]HOST:]PORT[-PORT][/PROTOCOL]``: of each form the last part is the port in the box."""
_KEYS: Final = ("name", "mode", "host_ip", "target", "published", "protocol", "app_protocol")
_LARGEST: Final = 65535
_MOST_PORTS: Final = 20


class Ports(NamedTuple):
    """Ports in the box, each once, in the order of the file."""

    tcp: tuple[int, ...]
    """At most some: those of a long range are left out after the first ones."""
    others: tuple[str, ...]
    """Such as ``53/udp``."""


def ports_of(ports: Item | None, expose: Item | None, reader: Reader) -> Ports:
    """The ports that a service publishes, then those that it only exposes."""
    tcp: dict[int, None] = {}
    others: dict[str, None] = {}
    for item in (*reader.items(ports), *reader.items(expose)):
        numbers, protocol = _long(item, reader) if isinstance(item.value, dict) else _short(item, reader)
        if protocol == "tcp":
            tcp.update(dict.fromkeys(numbers))
        else:
            others.update(dict.fromkeys(f"{number}/{protocol}" for number in numbers))
    return Ports(tuple(tcp)[:_MOST_PORTS], tuple(others)[:_MOST_PORTS])


def _short(item: Item, reader: Reader) -> tuple[range, str]:
    text = reader.text(item) or ""
    match = _LAST.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if match is None or not 1 <= first <= last <= _LARGEST:
        reader.problems.wrong_form(item, "a port such as 8080:80 or 53/udp")
        return range(0), "tcp"
    return range(first, last + 1), match[3] or "tcp"


def _long(item: Item, reader: Reader) -> tuple[range, str]:
    reader.problems.unknown(item, _KEYS)
    target = item.child("target")
    if target is None:
        reader.problems.add(item, "has no target", "add target: with the port in the box")
        return range(0), "tcp"
    numbers, _ = _short(target, reader)
    return numbers, reader.text(item.child("protocol")) or "tcp"
