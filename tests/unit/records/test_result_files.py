"""Files of results that are links to other files of the host are refused, whichever command reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from bench.anatomy.model import read_anatomy
from bench.explain.stored import FILE, read_explanations
from bench.floor.model import read_floors
from bench.gate.request import read_request
from bench.gate.result import read_result
from bench.instructions.model import read_instructions
from bench.records import results
from bench.records.manifest import read_manifest
from bench.util.errors import BoxbenchError

READERS: Final[dict[str, Callable[[Path], object]]] = {
    results.CAMPAIGN: read_manifest,
    results.GATE: read_result,
    results.GATE_REQUEST: read_request,
    results.FLOOR: read_floors,
    results.ANATOMY: read_anatomy,
    results.INSTRUCTIONS: read_instructions,
}


def test_every_file_of_results_has_a_reader_here() -> None:
    assert set(READERS) == set(results.FILES)


@pytest.mark.parametrize("name", results.FILES)
def test_a_link_in_place_of_results_is_not_followed(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"secret": 1}')
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "secret")
    with pytest.raises(BoxbenchError, match="it is a link") as caught:
        READERS[name](tmp_path / "out")
    assert "secret" not in caught.value.message.replace(str(tmp_path), "")


def test_a_link_in_place_of_an_explanation_is_not_followed(tmp_path: Path) -> None:
    """Its file has no number of a format, so no directory is known by it."""
    (tmp_path / "secret").write_text("[]")
    (tmp_path / FILE).symlink_to(tmp_path / "secret")
    with pytest.raises(BoxbenchError, match="it is a link"):
        read_explanations(tmp_path)
