"""The table of published measurements: what was timed, where, by whom, and where it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from bench.util.errors import HostUnfitError, UsageError
from bench.util.text import meant_or_listed
from bench.util.units import parse_bytes, parse_duration_ns

FILE: Final = Path(__file__).with_name("measurements.yaml")

PublishedMetric = Literal["start", "run", "memory"]
METRICS: Final[dict[PublishedMetric, str]] = {
    "start": "from a request until something in the box has run",
    "run": "from a request until the box has run to its end or has been deleted",
    "memory": "what a box takes of the host",
}
"""What was measured, in words. Only ``start`` is comparable in kind with what a campaign times."""
STATISTICS: Final = {
    "median": "median",
    "mean": "mean",
    "bound": "at most",
    "single": "one value",
}

NOT_STATED: Final = "not stated"
"""The host of a source that does not describe it."""


class Source(BaseModel):
    """Somebody's publication, as far as it was read.

    Attributes:
        cite: authors, title, venue, year; no address.
        short: for tables.
        year: None where the publication does not say.
        read: what was read of it: the paper, its data, a file at a commit.
        host: the machine, or ``not stated``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cite: str
    short: str
    year: int | None = None
    read: str
    host: str


def _size(text: str) -> str:
    _amount(text)
    return text


Amount = Annotated[str, AfterValidator(_size)]
"""``607ms``, ``28.1MB``."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    subject: str
    like: tuple[str, ...] = ()
    metric: PublishedMetric
    begins: str
    ends: str
    value: Amount
    statistic: Literal["median", "mean", "bound", "single"]
    low: Amount | None = None
    high: Amount | None = None
    n: int | None = None
    place: str


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: dict[str, Source]
    measurements: tuple[_Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published figure.

    Attributes:
        subject: what was started, exactly.
        like: targets of Boxbench that a reader may hold beside it, with their options; empty: none is close enough.
        metric: ``start``, ``run`` or ``memory``.
        begins: what the time, or the memory, begins with.
        ends: what it ends with.
        value: in ``unit``.
        unit: ``ns`` or ``bytes``.
        statistic: ``median``, ``mean``, ``bound`` (a promise of at most so much) or ``single`` (not stated which).
        low: the least of all; None: not published.
        high: the largest of all; None likewise.
        n: how many; None: not stated.
        place: where in the source.
    """

    source: Source
    subject: str
    like: tuple[str, ...]
    metric: PublishedMetric
    begins: str
    ends: str
    value: float
    unit: str
    statistic: str
    low: float | None
    high: float | None
    n: int | None
    place: str

    def is_like(self, target: str) -> bool:
        """Whether a reader may hold a box of ``target``, such as ``docker[network=host]``, beside it.

        Another runtime is another box: ``docker[runtime=runsc]`` is not like ``docker``. Other options may differ.
        """
        name, options = _parted(target)
        for like in self.like:
            other, required = _parted(like)
            if name == other and required <= options and _runtimes(required) == _runtimes(options):
                return True
        return False


@cache
def published() -> tuple[Published, ...]:
    """The whole table, in the order of the file.

    Raises:
        HostUnfitError: the file of the installation is damaged.
    """
    try:
        found = _File.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
        return tuple(_published(found))
    except (OSError, yaml.YAMLError, ValidationError, KeyError) as error:
        raise HostUnfitError(
            f"the table of published measurements {FILE} cannot be read: {str(error)[:200]}",
            hint="install boxbench again, or run it from a complete checkout",
        ) from None


def select(target: str = "", metric: str = "") -> tuple[Published, ...]:
    """Those of a target and a metric; all for an empty word.

    Raises:
        UsageError: nothing of the table is of this target or metric.
    """
    if metric and metric not in METRICS:
        raise UsageError(
            f"no published measurement is of the metric {metric!r}",
            hint=meant_or_listed(metric, METRICS, f"choose from {_named(METRICS)}"),
        )
    found = tuple(one for one in published() if not target or one.is_like(target))
    if not found:
        known = sorted({like for one in published() for like in one.like})
        raise UsageError(
            f"no published measurement is like the target {target!r}",
            hint=meant_or_listed(target, known, f"targets with some: {_named(known)}"),
        )
    return tuple(one for one in found if not metric or one.metric == metric)


def _parted(target: str) -> tuple[str, frozenset[str]]:
    """The name of a target and its options, in no order."""
    name, _, options = target.strip().partition("[")
    return name, frozenset(part.strip() for part in options.removesuffix("]").split(",") if part.strip())


def _runtimes(options: frozenset[str]) -> frozenset[str]:
    return frozenset(option for option in options if option.startswith("runtime="))


def _named(words: Iterable[str]) -> str:
    return ", ".join(words)


def _published(found: _File) -> Iterator[Published]:
    for entry in found.measurements:
        value, unit = _amount(entry.value)
        yield Published(
            source=found.sources[entry.source],
            subject=entry.subject,
            like=entry.like,
            metric=entry.metric,
            begins=entry.begins,
            ends=entry.ends,
            value=value,
            unit=unit,
            statistic=entry.statistic,
            low=None if entry.low is None else _amount(entry.low)[0],
            high=None if entry.high is None else _amount(entry.high)[0],
            n=entry.n,
            place=entry.place,
        )


def _amount(text: str) -> tuple[float, str]:
    """The number in ns or bytes, and that unit. Raises ValueError."""
    if text.endswith("s"):
        return float(parse_duration_ns(text)), "ns"
    return float(parse_bytes(text)), "bytes"
