"""What hosts cost: a price file, and the cost of time on hosts.

A price file names its currency, where its numbers come from and of which day they are, since prices change::

    currency: EUR
    source: price list of a provider, the web page
    date: "2026-11-01"
    hosts:            # or cpu_hour and gib_hour
      standard: {per_hour: 0.384}
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from bench.scenario.validation import describe_faults
from bench.util.document import FileKind, read_document
from bench.util.errors import ScenarioError, UsageError

HOUR_NS: Final = 3600 * 10**9
_GIB: Final = 2**30
_HINT: Final = "docs/how-to/sweeps.md has an example of a price file"
_KIND: Final = FileKind(path_hint="name a price file", content_hint="start it with `currency:`")

MOST_PRICE: Final = 1e9
"""Of an hour, in any currency."""
Price = Annotated[float, Field(ge=0, le=MOST_PRICE)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class HostPrice(_Frozen):
    """The price of one type of host."""

    per_hour: Price


class Prices(_Frozen):
    """The content of a price file: hosts by type, or a price of CPUs and one of memory, or both."""

    currency: str
    """Three capital letters, as in ISO 4217."""
    source: Words
    """Where the numbers come from."""
    date: datetime.date
    """The day on which they held."""
    hosts: Annotated[dict[Words, HostPrice], Field(min_length=1)] | None = None
    """By type."""
    cpu_hour: Price | None = None
    gib_hour: Price | None = None

    @field_validator("currency")
    @classmethod
    def _currency(cls, given: str) -> str:
        if not re.fullmatch("[A-Z]{3}", given):
            raise ValueError("must be three capital letters, as in EUR or USD")
        return given

    @model_validator(mode="after")
    def _complete(self) -> Prices:
        if (self.cpu_hour is None) != (self.gib_hour is None):
            missing = "cpu_hour" if self.cpu_hour is None else "gib_hour"
            raise ValueError(f"{missing}: is missing: a host has CPUs and memory")
        if self.hosts is None and self.cpu_hour is None:
            raise ValueError("hosts: is missing; give hosts, or cpu_hour and gib_hour")
        return self

    @property
    def about(self) -> str:
        """``EUR, price list of a provider, 2026-11-01``: printed beside every cost."""
        return f"{self.currency}, {self.source}, {self.date.isoformat()}"

    def per_host_hour(self, *, cpus: int, memory_bytes: int, kind: str | None = None) -> float:
        """The price of one host for an hour, in ``currency``.

        Args:
            cpus: of the host.
            memory_bytes: of the host.
            kind: its type in ``hosts``; None: the price of its CPUs and memory, or of the only type.

        Raises:
            UsageError: the file does not have the type, or has several and none was named.
        """
        if kind is None and self.cpu_hour is not None and self.gib_hour is not None:
            return cpus * self.cpu_hour + memory_bytes / _GIB * self.gib_hour
        hosts: Mapping[str, HostPrice] = self.hosts or {}
        if kind is None and len(hosts) == 1:
            return next(iter(hosts.values())).per_hour
        if kind is None or kind not in hosts:
            listed = ", ".join(hosts) or "none"
            what = "no type of host was named" if kind is None else f"there is no host type {kind!r}"
            raise UsageError(f"{what}; the price file has: {listed}", hint="name one of them, or add it to the file")
        return hosts[kind].per_hour


def cost_of(prices: Prices, *, host_ns: float, cpus: int, memory_bytes: int, kind: str | None = None) -> float:
    """The cost of hosts, in the file's currency.

    Args:
        host_ns: time for which hosts were paid, of all hosts together.
        cpus: of each host.
        memory_bytes: of each host.
        kind: as for ``Prices.per_host_hour``.

    Raises:
        UsageError: as ``Prices.per_host_hour``; a time below zero.
    """
    if host_ns < 0:
        raise UsageError(f"hosts were paid for {host_ns:g} ns", hint="give a time that is not below zero")
    return host_ns / HOUR_NS * prices.per_host_hour(cpus=cpus, memory_bytes=memory_bytes, kind=kind)


def read_prices(file: Path) -> Prices:
    """The prices of a file. Raises ScenarioError, which names the line, the key and what was expected."""
    document = read_document(file, _KIND)
    try:
        # JSON mode: a date is text there, as it is in the file.
        return Prices.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise ScenarioError(describe_faults(file, document, error), hint=_HINT) from None
