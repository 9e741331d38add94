"""The numbers of a figure as CSV: a spreadsheet runs none of its texts."""

from __future__ import annotations

import pytest

from bench.render.figures.data import as_data


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_like_a_formula_gets_an_apostrophe(begin: str) -> None:
    text = as_data((("box",), (f"{begin}cmd()",), ("plain",))).to_csv()
    assert f"'{begin}cmd()" in text
    assert text.endswith("plain\n")
    assert "'plain" not in text
