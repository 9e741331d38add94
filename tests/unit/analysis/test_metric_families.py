"""Every metric of a campaign has a family, and the families agree with the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from bench.analysis.metric_families import FAMILIES, Family, family_of
from bench.analysis.metrics import CPU, DISK, EXERCISE_OWN, INSTRUCTIONS, MEMORY, Metric
from bench.analysis.values import start_chain, stop_chain, values_of
from bench.records.record import parse_record

PUBLISHED: Final = Path(__file__).parents[3] / "reports" / "published"


@pytest.mark.parametrize("file", sorted(PUBLISHED.rglob("records.jsonl")), ids=lambda file: file.parent.name)
def test_every_metric_of_a_published_campaign_has_a_family(file: Path) -> None:
    records = [parse_record(line, where=str(file)) for line in file.read_bytes().splitlines()]
    cells: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        cells.setdefault(record.trial.cell.key, []).append(number)
    names: set[str] = set()
    for numbers in cells.values():
        own = [records[number] for number in numbers]
        names |= {name for record in own for name in values_of(record, [start_chain(own), stop_chain(own)])}
    assert len(names) > 20
    assert [name for name in names if family_of(name) is None] == []


@pytest.mark.parametrize("name", [MEMORY, CPU, DISK, INSTRUCTIONS, *sorted(EXERCISE_OWN)])
def test_metrics_that_the_code_names_have_a_family(name: str) -> None:
    assert family_of(name) is not None


def test_an_unknown_name_has_none() -> None:
    assert family_of("colour.red_ns") is None


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("exercise.get_per_s", "more"),
        ("exercise.get.p99_ns", "less"),
        ("exercise.own_user_ns", "neither"),
        ("exercise.own_max_rss_bytes", "neither"),
        ("exercise.operations", "neither"),
        ("exercise.cpu_per_operation_ns", "less"),
        ("cpu.start.daemon.dockerd_ns", "less"),
    ],
)
def test_which_way_is_better(name: str, better: str) -> None:
    family = family_of(name)
    assert family is not None
    assert family.better == better
    assert (family.better == "more") == Metric(name).higher_is_better


def test_no_family_is_hidden_by_an_earlier_one() -> None:
    def example(family: Family) -> str:
        parts = {"ENDPOINT": "ready", "FROM": "init", "TO": "exec", "COMPONENT": "vmm", "SHARE": "p50", "FIELD": "user"}
        name = family.name
        for part, value in {**parts, "DAEMON": "dockerd", "VALUE": "x"}.items():
            name = name.replace(part, value)
        return name

    assert [family.name for family in FAMILIES if family_of(example(family)) is not family] == []
