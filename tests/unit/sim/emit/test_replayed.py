"""Replayed campaigns: the same numbers in the same blocks and sittings, marked as what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from bench.analysis.analyse import analyse
from bench.analysis.results import Analysis
from bench.records.campaign import read_campaign
from bench.records.manifest import Manifest, SittingEntry
from bench.records.record import Record
from bench.render.report import write_report
from bench.run.resume import warmed_again
from bench.sim.emit.emission import emit
from bench.sim.emit.replayed import read_stored, replayed_campaign, scenarios_of
from bench.util.errors import CampaignError, UsageError
from bench.util.package_data import replay_dir
from tests.factories import make_manifest, make_records, write_campaign
from tests.unit.sim.emit.asked import Unwatched, make_request


def replay(
    stored: Path,
    out: Path,
    *,
    boxes: Sequence[str] = (),
    scenarios: Sequence[str] | None = None,
    blocks: int | None = None,
    seed: int = 3,
) -> tuple[Manifest, tuple[Record, ...]]:
    """The campaign in ``stored`` again, in ``out``."""
    found = read_stored(stored, boxes=boxes, scenarios=scenarios)
    request = make_request(out, *scenarios_of(found), seed=seed, given=str(stored))
    emit(replayed_campaign(replace(request, blocks=blocks), found), out, Unwatched())
    return read_campaign(out)


def results(analysis: Analysis) -> dict[tuple[str, str], tuple[object, ...]]:
    """Everything that a report shows of each cell and metric."""
    found: dict[tuple[str, str], tuple[object, ...]] = {}
    for one in analysis.summaries:
        found[one.cell.key, one.metric] = (one.n, one.failures, one.median, one.p95, one.doubts)
    for pair in analysis.comparisons:
        found[pair.other.key, f"ratio {pair.metric}"] = (pair.ratio, pair.p_value, pair.verdict)
    return found


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A campaign of two scenarios and three boxes with failures, in two sittings."""
    manifest = make_manifest(("hello", "web"))
    blocks = max(trial.block for trial in manifest.plan)
    begun = [SittingEntry(started_at=f"2031-02-0{day}T04:05:06+00:00") for day in (3, 4)]
    records = [
        record.model_copy(update={"sitting": int(record.trial.block > blocks // 2)})
        for record in make_records(manifest)
    ]
    return write_campaign(tmp_path / "stored", manifest.model_copy(update={"sittings": tuple(begun)}), records)


def test_a_replay_has_the_results_of_what_it_replays(stored: Path, tmp_path: Path) -> None:
    before, after = analyse(*read_campaign(stored)), analyse(*replay(stored, tmp_path / "c"))
    assert results(after) == results(before)


def test_the_published_quickstart_has_its_published_results(tmp_path: Path) -> None:
    before, after = analyse(*read_campaign(replay_dir())), analyse(*replay(replay_dir(), tmp_path / "c"))
    assert results(after) == results(before)
    assert len({record.sitting for record in after.records}) == 4


def test_records_are_marked_and_the_plan_is_drawn_anew(stored: Path, tmp_path: Path) -> None:
    old, _ = read_campaign(stored)
    manifest, records = replay(stored, tmp_path / "c")
    assert {record.source for record in records} == {"replayed"}
    assert {record.campaign for record in records} == {manifest.id} != {old.id}
    assert [record.trial for record in records] == list(manifest.plan)
    assert [trial.cell.key for trial in manifest.plan] != [trial.cell.key for trial in old.plan]
    assert not any(record.artefacts for record in records)
    assert manifest.origin is not None
    assert (manifest.origin.source, manifest.origin.name) == ("replayed", old.id)
    assert manifest.host == old.host


def test_the_clock_begins_with_each_sitting_and_never_goes_back(stored: Path, tmp_path: Path) -> None:
    manifest, records = replay(stored, tmp_path / "c")
    times = [datetime.fromisoformat(record.started_at) for record in records]
    assert times == sorted(times)
    begun = [datetime.fromisoformat(sitting.started_at) for sitting in manifest.sittings]
    first = [min(t for t, r in zip(times, records, strict=True) if r.sitting == number) for number in (0, 1)]
    assert first == begun


def test_the_first_blocks_alone(stored: Path, tmp_path: Path) -> None:
    manifest, records = replay(stored, tmp_path / "c", blocks=2)
    assert len({record.trial.block for record in records if not record.trial.warmup}) == 2
    assert len(manifest.sittings) == 1
    with pytest.raises(UsageError, match=r"-b 99: the campaign in .* has 7 blocks of (hello|web)"):
        replay(stored, tmp_path / "d", blocks=99)
    assert not (tmp_path / "d").exists()


def test_one_box_of_one_scenario(stored: Path, tmp_path: Path) -> None:
    manifest, records = replay(stored, tmp_path / "c", boxes=("libvirt",), scenarios=("web",))
    assert {record.trial.cell.key for record in records} == {"web/libvirt/tcg"}
    assert list(manifest.scenarios) == ["web"]
    assert manifest.scenarios["web"].scenario.baseline == "libvirt"
    assert list(manifest.targets) == ["libvirt/tcg"]
    assert "web (replayed)" in write_report(tmp_path / "c", png=False).text.read_text()


def test_trials_without_a_record_stay_without(stored: Path, tmp_path: Path) -> None:
    manifest, records = read_campaign(stored)
    write_campaign(stored, manifest, records[:-10])
    new, sent = replay(stored, tmp_path / "c")
    assert len(new.plan) == len(manifest.plan)
    assert len(new.plan) - len(sent) == 10
    assert results(analyse(new, sent)) == results(analyse(*read_campaign(stored)))


def test_an_interrupted_and_resumed_campaign_is_sent_again_whole(tmp_path: Path) -> None:
    manifest = make_manifest()
    before, rest = manifest.plan[:-2], manifest.plan[-2:]
    further = warmed_again(manifest, rest)
    assert 0 < len(further) < len({trial.cell for trial in manifest.plan}), "not every cell warms up again"
    begun = [SittingEntry(started_at=f"2031-02-0{day}T04:05:06+00:00") for day in (3, 4)]
    resumed = manifest.model_copy(update={"sittings": (begun[0],)}).with_sitting(begun[1], further)
    sitting_of = {trial.id: int(trial not in before) for trial in resumed.plan}
    records = [r.model_copy(update={"sitting": sitting_of[r.trial.id]}) for r in make_records(resumed, troubles=False)]
    write_campaign(tmp_path / "stored", resumed, records)
    new, sent = replay(tmp_path / "stored", tmp_path / "c")
    assert len(new.plan) == len(sent) == len(records)
    assert [trial.number for trial in new.plan] == list(range(len(records)))
    warmed = {record.trial.cell.key for record in sent if record.trial.warmup and record.sitting == 1}
    assert warmed == {trial.cell.key for trial in further}
    assert results(analyse(new, sent)) == results(analyse(*read_campaign(tmp_path / "stored")))


@pytest.mark.parametrize(
    ("boxes", "scenarios", "words"),
    [
        (("gvisor",), None, "has no box 'gvisor'"),
        ((), ("nginx",), "has no scenario 'nginx'"),
        (("libvirt/kvm",), None, "has no box 'libvirt/kvm'"),
    ],
)
def test_what_was_not_stored_is_an_error(
    stored: Path, tmp_path: Path, boxes: Sequence[str], scenarios: Sequence[str] | None, words: str
) -> None:
    with pytest.raises(CampaignError, match=words) as caught:
        replay(stored, tmp_path / "c", boxes=boxes, scenarios=scenarios)
    assert "it has " in caught.value.hint


def test_only_boxes_that_ran_are_sent_again(stored: Path, tmp_path: Path) -> None:
    """A second replay would hide what the first one was made from."""
    replay(stored, tmp_path / "c")
    with pytest.raises(CampaignError, match="is replayed itself"):
        replay(tmp_path / "c", tmp_path / "d")
    manifest, records = read_campaign(stored)
    lies = [record.model_copy(update={"source": "simulated"}) for record in records]
    write_campaign(tmp_path / "e", manifest, lies)
    with pytest.raises(CampaignError, match="is not measured itself"):
        replay(tmp_path / "e", tmp_path / "d")


def test_a_directory_without_a_campaign_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="is not a campaign directory"):
        replay(tmp_path, tmp_path / "c")
    manifest = make_manifest()
    write_campaign(tmp_path / "empty", manifest, [])
    with pytest.raises(CampaignError, match="has no record of these boxes"):
        replay(tmp_path / "empty", tmp_path / "c")
