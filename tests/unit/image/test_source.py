"""Images that a Dockerfile makes: what is told of a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.image.platforms import host_architecture
from bench.image.source import plain_image
from bench.image.stores.base import BuildOrder, Built, Log, StoredImage, StoreError
from bench.scenario.model import load_scenario
from tests.lab import write_scenario

LEFT_OUT = "The build leaves out reports: results of Boxbench"


@dataclass
class FakeStore:
    """An engine whose builds say a line, and fail if they are told to."""

    error: str = ""

    def build(self, _order: BuildOrder, log: Log) -> Built:
        log("Step 1")
        if self.error:
            raise StoreError(self.error, hint="by hand")
        return Built("sha256:1", "BuildKit", "1")

    def inspect(self, reference: str) -> StoredImage:
        return StoredImage(reference, {}, host_architecture(), "linux", 1, ())


def test_directories_of_results_are_told_once_with_the_image(tmp_path: Path) -> None:
    loaded = load_scenario(write_scenario(tmp_path / "s", "FROM scratch\n", name="made"))
    workload = loaded.scenario.workload.model_copy(update={"base": None})
    loaded = loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"workload": workload})})
    (tmp_path / "s/reports").mkdir()
    (tmp_path / "s/reports/manifest.json").write_text('{"schema_number": 2}')
    lines: list[str] = []
    found = plain_image(FakeStore(), loaded, lines.append)  # type: ignore[arg-type]
    assert lines == ["Step 1"]
    assert [note[: len(LEFT_OUT)] for note in found.notes] == [LEFT_OUT]
    # A build that failed may have failed for that.
    with pytest.raises(StoreError, match=rf"exit code: 7\. {LEFT_OUT}"):
        plain_image(FakeStore("exit code: 7"), loaded, lines.append)  # type: ignore[arg-type]
