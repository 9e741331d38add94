"""The table of published measurements: whole, consistent, and chosen by target and metric."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bench.published import table
from bench.published.table import FILE, METRICS, published, select
from bench.scenario.target_table import TARGETS, target_name
from bench.scenario.targets import parse_target
from bench.util.errors import HostUnfitError, UsageError


def test_every_figure_says_what_was_timed_where_and_where_it_is_written() -> None:
    for row in published():
        told = (row.subject, row.begins, row.ends, row.place, row.source.cite, row.source.host, row.source.read)
        assert all(told), row
        assert row.unit == ("bytes" if row.metric == "memory" else "ns")
        assert row.value > 0
        assert (row.low or 0) <= row.value <= (row.high or row.value)
        assert row.statistic not in ("median", "mean") or row.n, f"{row.subject}: an average of how many?"


def test_no_source_is_without_a_figure_and_none_has_an_address() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)["sources"]) == {row["source"] for row in yaml.safe_load(text)["measurements"]}
    assert not re.search(r"https?:|www\.", text)


def test_what_a_figure_is_like_is_a_target_of_boxbench() -> None:
    likes = {like for row in published() for like in row.like}
    assert likes >= {"docker", "runc", "libvirt", "microvm"}
    for like in likes:
        assert target_name(parse_target(like).label) in TARGETS


def test_the_bundled_table_of_starts_has_the_same_figures() -> None:
    starts = (Path(__file__).parents[3] / "reports/tables/rund-2022.csv").read_text(encoding="utf-8")
    for runtime, subject in (("kata-qemu", "QEMU"), ("kata-fc-dm", "Firecracker")):
        (line,) = re.findall(rf"^{runtime},1,(\d+),", starts, re.MULTILINE)
        (row,) = (one for one in published() if one.source.year == 2022 and subject in one.subject)
        assert row.value == int(line) * 1e6


def test_another_runtime_is_another_box() -> None:
    assert {row.subject for row in select("docker[runtime=runsc]")} == {"Docker, gVisor", "Docker, gVisor, busybox"}
    assert "Docker, gVisor" not in {row.subject for row in select("docker")}
    assert select("docker[network=host]") == select("docker")
    assert select("docker[runtime=runsc,network=host]") == select("docker[network=host,runtime=runsc]")
    assert select("docker[network=host,runtime=runsc]") == select("docker[runtime=runsc]")


def test_a_start_does_not_last_until_the_box_has_ended() -> None:
    assert {row.metric for row in published() if "is gone" in row.ends or "deleted" in row.ends} == {"run"}


def test_data_of_a_repository_have_their_commit_and_path() -> None:
    for row in published():
        if "repository" in row.source.read:
            assert re.search(r"at commit [0-9a-f]{7}", row.source.read), row.subject
            assert row.place.startswith("data/"), row.subject


def test_a_target_and_a_metric_choose() -> None:
    assert select() == published()
    assert {row.metric for row in published()} == set(METRICS)
    assert {row.metric for row in select("microvm", "memory")} == {"memory"}
    assert select("docker", "memory") == ()


def test_what_nobody_has_published_is_an_error_with_the_choices() -> None:
    with pytest.raises(UsageError, match="'uml'") as error:
        select("uml")
    assert "docker" in (error.value.hint or "")
    with pytest.raises(UsageError, match="'speed'") as error:
        select(metric="speed")
    assert "start, run, memory" in (error.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "sources: {}",
        "sources: {}\nmeasurements: [{source: a}]",
        "sources: {}\nmeasurements: [{source: a, subject: a, metric: start, begins: a, ends: b, value: 3x, "
        "statistic: mean, place: p}]",
        "sources: {}\nmeasurements: [{source: a, subject: a, metric: start, begins: a, ends: b, value: 3ms, "
        "statistic: mean, place: p}]",
    ],
)
def test_a_damaged_table_is_an_error_that_names_it(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FILE", tmp_path / "measurements.yaml")
    table.FILE.write_text(text, encoding="utf-8")
    published.cache_clear()
    try:
        with pytest.raises(HostUnfitError, match=r"measurements\.yaml"):
            published()
    finally:
        published.cache_clear()
