"""A campaign as a frame: columns, types, censored boots, empty and damaged campaigns, and a cheap import."""

from __future__ import annotations

import math
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench.analysis.frame import FRAME_DTYPES
from bench.analysis.results import NotComparableError
from bench.opened.campaign import COMPARISON_DTYPES, PREPARATION_DTYPES, RESULT_DTYPES, OpenedCampaign
from bench.records.manifest import PreparationEntry, PreparationPart, SittingEntry
from bench.util import proc
from bench.util.errors import BoxbenchWarning, CampaignError, RecordError, UsageError
from tests.factories import DOCKER, LIBVIRT, make_manifest, make_records, write_campaign
from tests.residents import make_residents

READY = "endpoint.ready_ns"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def campaign(tmp_path: Path) -> OpenedCampaign:
    manifest = make_manifest(("hello",))
    return bench.open_campaign(write_campaign(tmp_path / "c", manifest, make_records(manifest)))


def test_an_opened_campaign_has_its_manifest_and_records(campaign: OpenedCampaign) -> None:
    assert campaign.manifest.id == "c0ffee42"
    assert len(campaign.records) == len(campaign.manifest.plan)
    assert bench.open_campaign(str(campaign.path)) == campaign


def test_a_frame_has_one_row_per_boot_and_metric(campaign: OpenedCampaign) -> None:
    frame = campaign.frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(FRAME_DTYPES)
    assert len(frame) == len(campaign.analysis.samples)
    assert not frame.duplicated(["trial", "metric"]).any()
    assert set(frame["campaign"]) == {"c0ffee42"}
    assert set(frame["unit"]) == {"ns", "bytes", ""}
    assert set(frame["accel"]) == {"native", "tcg"}
    assert list(frame[frame["metric"] == READY]["block"].unique()) == list(range(8))
    assert not frame.isna().any().any()


def test_a_censored_boot_counts_as_slower_than_all_others(campaign: OpenedCampaign) -> None:
    frame = campaign.frame()
    rows = frame[(frame["cell"] == "hello/libvirt/tcg") & (frame["metric"] == READY) & ~frame["warmup"]]
    lost = rows[rows["censored"]]
    assert list(zip(lost["block"], lost["outcome"], lost["value"], strict=True)) == [(3, "timeout", math.inf)]
    assert set(rows[~rows["censored"]]["outcome"]) == {"ok"}
    summary = campaign.analysis.summary(campaign.manifest.plan[0].cell, READY)
    assert summary is not None
    mine = frame[(frame["cell"] == summary.cell.key) & (frame["metric"] == READY) & ~frame["warmup"]]
    assert mine["value"].median() == summary.median.value


def test_the_medians_of_a_frame_are_those_of_the_report(campaign: OpenedCampaign) -> None:
    frame = campaign.frame()
    medians = frame[~frame["warmup"]].groupby(["cell", "metric"])["value"].median()
    for summary in campaign.analysis.summaries:
        assert np.isclose(medians[summary.cell.key, summary.metric], summary.median.value), summary.metric


def test_factors_are_a_column(tmp_path: Path) -> None:
    manifest, records = make_residents([(DOCKER, 2.0, 7.0), (LIBVIRT, 0.0, 20.0)], levels=(1, 8))
    frame = bench.open_campaign(write_campaign(tmp_path / "c", manifest, records)).frame()
    assert set(frame["factors"]) == {"residents=1", "residents=8"}
    assert set(frame["target"]) == {"docker", "libvirt"}
    assert set(frame["box"]) == {"docker", "libvirt/tcg"}


def test_without_records_a_frame_has_its_columns(tmp_path: Path) -> None:
    frame = bench.open_campaign(write_campaign(tmp_path / "c", make_manifest(), ())).frame()
    assert len(frame) == 0
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(FRAME_DTYPES)


