"""The registry of first starts: images are compressed in it as registries have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.engines.link import Link
from bench.engines.registry import Registry
from bench.util import proc

_MANIFEST = json.dumps({"layers": [{"digest": "sha256:1", "size": 5}], "config": {"digest": "sha256:2", "size": 2}})


@pytest.mark.parametrize(("layers", "level"), [("gzip", ("--dest-compress-level", "9")), ("zstd", ())])
def test_layers_are_compressed_as_docker_push_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, layers: str, level: tuple[str, ...]
) -> None:
    ran: list[list[str]] = []

    def run(argv: Sequence[str | Path], **_: Any) -> SimpleNamespace:
        ran.append([str(word) for word in argv])
        return SimpleNamespace(stdout=_MANIFEST.encode())

    monkeypatch.setattr(proc, "run", run)
    monkeypatch.setattr(proc, "require_tool", lambda name, **_: name)
    monkeypatch.setattr(Link, "on_fetcher", lambda _, *words: list(words))
    pushed = Registry(Link(10**8, 1, 2), tmp_path, tmp_path).push_image(tmp_path / "image.tar", layers=layers)
    assert pushed.size_bytes == 5 + 2 + len(_MANIFEST)
    assert (pushed.config.digest, pushed.small_bytes) == ("sha256:2", 2 + len(_MANIFEST))
    (copy,) = [words for words in ran if words[0] == "skopeo"]
    assert copy[copy.index("--dest-compress-format") + 1] == layers
    assert [word in copy for word in ("--dest-compress-level", "9")] == [bool(level)] * 2
