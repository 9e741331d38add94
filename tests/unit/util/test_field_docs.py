"""Texts below the fields of a class are found in its source."""

from __future__ import annotations

from dataclasses import dataclass

from bench.util.field_docs import field_docs


@dataclass
class _Above:
    inherited: int = 0
    """From
    above."""
    replaced: int = 0
    """Old."""


@dataclass
class _Below(_Above):
    """The class's own text."""

    replaced: int = 0
    """New."""
    silent: int = 0
    last: int = 0
    """Last."""


def test_texts_of_fields() -> None:
    assert field_docs(_Below) == {"inherited": "From above.", "replaced": "New.", "last": "Last."}


def test_classes_of_others_are_not_read() -> None:
    class Text(str):
        __slots__ = ()

    assert field_docs(Text) == {}


def test_the_part_attributes_of_a_text() -> None:
    @dataclass
    class Listed:
        """A class.

        Attributes:
            one, two: both
                of them.
            three: the third: with a colon.
        """

        one: int = 0
        two: int = 0
        three: int = 0
        four: int = 0
        """Below."""

    both = "both of them."
    assert field_docs(Listed) == {"one": both, "two": both, "three": "the third: with a colon.", "four": "Below."}
