"""A campaign that two processes read has the results of one that is read line by line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.analysis import analyse as analyse_module
from bench.analysis.analyse import analyse, analyse_directory
from bench.analysis.reading import shared_pool
from bench.analysis.results import Analysis, NotComparableError
from bench.records import stretches as stretches_module
from bench.records.campaign import RECORDS, read_campaign
from bench.records.manifest import read_manifest
from bench.records.record import Record
from bench.records.stretches import Stretch, records_in, stretches
from bench.util import parallel
from bench.util.errors import BoxbenchError, BoxbenchWarning, RecordError
from tests.factories import SIX, make_manifest, make_records, write_campaign
from tests.synthetic import lengthen

pytestmark = pytest.mark.host


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of some dozens of stretches, on a host with two CPUs."""
    monkeypatch.setattr(parallel, "can_share", lambda: True)
    manifest = make_manifest(("hello",), SIX)
    short = write_campaign(tmp_path / "short", manifest, make_records(manifest, SIX))
    found = lengthen(short, tmp_path / "long", records=600)
    monkeypatch.setattr(stretches_module, "_LEAST_BYTES", (found / RECORDS).stat().st_size // 40)
    return found


def shared(campaign: Path) -> bool:
    """Whether two processes read it."""
    return shared_pool(read_manifest(campaign), campaign, lambda record: record) is not None


def alike(found: Analysis, whole: Analysis) -> None:
    for name in ("manifest", "summaries", "comparisons", "drifts", "chains", "inside", "flushes", "sampled", "series"):
        assert getattr(found, name) == getattr(whole, name), name
    assert [list(cells) for cells in found.series.values()] == [list(cells) for cells in whole.series.values()]
    assert [(one.trial, one.doubts, one.endpoints_ns) for one in found.records] == [
        (one.trial, one.doubts, one.endpoints_ns) for one in whole.records
    ]


def change(directory: Path, line: int, **fields: object) -> None:
    """Change fields of the record in a line, from 0."""
    lines = (directory / RECORDS).read_text().splitlines(keepends=True)
    lines[line] = Record.model_validate_json(lines[line]).model_copy(update=fields).line()
    (directory / RECORDS).write_text("".join(lines))


def test_results_are_those_of_one_process(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared(campaign)
    whole = analyse(*read_campaign(campaign))
    monkeypatch.setattr(analyse_module, "_MANY", 1)
    alike(analyse_directory(campaign), whole)


def test_stretches_hold_each_whole_line_once(campaign: Path) -> None:
    file = campaign / RECORDS
    with file.open("ab") as stream:
        stream.write(b'{"torn')
    found = stretches(file)
    assert len(found) > 30
    content = file.read_bytes()
    assert b"".join(content[one.start : one.end] for one in found) + b'{"torn' == content
    records = [record for one in found for record in records_in(file, one)]
    assert [record.trial.number for record in records] == list(range(600))


def test_what_is_no_file_of_records_has_no_stretches(tmp_path: Path) -> None:
    assert stretches(tmp_path) == []
    assert stretches(tmp_path / "absent") == []
    (tmp_path / "torn").write_bytes(b"torn")
    (tmp_path / "empty").touch()
    assert stretches(tmp_path / "torn") == []
    assert stretches(tmp_path / "empty") == []


def test_a_link_to_records_is_refused_as_by_one_process(campaign: Path) -> None:
    file = campaign / RECORDS
    parts = stretches(file)
    file.rename(campaign / "elsewhere")
    file.symlink_to("elsewhere")
    assert stretches(file) == []
    with pytest.raises(OSError, match="it is a link"):
        list(records_in(file, parts[0]))
    assert not shared(campaign)
    with pytest.raises(BoxbenchError, match="it is a link"):
        analyse_directory(campaign)


def test_a_fifo_has_no_stretches(tmp_path: Path) -> None:
    """To open one waits for a writer."""
    os.mkfifo(tmp_path / "fifo")
    assert stretches(tmp_path / "fifo") == []
    with pytest.raises(OSError, match="no regular file"):
        list(records_in(tmp_path / "fifo", Stretch(0, 1)))


def test_a_damaged_line_is_named_as_by_one_process(campaign: Path) -> None:
    lines = (campaign / RECORDS).read_bytes().splitlines(keepends=True)
    lines[400] = b'{"schema_number": 2}\n'
    (campaign / RECORDS).write_bytes(b"".join(lines))
    assert not shared(campaign)
    with pytest.warns(BoxbenchWarning, match=r"records\.jsonl:401"):
        found = analyse_directory(campaign)
    assert len(found.records) == 599
    assert any("records.jsonl:401" in note for note in found.manifest.notes)


def test_a_trial_with_two_records_is_refused_as_by_one_process(campaign: Path) -> None:
    _, records = read_campaign(campaign)
    change(campaign, 550, trial=records[3].trial)
    assert not shared(campaign)
    with pytest.raises(RecordError, match=r"records\.jsonl:551.*the first is in line 4"):
        analyse_directory(campaign)


@pytest.mark.parametrize("fields", [{"source": "replayed"}, {"campaign": "another"}])
def test_records_that_do_not_belong_together_are_refused_as_by_one_process(
    campaign: Path, fields: dict[str, object]
) -> None:
    for line in range(580, 600):
        change(campaign, line, **fields)
    assert not shared(campaign)
    with pytest.raises(NotComparableError, match=r"mixes simulated and replayed|of campaign another"):
        analyse_directory(campaign)
