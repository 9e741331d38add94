"""What differs between two campaigns: host, versions, images, settings, seed. Pure, from their manifests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from bench.compare.model import Difference
from bench.records.host_facts import host_facts
from bench.records.manifest import ImageEntry, Manifest, ScenarioEntry

_SHOWN: Final = 12
"""Letters of a digest."""
_HOST_SKIPPED: Final = frozenset({"fingerprint", "unknown"})
_MITIGATIONS: Final = "mitigations"
"""Begins the name of each vulnerability of the CPU."""
_NO_WORKLOAD: Final = frozenset({"name", "question", "design", "targets", "baseline"})
"""Keys of a scenario that say how often it is measured and against what, and not what runs."""
_READINGS: Final = frozenset({"settle", "idle", "sample"})
"""Keys of a design that move what is read of each boot: when memory is read, and how often."""

Pairs = Sequence[tuple[str, str]]
"""Names of a scenario in A and in B."""


def differences(a: Manifest, b: Manifest, pairs: Pairs) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """What is not the same, and in words what is.

    Args:
        pairs: the scenarios that correspond to each other.
    """
    groups = [
        ("host", list(_host(a, b))),
        ("Boxbench", _one("Boxbench", a.boxbench, b.boxbench)),
        *((f"image of {left}", list(_image(left, a.images.get(left), b.images.get(right)))) for left, right in pairs),
        *((f"settings of {left}", list(_scenario(a.scenarios[left], b.scenarios[right]))) for left, right in pairs),
        ("versions of engines and monitors", list(_targets(a, b))),
        ("seed", _one("seed", str(a.seed), str(b.seed))),
    ]
    found = [one for _, group in groups for one in group]
    return (*_one("measured", a.created_at, b.created_at), *found), tuple(name for name, group in groups if not group)


def same_host(a: Manifest, b: Manifest) -> bool:
    """Whether both were measured on one host: equal fingerprints, which an invented host does not have."""
    mark = a.host.get("fingerprint")
    return bool(mark) and mark == b.host.get("fingerprint")


def same_workload(a: Manifest, b: Manifest, pair: tuple[str, str]) -> bool:
    """Whether a scenario ran the same files with the same command, settings and readings in both campaigns.

    Only then does the control, which is the program without a box, tell one sitting from another.
    """
    mine, theirs = a.images.get(pair[0]), b.images.get(pair[1])
    if mine is None or theirs is None or (mine.digest, mine.config) != (theirs.digest, theirs.config):
        return False
    return _workload(a.scenarios[pair[0]]) == _workload(b.scenarios[pair[1]])


def _workload(entry: ScenarioEntry) -> dict[str, Any]:
    values = entry.scenario.model_dump(mode="json")
    readings = {key: value for key, value in values["design"].items() if key in _READINGS}
    return {**{key: value for key, value in values.items() if key not in _NO_WORKLOAD}, "readings": readings}


def _one(what: str, a: str, b: str) -> list[Difference]:
    return [] if a == b else [Difference(what, a, b)]


def _host(a: Manifest, b: Manifest) -> Iterator[Difference]:
    marks = [str(manifest.host.get("fingerprint", "")) for manifest in (a, b)]
    yield from _one("host", marks[0], marks[1])
    mine, theirs = (dict(host_facts(_told(manifest))) for manifest in (a, b))
    for name in sorted(mine.keys() | theirs.keys()):
        yield from _one(f"host, {name}", *(side.get(name, _missing(name, side)) for side in (mine, theirs)))


def _told(manifest: Manifest) -> dict[str, object]:
    return {key: value for key, value in manifest.host.items() if key not in _HOST_SKIPPED and value is not None}


def _missing(name: str, side: Mapping[str, str]) -> str:
    """What stands where a host does not have a fact: a vulnerability is recorded only where the CPU has it."""
    listed = name.startswith(f"{_MITIGATIONS}, ") and any(one.startswith(_MITIGATIONS) for one in side)
    return "not affected, or unknown to its kernel" if listed else ""


def _image(name: str, a: ImageEntry | None, b: ImageEntry | None) -> Iterator[Difference]:
    if a is None or b is None:
        yield from _one(f"image of {name}", _digest(a), _digest(b))
        return
    yield from _one(f"image of {name}, files", _short(a.digest), _short(b.digest))
    yield from _one(f"image of {name}, command and environment", _short(a.config or ""), _short(b.config or ""))
    sources = [one.origin.name if one.origin else "" for one in (a, b)]
    yield from _one(f"image of {name}, from", sources[0], sources[1])


def _digest(image: ImageEntry | None) -> str:
    return "" if image is None else _short(image.digest)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_SHOWN]


def _scenario(a: ScenarioEntry, b: ScenarioEntry) -> Iterator[Difference]:
    left, right = (_settings(entry) for entry in (a, b))
    name = a.scenario.name
    for key in _ordered(left, right):
        yield from _one(f"{name}, {key}", left.get(key, ""), right.get(key, ""))


def _settings(entry: ScenarioEntry) -> dict[str, str]:
    values = dict(_leaves(entry.scenario.model_dump(mode="json", exclude_none=True)))
    return {**values, "targets": ", ".join(spec.label for spec in entry.scenario.targets)}


def _targets(a: Manifest, b: Manifest) -> Iterator[Difference]:
    # A box that one campaign has alone is not compared, so its versions do not matter.
    for box in _ordered(a.targets, b.targets):
        mine, theirs = a.targets.get(box), b.targets.get(box)
        if mine is not None and theirs is not None:
            for key in _ordered(mine, theirs):
                yield from _one(f"{box}, {key}", mine.get(key, ""), theirs.get(key, ""))


def _ordered(a: Iterable[str], b: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*a, *b)))


def _leaves(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every value with its dotted name. A list is one value."""
    for key, inner in value.items():
        name = f"{above}.{key}" if above else key
        if isinstance(inner, Mapping):
            yield from _leaves(inner, name)
        else:
            yield name, _text(inner)


def _text(value: object) -> str:
    """A JSON value on one line; nothing for one that is missing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
