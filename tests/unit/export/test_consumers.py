"""The real programs read what we write for them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from bench.export.formats import export_from
from bench.history.otava import find_otava
from bench.history.store import DirectoryStore, add_line
from bench.util import proc
from bench.util.errors import HostUnfitError
from tests.factories import make_manifest, make_records, write_campaign
from tests.histories import HOST, make_line, make_repository
from tests.needs import host_cannot, need

pytestmark = pytest.mark.host

COMPARE = Path("/usr/share/benchmark/compare.py")


def campaign(path: Path, *, seed: int, blocks: int = 12) -> Path:
    manifest = make_manifest(["hello"], blocks=blocks)
    return write_campaign(path, manifest, make_records(manifest, seed=seed, troubles=False))


def deliver(source: Path, name: str, out: Path, *, repository: Path | None = None, boots: int | None = None) -> Path:
    for file, content in export_from(source, name, repository=repository, boots=boots).files.items():
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        (out / file).write_bytes(content)
    return out


def test_pyperf_reads_judges_and_is_not_fooled_by_counts(tmp_path: Path) -> None:
    # The same law on both sides; 12 and 7 boots, of which the longer is cut.
    sides = []
    for seed, blocks in ((1, 12), (2, 7)):
        source = campaign(tmp_path / f"c{seed}", seed=seed, blocks=blocks)
        sides.append(deliver(source, "pyperf", tmp_path / str(seed), boots=7) / f"pyperf-{HOST}.json")
    stats = _pyperf("stats", str(sides[0]))
    assert "hello/docker endpoint.ready_ns" in stats
    assert "Number of run with values: 7" in stats.replace("Total number", "")
    assert "day" not in stats, "bytes were added up as seconds"
    assert "#" in _pyperf("hist", str(sides[0]))
    table = _pyperf("compare_to", "--table", *map(str, sides))
    assert "Benchmark hidden because not significant" in table
    assert "ERROR" not in table


def test_pyperf_would_be_fooled_by_unequal_counts(tmp_path: Path) -> None:
    # Why --boots is there: should this ever fail, pyperf has learnt to compare them.
    sides = []
    for seed, blocks in ((1, 12), (2, 7)):
        source = campaign(tmp_path / f"c{seed}", seed=seed, blocks=blocks)
        sides.append(deliver(source, "pyperf", tmp_path / str(seed)) / f"pyperf-{HOST}.json")
    assert "not significant" not in _pyperf("compare_to", "--table", *map(str, sides))


def _pyperf(*words: str) -> str:
    return proc.run([sys.executable, "-m", "pyperf", *words], timeout_s=60).text


def test_google_benchmarks_compare_py_compares(tmp_path: Path) -> None:
    need(None if COMPARE.exists() else f"{COMPARE} is not installed (package libbenchmark-tools)")
    files = [
        deliver(campaign(tmp_path / f"c{seed}", seed=seed), "google-benchmark", tmp_path / str(seed))
        / "google-benchmark.json"
        for seed in (1, 2)
    ]
    argv = [sys.executable, str(COMPARE), "--no-color", "benchmarks", *map(str, files)]
    shown = proc.run(argv, timeout_s=120).text
    assert "hello/docker:endpoint.ready_ns_median" in shown
    assert "U Test, Repetitions: 12 vs 12" in shown


def history(path: Path, repository: Path, *, step_at: int = 15, commits: int = 30) -> list[str]:
    """The first half at about 200 ms, the second 8 % above; fixed noise of 1 %."""
    from bench.history.git import find_commit

    hashes = make_repository(repository, commits)
    for number, commit in enumerate(hashes):
        noise = 1 + 0.01 * ((number * 7) % 11 - 5) / 5
        median = 200e6 * noise * (1.08 if number >= step_at else 1)
        add_line(DirectoryStore(path), make_line(find_commit(repository, commit), {"hello/docker": median}))
    return hashes


def test_asv_publishes_a_site_with_the_regression(tmp_path: Path) -> None:
    need(
        None if shutil.which("asv", path=str(Path(sys.executable).parent)) else "asv is not installed (group consumers)"
    )
    hashes = history(tmp_path / "h", tmp_path / "repository")
    out = deliver(tmp_path / "h", "asv", tmp_path / "asv", repository=tmp_path / "repository")
    argv = [str(Path(sys.executable).parent / "asv"), "publish", "--no-pull"]
    proc.run(argv, timeout_s=120, cwd=out, env={"PYTHONWARNINGS": "ignore"})
    index = json.loads((out / "html" / "index.json").read_text(encoding="utf-8"))
    assert list(index["machines"]) == [HOST]
    assert list(index["benchmarks"]) == ["hello_docker.track_endpoint_ready_ns"]
    assert set(index["revision_to_hash"].values()) == set(hashes)
    regressions = json.loads((out / "html" / "regressions.json").read_text(encoding="utf-8"))["regressions"]
    assert [entry[0] for entry in regressions] == ["hello_docker.track_endpoint_ready_ns"]


def _need_otava() -> str:
    try:
        return find_otava()
    except HostUnfitError as error:
        need(error.advice)
        raise


def test_otava_finds_the_step_in_its_csv(tmp_path: Path) -> None:
    otava = _need_otava()
    hashes = history(tmp_path / "h", tmp_path / "repository")
    out = deliver(tmp_path / "h", "otava", tmp_path / "otava")
    test = f"{HOST}-hello-docker"
    rows = list(csv.DictReader((out / f"{test}.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["commit"] for row in rows] == hashes
    words = ("--config-file", "otava.yaml", "--output", "json", "--since", "2000-01-01", "--until", "2035-01-01")
    text = proc.run([otava, "analyze", test, *words], timeout_s=120, cwd=out).text
    changes = json.loads(text)[test]
    assert [change["attributes"]["commit"] for change in changes] == [hashes[15]]


def test_otava_as_a_detector_agrees_with_ours(tmp_path: Path) -> None:
    _need_otava()
    from bench.history.detect import own_detector
    from bench.history.otava import otava_detector
    from bench.history.series import series_of
    from bench.history.store import read_history

    history(tmp_path / "h", tmp_path / "repository")
    series = series_of(read_history(DirectoryStore(tmp_path / "h")))
    own, other = own_detector(series, 0.001), otava_detector(series, 0.001)
    assert [step.index for step in own[0]] == [step.index for step in other[0]] == [15]


def test_benchstat_when_there_is_one(tmp_path: Path) -> None:
    benchstat = os.environ.get("BOXBENCH_BENCHSTAT") or shutil.which("benchstat")
    if benchstat is None:
        host_cannot("install benchstat from a package; test_formats.py checks the grammar")
        return
    file = deliver(campaign(tmp_path / "c", seed=1), "go", tmp_path / "go") / "go-benchmark.txt"
    shown = proc.run([benchstat, "-col", "/box", file], timeout_s=60).text
    assert "Hello" in shown
    assert "docker" in shown
