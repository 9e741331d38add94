"""Trials against the certificate: a trial whose facts differ from its certificate gets a doubt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Final

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
_ITS_OWN: Final = ("uid", "gid", "groups", "cwd", "cap_eff", "cap_bnd", "seccomp", "no_new_privs")

Deviations = Mapping[FactName, tuple[str, str]]
"""By fact, the value in a trial and the value in the certificate, both canonical."""


def with_doubts(manifest: Manifest, records: Sequence[Record]) -> tuple[Record, ...]:
    """The records, with a doubt for each fact that differs from their scenario's certificate."""
    found = [_deviations(manifest, record) for record in records]
    excused = _own_doing(records, found)
    return tuple(_doubted(record, deviations, excused) for record, deviations in zip(records, found, strict=True))


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


def _own_doing(records: Sequence[Record], found: Sequence[Deviations]) -> set[tuple[str, FactName]]:
    """Scenarios and facts that differ in every trial that reports them and that a workload can change."""
    deviate: dict[tuple[str, FactName], list[bool]] = defaultdict(list)
    for record, deviations in zip(records, found, strict=True):
        for fact in FACT_NAMES:
            if fact in _ITS_OWN and FACT[fact].read(record.inside) is not None:
                deviate[record.trial.cell.scenario, fact].append(fact in deviations)
    return {key for key, every in deviate.items() if all(every)}


def _doubted(record: Record, deviations: Deviations, excused: Set[tuple[str, FactName]]) -> Record:
    levels = record.trial.cell.factors
    marks = tuple(
        f"inside: {FACT[fact].title} is {FACT[fact].show(seen)}, and "
        + (f"{FACT[fact].show(due)} was asked for" if fact in levels else f"was {FACT[fact].show(due)} when certified")
        for fact, (seen, due) in deviations.items()
        if (record.trial.cell.scenario, fact) not in excused
    )
    return record.model_copy(update={"doubts": (*record.doubts, *marks)}) if marks else record
