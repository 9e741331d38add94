"""The rules of slides and decks."""

from __future__ import annotations

import pytest

from bench.deck.slides import Deck, Slide, Source


def _deck(*slides: Slide) -> Deck:
    return Deck(title="t", subtitle="", slides=slides, date="", source="")


@pytest.mark.parametrize("key", ["", "a b", "../a", "A", "-a", "a/b"])
def test_a_key_is_safe_in_file_names(key: str) -> None:
    with pytest.raises(ValueError, match="not safe in file names"):
        Slide(key=key, sentence="One.")


@pytest.mark.parametrize("sentence", ["", "  ", "one\ntwo"])
def test_a_sentence_is_one_line(sentence: str) -> None:
    with pytest.raises(ValueError, match="one line of text"):
        Slide(key="a", sentence=sentence)


def test_a_slide_has_three_lines_at_most() -> None:
    assert Slide(key="a", sentence="One.", lines=("1", "2", "3")).lines == ("1", "2", "3")
    with pytest.raises(ValueError, match="4 lines, of at most 3"):
        Slide(key="a", sentence="One.", lines=("1", "2", "3", "4"))


def test_keys_are_unique_in_a_deck() -> None:
    with pytest.raises(ValueError, match="several slides have the key a"):
        _deck(Slide(key="a", sentence="One."), Slide(key="b", sentence="Two."), Slide(key="a", sentence="Three."))


def test_a_source_names_only_what_there_is() -> None:
    assert Source().lines == ()
    assert Source(command="boxbench run x", seed="7").lines == ("again: boxbench run x", "seed: 7")
