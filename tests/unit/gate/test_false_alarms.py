"""A against A where more is better, and where cells lack what was asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from rich.console import Console

from bench.gate.aa import AaRequest, aa_of_campaign, run_aa
from bench.gate.cells import CellPair
from bench.gate.false_alarms import Pool, replays
from bench.gate.measure import Silent
from bench.gate.sides import SidePair, read_side
from bench.gate.thresholds import Thresholds
from bench.plan.trials import Cell
from bench.records.record import Record
from bench.render.commands.false_alarms import aa_report
from bench.util.errors import TooFewBootsError
from tests.factories import DOCKER, RUNC, make_manifest, make_records, write_campaign
from tests.gates import edit, install, scenario_at

CELL: Final = Cell(scenario="redis", target="docker", accel="native")
MEMORY: Final = "memory.pss.total"


def pool(metric: str) -> Pool:
    """SeriesPair that are not equal at all: whichever is B by the draw is worse or better by half."""
    # Without a trend of their ratio over the blocks.
    values = np.array([[1000.0 + 7 * block % 20, 1500.0 + 7 * block % 20] for block in range(20)])
    return Pool(CellPair("redis", CELL, CELL), {metric: values}, True, 20)


def test_a_rate_goes_red_as_often_as_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a replay's draws turned one way: half of such runs make B the worse one, whatever is counted."""
    rates = {}
    for metric in ("exercise.get_per_s", "exercise.p99_ns"):
        found = []
        for side in (0.0, 0.9):
            monkeypatch.setattr("bench.gate.false_alarms.np.random.default_rng", lambda _seed, side=side: _Rigged(side))
            rows, _ = replays([pool(metric)], thresholds=Thresholds(), runs=1, seed=1)
            found.append((rows[0].red.hits, rows[0].significant.hits, rows[-1].red.hits))
        rates[metric] = found
    assert rates["exercise.get_per_s"] == rates["exercise.p99_ns"][::-1] == [(1, 1, 1), (0, 0, 0)]


class _Rigged:
    """Draws every block, and gives A the same side each time."""

    def __init__(self, side: float) -> None:
        self.side = side

    def choice(self, count: int, size: int, *, replace: bool) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        assert not replace
        return np.arange(size) % count

    def random(self, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.full(size, self.side)


def campaign(path: Path, *, blocks: int = 10, bare: bool = True, docker: int | None = None) -> Path:
    """``bare``: runc's memory was never read. ``docker``: of how many of its boots it was."""

    def changed(record: Record) -> Record:
        target = record.trial.cell.target
        unread = bare if target == "runc" else docker is not None and record.trial.block >= docker
        return edit(record, memory_bytes={}) if unread else record

    manifest = make_manifest(("hello",), (DOCKER, RUNC), blocks=blocks, warmups=0)
    records = [changed(record) for record in make_records(manifest, (DOCKER, RUNC), troubles=False)]
    return write_campaign(path, manifest, records)


def test_a_cell_without_the_metric_is_left_out_by_name(tmp_path: Path) -> None:
    result = aa_of_campaign(campaign(tmp_path), thresholds=Thresholds(), metrics=(MEMORY,), runs=5, seed=1)
    assert [row.box for row in result.rows] == ["docker", ""]
    assert result.left_out == ("hello/runc",)
    console = Console(width=120, record=True, file=sys.stderr)
    console.print(aa_report(result))
    assert "hello/runc: left out" in console.export_text()


def test_the_cell_with_too_few_boots_is_named(tmp_path: Path) -> None:
    path = campaign(tmp_path / "c", bare=False, docker=6)
    with pytest.raises(TooFewBootsError, match=r"^hello/docker has values in 6 blocks, which make 3 pairs") as caught:
        aa_of_campaign(path, thresholds=Thresholds(), metrics=(MEMORY,), runs=5, seed=1)
    assert "run 10 blocks or more" in caught.value.hint
    with pytest.raises(TooFewBootsError, match="4 blocks per resampled run"):
        aa_of_campaign(path, thresholds=Thresholds(), metrics=(MEMORY,), blocks=4, runs=5, seed=1)


def test_a_scenario_run_twice_leaves_out_and_names_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda record: edit(record, memory_bytes={}) if "runc" in record.trial.cell.key else record)
    word = str(scenario_at(tmp_path / "made"))
    both = SidePair(read_side(word, "A", None), read_side(word, "B", None))
    result = run_aa(AaRequest(sides=both, out=tmp_path / "g", seed=1, metrics=(MEMORY,), blocks=6), Silent())
    assert (result.left_out, result.blocks) == (("made/runc",), 6)
    with pytest.raises(TooFewBootsError, match="made/docker has values in 4 blocks") as caught:
        run_aa(AaRequest(sides=both, out=tmp_path / "h", seed=1, metrics=(MEMORY,), blocks=4), Silent())
    assert "run 5 blocks or more" in caught.value.hint
