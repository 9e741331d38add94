"""Trials against the certificate: a trial whose facts differ from its certificate gets a doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Final, NamedTuple

from bench.certificate.facts import FACT, agrees, proves
from bench.plan.trials import Cell
from bench.records.certificate import Finding
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.scenario.allowed_differences import FACT_NAMES, FactName
from bench.scenario.factors import RESOURCES
from bench.util.units import parse_bytes

# Trials do not report these, or they differ from boot to boot.
_NOT_IN_TRIALS: Final = ("digest", "mounts", "memory_usable")
# A workload may change these itself, such as a server that drops root. Then every trial shows the change.
_ITS_OWN: Final[tuple[FactName, ...]] = ("uid", "gid", "groups", "cwd", "cap_eff", "cap_bnd", "seccomp", "no_new_privs")

Deviations = Mapping[FactName, tuple[str, str]]
"""By fact, the value in a trial and the value in the certificate, both canonical."""


class Seen(NamedTuple):
    """Of records that follow each other: how many, what differs by number, and what differs in every trial."""

    records: int
    found: dict[int, tuple[Cell, Deviations]]
    every: dict[tuple[str, FactName], bool]


class Deviating:
    """Records one after another, and which of their facts differ from the certificate of their scenario."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._seen = 0
        self._found: dict[int, tuple[Cell, Deviations]] = {}
        self._every: dict[tuple[str, FactName], bool] = {}
        """By scenario and fact that a workload can change itself: whether it differs in every trial that reports it."""

    def add(self, record: Record) -> None:
        """Look at the next record."""
        cell, number = record.trial.cell, self._seen
        self._seen += 1
        if cell.scenario not in self._manifest.certificates:
            return
        deviations = _deviations(self._manifest, record)
        if deviations:
            self._found[number] = cell, deviations
        for fact in _ITS_OWN:
            if self._every.get((cell.scenario, fact), True) and FACT[fact].read(record.inside) is not None:
                self._every[cell.scenario, fact] = fact in deviations

    def seen(self) -> Seen:
        """What it saw so far."""
        return Seen(self._seen, self._found, self._every)

    def join(self, later: Seen) -> None:
        """Take what another one saw in the records that follow."""
        self._found |= {self._seen + number: found for number, found in later.found.items()}
        self._seen += later.records
        for key, every in later.every.items():
            self._every[key] = every and self._every.get(key, True)

    def doubts(self) -> dict[int, tuple[str, ...]]:
        """By the number of the record, from 0, its further doubts. A fact that differs in every trial is no doubt."""
        excused = {key for key, every in self._every.items() if every}
        found = {number: _marks(cell, deviations, excused) for number, (cell, deviations) in self._found.items()}
        return {number: marks for number, marks in found.items() if marks}


def with_doubts(manifest: Manifest, records: Sequence[Record]) -> tuple[Record, ...]:
    """The records, with a doubt for each fact that differs from their scenario's certificate."""
    deviating = Deviating(manifest)
    for record in records:
        deviating.add(record)
    further = deviating.doubts()
    return tuple(
        record.model_copy(update={"doubts": (*record.doubts, *further[number])}) if number in further else record
        for number, record in enumerate(records)
    )


def _deviations(manifest: Manifest, record: Record) -> Deviations:
    certificate = manifest.certificates.get(record.trial.cell.scenario)
    if certificate is None or record.source == "simulated":
        return {}
    found: dict[FactName, tuple[str, str]] = {}
    for fact in FACT_NAMES:
        finding, value = certificate.finding(fact), FACT[fact].read(record.inside)
        certified = None if finding is None else _seen(finding, record.trial.cell)
        if fact in RESOURCES and fact in record.trial.cell.factors:
            # The certificate was made at one level. This trial has its own, which its box must show.
            asked = _asked(fact, record.trial.cell.factors[fact])
            if value is not None and proves(fact, asked, value) and not agrees(fact, asked, value):
                found[fact] = value, asked
        elif fact not in _NOT_IN_TRIALS and value is not None and certified is not None and value != certified:
            found[fact] = value, certified
    return found


def _seen(finding: Finding, cell: Cell) -> str | None:
    # Earlier campaigns certified a first start with the other boxes of its target.
    return finding.seen.get(cell.certified_as, finding.seen.get(cell.box))


def _asked(fact: FactName, level: str) -> str:
    return f"limit {parse_bytes(level)}" if fact == "memory" else level


def _marks(cell: Cell, deviations: Deviations, excused: Set[tuple[str, FactName]]) -> tuple[str, ...]:
    return tuple(
        f"inside: {FACT[fact].title} is {FACT[fact].show(seen)}, and "
        + (
            f"{FACT[fact].show(due)} was asked for"
            if fact in cell.factors
            else f"was {FACT[fact].show(due)} when certified"
        )
        for fact, (seen, due) in deviations.items()
        if (cell.scenario, fact) not in excused
    )
