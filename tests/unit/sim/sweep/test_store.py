"""The directory of a sweep: what is kept, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.sim.model.file import model_digest, model_text
from bench.sim.sweep import store
from bench.sim.sweep.store import MANIFEST, UNITS, OtherSweepError, SweepDirectory, opened
from bench.sim.sweep.unit import UnitResult, result_lines
from bench.util.errors import BoxbenchWarning, ResultError, UsageError
from tests.synthetic_models import make_model
from tests.unit.sim.sweep.sweeps import small_model, small_plan

MODEL = small_model()
PLAN = small_plan(MODEL)
SAMPLES = (1.5, *[2.0] * 5)
NAMES = PLAN.question.sampled
FIRST, SECOND, *_ = [UnitResult(key=unit.key, samples=dict.fromkeys(NAMES, SAMPLES)) for unit in PLAN.units]


@contextmanager
def opened_here(path: Path) -> Iterator[SweepDirectory]:
    with opened(path, PLAN, model_text=model_text(MODEL), digest=model_digest(MODEL)) as place:
        yield place


def test_finished_units_are_there_again(tmp_path: Path) -> None:
    with opened_here(tmp_path / "new" / "sweep") as place:
        place.append([FIRST])
        place.append([SECOND])
        assert (place.path / store.MODEL).read_text(encoding="utf-8") == model_text(MODEL)
    with opened_here(tmp_path / "new" / "sweep") as place:
        assert set(place.samples) == {FIRST.key, SECOND.key}
        assert place.samples[FIRST.key].of("storm.last").tolist() == list(SAMPLES)
        assert place.finished == 2
        assert len(list(place.missing())) == len(PLAN.units) - 2


def test_a_torn_line_is_cut(tmp_path: Path) -> None:
    with opened_here(tmp_path) as place:
        place.append([FIRST])
    file = tmp_path / UNITS
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"key":"boxes=2 | docker","sam')
    with opened_here(tmp_path) as place:
        assert set(place.samples) == {FIRST.key}
        assert file.read_bytes() == whole


def test_a_damaged_line_is_named_and_its_unit_runs_again(tmp_path: Path) -> None:
    with opened_here(tmp_path) as place:
        place.append([FIRST])
        place.append([SECOND])
    file = tmp_path / UNITS
    file.write_bytes(file.read_bytes().replace(b"1.5", b"1,5", 1))
    with pytest.warns(BoxbenchWarning, match=r"units.jsonl:1 is damaged"), opened_here(tmp_path) as place:
        assert set(place.samples) == {SECOND.key}


def test_two_writers_are_refused(tmp_path: Path) -> None:
    with (
        opened_here(tmp_path),
        pytest.raises(UsageError, match="is being written by another boxbench"),
        opened_here(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "sha256:0"}, 'model differs: was "sha256:0"'),
        ({"versions": {"boxbench": "0.0.1"}}, 'versions differs: boxbench was "0.0.1", is'),
        ({"units": 3}, "units differs: was 3, is 10"),
        # Another version writes the labels of one model otherwise, so its digest differs, too.
        ({"model": "sha256:0", "versions": {"boxbench": "0.0.1"}}, 'versions differs: boxbench was "0.0.1", is'),
    ],
)
def test_another_sweep_is_refused(tmp_path: Path, changed: dict[str, object], words: str) -> None:
    with opened_here(tmp_path) as place:
        place.append([FIRST])
    file = tmp_path / MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changed), encoding="utf-8")
    with pytest.raises(OtherSweepError, match=words), opened_here(tmp_path):
        pass
    assert (tmp_path / UNITS).read_bytes().count(b"\n") == 1


def test_a_directory_with_other_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OtherSweepError, match=r"holds no sweep \(but notes.txt\)"), opened_here(tmp_path):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_a_kill_before_the_manifest_leaves_a_directory_that_can_be_used(tmp_path: Path) -> None:
    (tmp_path / store.MODEL).write_text("half", encoding="utf-8")
    with opened_here(tmp_path) as place:
        assert place.samples == {}
        assert (place.path / store.MODEL).read_text(encoding="utf-8") == model_text(MODEL)


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with opened_here(tmp_path) as place:
        place.append([FIRST])
        monkeypatch.setattr(store, "append_durably", full)
        with pytest.raises(ResultError, match="No space left"):
            place.append([SECOND])
        assert set(place.samples) == {FIRST.key}


def test_pieces_of_a_unit_are_put_together_and_the_rest_is_missing(tmp_path: Path) -> None:
    """However the unit was cut before."""
    parts = [
        UnitResult(key=FIRST.key, first=first, samples=dict.fromkeys(NAMES, SAMPLES[2 * first : 2 * first + 2]))
        for first in (2, 0)
    ]
    with opened_here(tmp_path) as place:
        for part in parts:
            place.append([part])
        assert place.finished == 0
    with opened_here(tmp_path) as place:
        (stretch,) = [one for one in place.missing() if one.unit.key == FIRST.key]
        assert (stretch.first, stretch.draws) == (1, 1)


@pytest.mark.parametrize(
    "samples",
    [
        {"storm.lost": SAMPLES},
        dict.fromkeys(NAMES, SAMPLES[:3]),
        dict.fromkeys(NAMES[:2], SAMPLES),
        dict.fromkeys(NAMES, (*SAMPLES, 1.0, 2.0)),
    ],
)
def test_a_line_with_other_numbers_is_damaged(tmp_path: Path, samples: dict[str, tuple[float, ...]]) -> None:
    with opened_here(tmp_path):
        pass
    (tmp_path / UNITS).write_bytes(result_lines([UnitResult(key=FIRST.key, samples=samples)]))
    with pytest.warns(BoxbenchWarning, match=r"units.jsonl:1 is damaged"), opened_here(tmp_path) as place:
        assert place.samples == {}


def test_a_model_that_somebody_removed_or_changed_is_written_again(tmp_path: Path) -> None:
    with opened_here(tmp_path) as place:
        place.append([FIRST])
    for damage in (Path.unlink, lambda file: file.write_text("{}", encoding="utf-8")):
        damage(tmp_path / store.MODEL)
        with opened_here(tmp_path) as place:
            assert set(place.samples) == {FIRST.key}
            assert (tmp_path / store.MODEL).read_text(encoding="utf-8") == model_text(MODEL)


def test_nothing_is_replaced_while_another_one_writes(tmp_path: Path) -> None:
    """Another sweep in the same directory: the lock comes first, not a comparison and not a write."""
    other = make_model(("docker",), draws=2)
    with opened_here(tmp_path):
        (tmp_path / MANIFEST).unlink()
        before = (tmp_path / store.MODEL).read_bytes()
        with (
            pytest.raises(UsageError, match="is being written by another boxbench"),
            opened(tmp_path, small_plan(other), model_text=model_text(other), digest=model_digest(other)),
        ):
            pass
        assert (tmp_path / store.MODEL).read_bytes() == before
        assert not (tmp_path / MANIFEST).exists()


def test_a_file_is_no_directory_of_a_sweep(tmp_path: Path) -> None:
    file = tmp_path / "sweep"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(OtherSweepError, match="sweep is a file, not a directory"), opened_here(file):
        pass
    with pytest.raises(ResultError, match="Not a directory"), opened_here(file / "below"):
        pass
    assert file.read_text(encoding="utf-8") == "mine"
