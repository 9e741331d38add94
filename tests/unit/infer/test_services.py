"""Secret values of a compose service are found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.infer.generate import Wanted, generated, make_draft, source_of
from bench.infer.given import Given
from bench.infer.services import service_workloads
from bench.infer.subject import Subject
from bench.scenario.secrets import with_secrets, without_secrets
from bench.scenario.targets import TargetSpec

COMPOSE = """\
services:
  web:
    build: .
    environment: {DB_PASSWORD: "${PASSWORD}"}
    volumes: ["./app.conf:/etc/app.conf"]
  odd: {image: a, privileged: true}
"""


def test_a_stored_service_gets_its_values_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    (tmp_path / "other.yaml").write_text("services: [", encoding="utf-8")
    for name in ("Dockerfile", "app.conf"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PASSWORD", "hush")
    source = source_of(
        Subject("compose", "compose.yaml:web", tmp_path / "compose.yaml", "web"), Given(), {"PASSWORD": "hush"}
    )
    draft = make_draft(source, Given(), None, Wanted(targets=(TargetSpec(target="runc"),)))
    loaded = generated(draft, source.directory)
    stored = without_secrets(loaded)
    assert "hush" not in stored.model_dump_json()
    assert with_secrets(stored, service_workloads).scenario == loaded.scenario
    assert list(service_workloads(tmp_path)) == [f"{tmp_path / 'compose.yaml'}:web"]
