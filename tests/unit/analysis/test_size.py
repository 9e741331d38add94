"""Large campaigns: the work per record stays small, and lengthened campaigns hold what their source holds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bench.analysis.analyse import analyse, analyse_directory, to_samples
from bench.analysis.pool import MOST_SAMPLED, CellColumns
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.records.record import Samples
from bench.render.view import build_view
from tests.factories import SIX, make_manifest, make_records, write_campaign
from tests.synthetic import lengthen


@pytest.fixture
def short(tmp_path: Path) -> Path:
    manifest = make_manifest(("hello",), SIX)
    return write_campaign(tmp_path / "short", manifest, make_records(manifest, SIX))


def test_a_report_asks_each_record_for_its_cell_a_few_times_only(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaigns = [read_campaign(lengthen(short, tmp_path / str(size), records=size)) for size in (600, 1200)]
    asked, key = 0, vars(Cell)["key"].fget

    def counted(cell: Cell) -> str:
        nonlocal asked
        asked += 1
        return str(key(cell))

    monkeypatch.setattr(Cell, "key", property(counted))
    counts = []
    for manifest, records in campaigns:
        asked = 0
        build_view(analyse(manifest, records))
        counts.append(asked)
    # Once per metric of a boot would be a hundred times; once per record and cell would grow with both.
    assert (counts[1] - counts[0]) / 600 < 12


PUBLISHED = sorted(
    file.parent
    for file in (Path(__file__).parents[3] / "reports/published").rglob("records.jsonl")
    if any(word in str(file) for word in ("ladder", "residents", "storms", "first-start"))
)


@pytest.mark.parametrize("campaign", PUBLISHED, ids=lambda path: path.name)
def test_the_results_of_a_directory_are_those_of_its_records(campaign: Path) -> None:
    whole, small = analyse(*read_campaign(campaign)), analyse_directory(campaign)
    for name in ("manifest", "summaries", "comparisons", "drifts", "chains", "inside", "flushes", "sampled"):
        assert getattr(small, name) == getattr(whole, name), name
    assert [(one.trial, one.doubts, one.endpoints_ns) for one in small.records] == [
        (one.trial, one.doubts, one.endpoints_ns) for one in whole.records
    ]
    assert sorted(small.samples, key=repr) == sorted(to_samples(whole.manifest, whole.records), key=repr)
    assert repr(build_view(small)) == repr(build_view(whole))


def test_samples_of_a_large_cell_are_thinned_evenly(short: Path) -> None:
    _, records = read_campaign(short)
    record = next(one for one in records if not one.trial.warmup)
    cell = CellColumns(record.trial.cell, record.source)
    for number in range(5000):
        seen = Samples(at_ns=(number,), memory_bytes=(1,), cpu_ns=(0,))
        cell.add(record.model_copy(update={"samples": seen}), number)
    kept = [samples.at_ns[0] for samples in cell.sampled]
    assert MOST_SAMPLED < len(kept) <= 2 * MOST_SAMPLED
    assert {after - before for before, after in pairwise(kept)} == {kept[1] - kept[0]}
    assert kept[0] == 0
    assert kept[-1] > 4900


def test_series_and_samples_hold_the_same_values(short: Path, tmp_path: Path) -> None:
    manifest, records = read_campaign(lengthen(short, tmp_path / "long", records=300))
    analysis = analyse(manifest, records)
    samples = to_samples(manifest, analysis.records)
    assert len(samples) > 300
    assert sorted(samples, key=lambda s: (s.cell.key, s.metric, s.trial)) == sorted(
        analysis.samples, key=lambda s: (s.cell.key, s.metric, s.trial)
    )


def test_a_lengthened_campaign_is_simulated_and_the_same_every_time(short: Path, tmp_path: Path) -> None:
    ones, others = (read_campaign(lengthen(short, tmp_path / name, records=100)) for name in ("a", "b"))
    assert ones == others
    assert {record.source for record in ones[1]} == {"simulated"}
    assert [record.trial for record in ones[1]] == list(ones[0].plan)
    assert {record.trial.cell.key for record in ones[1]} == {trial.cell.key for trial in ones[0].plan}