def test_what_is_no_campaign_is_an_error(tmp_path: Path, campaign: OpenedCampaign) -> None:
    with pytest.raises(CampaignError, match="not a campaign directory"):
        bench.open_campaign(tmp_path / "nothing")
    records = campaign.path / "records.jsonl"
    whole = records.read_text(encoding="utf-8")
    records.write_text(whole + whole, encoding="utf-8")
    with pytest.raises(RecordError, match="has more than one record"):
        bench.open_campaign(campaign.path)
    records.write_text(whole.replace("c0ffee42", "other000", 1), encoding="utf-8")
    with pytest.raises(NotComparableError):
        bench.open_campaign(campaign.path).frame()


def test_a_damaged_line_is_a_warning_and_a_note(campaign: OpenedCampaign) -> None:
    records = campaign.path / "records.jsonl"
    records.write_text("{}\n" + records.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.warns(BoxbenchWarning, match=r"records\.jsonl:1"):
        opened = bench.open_campaign(campaign.path)
    assert opened.records == campaign.records
    assert opened.manifest.notes[-1].startswith("records.jsonl:1: not a record")


def test_a_line_that_a_crash_cut_off_is_left_out(campaign: OpenedCampaign) -> None:
    with (campaign.path / "records.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"campaign": "c0ff')
    assert bench.open_campaign(campaign.path).records == campaign.records


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'open_campaing'"):
        _ = bench.open_campaing


@pytest.mark.host
def test_the_package_alone_imports_nothing_heavy() -> None:
    code = "import bench, sys; print(*sys.modules)"
    loaded = set(proc.run([sys.executable, "-c", code], timeout_s=60).text.split())
    assert "bench" in loaded
    assert not [name for name in loaded if name.startswith("bench.") or name in {"numpy", "pandas", "pydantic"}]


def test_results_are_the_summaries_of_the_report(campaign: OpenedCampaign) -> None:
    results = campaign.results()
    assert {name: str(dtype) for name, dtype in results.dtypes.items()} == dict(RESULT_DTYPES)
    assert len(results) == len(campaign.analysis.summaries)
    rows: list[dict[str, Any]] = results.to_dict("records")  # type: ignore[assignment]
    for summary, row in zip(campaign.analysis.summaries, rows, strict=True):
        assert (row["cell"], row["metric"]) == (summary.cell.key, summary.metric)
        assert row["median"] == summary.median.value
        assert (row["n"], row["failures"], row["censored"]) == (summary.n, summary.failures, summary.median.censored)
        shown = summary.median.shown
        assert math.isnan(row["low"]) if shown is None else (row["low"], row["high"]) == (shown.low, shown.high)
        assert (row["bracket"] == "") == (shown is None)
    assert set(results["bracket"]) <= {"", "interval", "range"}


def test_comparisons_are_those_of_the_report(campaign: OpenedCampaign) -> None:
    found = campaign.comparisons()
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == dict(COMPARISON_DTYPES)
    assert len(found) == len(campaign.analysis.comparisons)
    ready = found[(found["metric"] == READY) & (found["box"] == "libvirt/tcg")]
    row: dict[str, Any] = ready.to_dict("records")[0]  # type: ignore[assignment]
    assert len(ready) == 1
    assert row["baseline"] == "hello/docker"
    assert row["low"] <= row["ratio"] <= row["high"]
    assert row["verdict"] == "slower"


def test_a_comparison_without_a_ratio_says_why(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",))
    few = [record for record in make_records(manifest) if record.trial.block < 2]
    found = bench.open_campaign(write_campaign(tmp_path / "few", manifest, few)).comparisons()
    without = found[found["ratio"].isna()]
    assert len(without)
    assert all(without["notes"] != "")
    assert set(without["n"]) == {0}


def test_figures_are_those_of_the_report(campaign: OpenedCampaign) -> None:
    figure = campaign.figure("hello-ecdf", "talk")
    assert figure.name == "hello-ecdf"
    assert figure.light_svg.startswith(("<svg", "<?xml"))
    assert figure._repr_svg_() == figure.light_svg, "what a notebook shows"
    assert "<svg" not in repr(figure)
    with pytest.raises(UsageError, match="no figure 'hello-edcf'") as error:
        campaign.figure("hello-edcf")
    assert "hello-ecdf" in (error.value.hint or "")
    with pytest.raises(UsageError, match="no style 'stage'") as error:
        campaign.figures("stage")
    assert "talk" in (error.value.hint or "")
    assert error.value.__notes__ == [f"→ {error.value.hint}"], "a notebook shows it below the error"


def test_figures_are_chosen_by_name_and_by_target(campaign: OpenedCampaign) -> None:
    names = ("hello-blocks", "hello-ecdf")
    assert {figure.name for figure in campaign.figures(only=names)} == set(names)
    (figure,) = campaign.figures(only="hello-ecdf", targets="docker")
    assert {row[0] for row in figure.data.rows} == {"docker"}
    (figure,) = campaign.figures(only="hello-ecdf")
    assert {row[0] for row in figure.data.rows} > {"docker"}
    with pytest.raises(UsageError, match="no figure 'hello-edcf'") as error:
        campaign.figures(only=["hello-blocks", "hello-edcf"])
    assert error.value.hint.startswith("did you mean 'hello-ecdf'? it has hello-")
    with pytest.raises(UsageError, match="figure 'hello-ratios', but not with these targets") as error:
        campaign.figures(only="hello-ratios", targets="docker")
    assert "did you mean" not in error.value.hint
    with pytest.raises(UsageError, match="no such target") as error:
        campaign.figures(targets=["dokcer"])
    assert error.value.hint.startswith("did you mean 'docker'?")


def test_a_notebook_shows_a_campaign_in_a_line(campaign: OpenedCampaign) -> None:
    shown = repr(campaign)
    assert str(campaign.path) in shown
    assert f"{len(campaign.records)} of {len(campaign.manifest.plan)} trials of hello" in shown
    assert len(shown) < len(str(campaign.path)) + 80


def test_the_preparation_is_one_row_per_target_and_step(tmp_path: Path) -> None:
    parts = (
        PreparationPart(scenario="hello", target="", name="build", took_ns=5),
        PreparationPart(scenario="hello", target="libvirt", name="disk", cached=1, bytes=7),
    )
    sitting = SittingEntry(started_at="2031-02-03T04:05:00Z", preparation=PreparationEntry(took_ns=9, parts=parts))
    manifest = make_manifest(("hello",)).model_copy(update={"sittings": (sitting,)})
    found = bench.open_campaign(write_campaign(tmp_path / "c", manifest, make_records(manifest))).preparation()
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == dict(PREPARATION_DTYPES)
    libvirt = found[found["target"] == "libvirt"].set_index("step")
    assert libvirt["shared"].to_dict() == {"build": True, "disk": False}
    assert math.isnan(libvirt["took_ns"]["disk"])
    assert libvirt["bytes"]["disk"] == 7


def test_without_records_results_have_their_columns(tmp_path: Path) -> None:
    opened = bench.open_campaign(write_campaign(tmp_path / "c", make_manifest(), ()))
    for found, dtypes in (
        (opened.results(), RESULT_DTYPES),
        (opened.comparisons(), COMPARISON_DTYPES),
        (opened.preparation(), PREPARATION_DTYPES),
    ):
        assert len(found) == 0
        assert list(found.columns) == list(dtypes)


def test_the_notebook_of_the_docs_runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["campaign.py"])
    runpy.run_path(str(ROOT / "docs/examples/campaign.py"))
    told = capsys.readouterr().out
    assert "libvirt/tcg" in told
    assert "hello-ecdf" in told


def test_the_docs_have_every_column() -> None:
    page = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    for name in (*FRAME_DTYPES, *RESULT_DTYPES, *COMPARISON_DTYPES, *PREPARATION_DTYPES):
        assert f"`{name}`" in page, name


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "bench/py.typed").is_file()
