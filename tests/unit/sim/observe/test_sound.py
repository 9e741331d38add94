"""Campaigns that are broken, edited, interrupted or of another kind: one clear error or a note each."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.records.campaign import RECORDS, read_campaign
from bench.records.manifest import MANIFEST, Manifest
from bench.records.record import Endpoint, Record
from bench.sim.fit.fit import fit
from bench.sim.observe.campaign import observe
from bench.sim.observe.sound import check_sound, unfinished
from bench.util.errors import BoxbenchWarning, CampaignError, UsageError
from bench.util.package_data import REPLAYED
from tests.factories import write_campaign
from tests.synthetic_models import make_values
from tests.synthetic_starts import make_storm_records

PUBLISHED = Path(__file__).parents[4] / "reports" / "published"
QUICKSTART = Path(__file__).parents[4] / REPLAYED
Campaign = tuple[Manifest, tuple[Record, ...]]


@pytest.fixture(scope="module")
def storms() -> Campaign:
    return make_storm_records({"docker": make_values("docker")}, levels=(1, 4), blocks=3)


def _copy(tmp_path: Path) -> Path:
    """A copy of the published quickstart, whose records are real."""
    place = tmp_path / "quickstart"
    place.mkdir()
    for name in (MANIFEST, RECORDS):
        shutil.copy(QUICKSTART / name, place / name)
    return place


@pytest.mark.parametrize("name", ["2026-11-27-bill", "2026-11-27-gate", "2026-11-27-ladder", "2026-11-27-quickstart"])
def test_published_campaigns_are_sound(name: str) -> None:
    manifest, records = read_campaign(PUBLISHED / name)
    check_sound(PUBLISHED / name, manifest, records)
    assert unfinished(PUBLISHED / name, manifest, records) is None


def test_a_real_campaign_without_storms_has_single_starts_and_no_model() -> None:
    found = observe([QUICKSTART], scenarios=["hello"])
    assert {"docker", "libvirt/tcg"} <= set(found.targets)
    assert {trial.boxes for target in found.targets.values() for trial in target.starts} == {1}
    assert found.notes == ()
    with pytest.raises(UsageError, match="there is no storm among these trials"):
        fit(found, draws=50, seed=1)


def test_real_scenarios_with_other_workloads_are_told_apart() -> None:
    bill = PUBLISHED / "2026-11-27-bill"
    with pytest.raises(UsageError, match="run different workloads") as caught:
        observe([bill])
    assert "--scenario" in caught.value.hint
    ledger = observe([bill], scenarios=["ledger"])
    assert max(trial.boxes for target in ledger.targets.values() for trial in target.memory) > 1


def test_an_interrupted_campaign_is_used_and_said(tmp_path: Path) -> None:
    place = _copy(tmp_path)
    lines = (place / RECORDS).read_bytes().splitlines(keepends=True)
    (place / RECORDS).write_bytes(b"".join(lines[: len(lines) - 6]) + lines[-1][:100])
    found = observe([place], scenarios=["hello"])
    [note] = found.notes
    assert f"{place} is not finished: 6 of {len(lines)} trials have no record" in note
    assert f"boxbench resume {place}" in note
    (place / RECORDS).unlink()
    with pytest.raises(UsageError, match="no trial of these campaigns can be used: none was measured") as caught:
        observe([place])
    assert "boxbench resume" in caught.value.hint


def test_a_damaged_line_is_a_trial_that_did_not_run(tmp_path: Path) -> None:
    place = _copy(tmp_path)
    lines = (place / RECORDS).read_bytes().splitlines(keepends=True)
    (place / RECORDS).write_bytes(b"".join([*lines[:5], b'{"campaign": 1}\n', *lines[6:]]))
    with pytest.warns(BoxbenchWarning, match="its trial counts as not run"):
        found = observe([place], scenarios=["hello"])
    assert "1 of" in found.notes[0]


def test_directories_that_are_no_campaigns(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", QUICKSTART / RECORDS):
        with pytest.raises(CampaignError, match="is not a campaign directory"):
            observe([path])
    for content in ("", "{}", "[]", '{"name": "web", "version": 3}'):
        (tmp_path / MANIFEST).write_text(content, encoding="utf-8")
        with pytest.raises(CampaignError, match="not a manifest"):
            observe([tmp_path])


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"cpus_online": None}, "the number of the host's CPUs in its manifest is None"),
        ({"cpus_online": 0}, "is 0, and must be from 1 to 65536"),
        ({"cpus_online": True}, "is True"),
        ({"cpus_online": 10**9}, "is 1000000000"),
        ({"cpus_online": "2"}, "is '2'"),
        ({"memory_bytes": -1}, "the host's memory in its manifest is -1, which is no size"),
        ({"memory_bytes": "8GiB"}, "the host's memory in its manifest is '8GiB'"),
    ],
)
def test_facts_of_the_host_are_checked(storms: Campaign, tmp_path: Path, facts: dict[str, Any], said: str) -> None:
    manifest, records = storms
    path = write_campaign(tmp_path / "a", manifest.model_copy(update={"host": {**manifest.host, **facts}}), records)
    with pytest.raises(UsageError) as caught:
        observe([path])
    assert said in caught.value.message


def _first_storm(records: tuple[Record, ...]) -> int:
    return next(
        number
        for number, record in enumerate(records)
        if not record.trial.warmup and record.trial.cell.factors["concurrency"] == "4"
    )


def _with_trial(record: Record, **changes: Any) -> Record:
    return record.model_copy(update={"trial": record.trial.model_copy(update=changes)})


def _with_factors(record: Record, **factors: str) -> Record:
    cell = record.trial.cell.model_copy(update={"factors": {**record.trial.cell.factors, **factors}})
    return _with_trial(record, cell=cell)


def _with_goal(record: Record, at_ns: int) -> Record:
    first = record.members[0]
    moved = first.model_copy(update={"endpoints_ns": {**first.endpoints_ns, Endpoint.READY: at_ns}})
    return record.model_copy(update={"members": (moved, *record.members[1:])})


EDITS: dict[str, tuple[Callable[[Record], Record], str]] = {
    "another block": (lambda one: _with_trial(one, block=2**40), "and the plan has hello/docker{concurrency=4} in"),
    "no such trial": (lambda one: _with_trial(one, number=999), "the plan has no such trial"),
    "another cell": (lambda one: _with_factors(one, concurrency="1"), "it is of hello/docker{concurrency=1}"),
    "one member less": (lambda one: one.model_copy(update={"members": one.members[:3]}), "its 3 members are not these"),
    "no members": (lambda one: one.model_copy(update={"members": ()}), "its 0 members are not these"),
    "a member twice": (
        lambda one: one.model_copy(update={"members": (*one.members[:3], one.members[0])}),
        "its 4 members are not these",
    ),
    "up at once": (lambda one: _with_goal(one, 0), "a box was up at the instant of its request"),
    "up after years": (lambda one: _with_goal(one, 10**18), "a time of 1000000000000000000 ns is above 1e+14 ns"),
    "negative CPU time": (
        lambda one: one.model_copy(update={"cpu_ns": {"start.total": -1}}),
        "CPU time: start.total is -1 ns",
    ),
    "endless CPU time": (
        lambda one: one.model_copy(update={"cpu_ns": {"start.total": 2**62}}),
        "which is not between 0 and 1e+14 ns",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edited_records_are_refused(storms: Campaign, tmp_path: Path, name: str) -> None:
    change, said = EDITS[name]
    manifest, records = storms
    at = _first_storm(records)
    path = write_campaign(tmp_path / "a", manifest, [*records[:at], change(records[at]), *records[at + 1 :]])
    with pytest.raises(UsageError) as caught:
        observe([path])
    assert said in caught.value.message
    assert str(path) in caught.value.message
    assert "restore" in caught.value.hint


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"concurrency": "many"}, "concurrency is 'many', and must be a number of boxes from 1 to 1024"),
        ({"concurrency": "1025"}, "concurrency is '1025'"),
        ({"residents": "-1"}, "residents is '-1'"),
        ({"residents": "9" * 5000}, "residents is"),
        ({"memory": "much"}, "its factors are wrong"),
        ({"cpus": "x"}, "its factors are wrong"),
    ],
)
def test_levels_that_are_edited_in_both_files(
    storms: Campaign, tmp_path: Path, factors: dict[str, str], said: str
) -> None:
    manifest, records = storms
    at = _first_storm(records)
    changed = _with_factors(records[at], **factors)
    plan = tuple(changed.trial if trial.number == changed.trial.number else trial for trial in manifest.plan)
    every = [*records[:at], changed, *records[at + 1 :]]
    path = write_campaign(tmp_path / "a", manifest.model_copy(update={"plan": plan}), every)
    with pytest.raises(UsageError) as caught:
        observe([path])
    assert said in caught.value.message


def test_another_host_is_said_where_it_is_allowed(storms: Campaign, tmp_path: Path) -> None:
    manifest, records = storms
    other = manifest.model_copy(update={"id": "deadbeef", "host": {**manifest.host, "fingerprint": "0123456789ab"}})
    moved = [record.model_copy(update={"campaign": "deadbeef"}) for record in records]
    one, two = write_campaign(tmp_path / "a", manifest, records), write_campaign(tmp_path / "b", other, moved)
    [note] = observe([one, two], host_change=True).notes
    assert "is of host 0123456789ab, which is taken for the same machine as 5f1d0c2ab877" in note
