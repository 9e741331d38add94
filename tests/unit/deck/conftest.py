"""A deck of an invented campaign, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.deck.reading import deck_of
from bench.deck.slides import Deck
from tests.factories import make_manifest, make_records, write_campaign


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a campaign, with failures, doubts and hostile text."""
    manifest = make_manifest(("hello",))
    return write_campaign(tmp_path_factory.mktemp("deck") / "campaign", manifest, make_records(manifest))


@pytest.fixture(scope="session")
def deck(campaign: Path) -> Deck:
    """Its deck, with PNGs."""
    return deck_of([campaign])
