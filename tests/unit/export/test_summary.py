from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.export.summary import campaign_summary
from bench.util.errors import CampaignError
from tests.factories import make_manifest, make_records, write_campaign


def test_a_summary_is_json_without_nan(tmp_path: Path) -> None:
    manifest = make_manifest()
    write_campaign(tmp_path / "c", manifest, make_records(manifest))
    summary = campaign_summary(tmp_path / "c")
    again = json.loads(json.dumps(summary, allow_nan=False))
    assert (again["campaign"], again["seed"]) == (manifest.id, manifest.seed)
    cells = {entry["cell"] for entry in again["summaries"]}
    assert cells == {trial.cell.key for trial in manifest.plan}
    ready = next(e for e in again["summaries"] if "docker" in e["cell"] and e["metric"] == "endpoint.ready_ns")
    assert ready["n"] > 0
    assert ready["interval"]["low"] <= ready["median"] <= ready["interval"]["high"]
    assert all({"baseline", "other", "ratio", "verdict"} <= set(entry) for entry in again["comparisons"])


def test_no_records_give_no_numbers(tmp_path: Path) -> None:
    write_campaign(tmp_path / "c", make_manifest(), [])
    summary = campaign_summary(tmp_path / "c")
    assert [entry for entry in summary["summaries"] if entry["median"] is not None] == []


def test_no_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="not a campaign"):
        campaign_summary(tmp_path)
