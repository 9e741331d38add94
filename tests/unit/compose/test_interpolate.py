"""Variables in the values of compose files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compose.interpolate import VariableError, substitute

VARIABLES = {"NAME": "web", "EMPTY": "", "_x1": "under", "lower": "small"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$NAME", "web"),
        ("$NAME-1", "web-1"),
        ("${NAME}", "web"),
        ("a${NAME}b$_x1.c", "awebbunder.c"),
        ("${lower}", "small"),
        ("$EMPTY|${EMPTY}", "|"),
        ("$$NAME", "$NAME"),
        ("$$$NAME", "$web"),
        ("$${NAME}", "${NAME}"),
        ("${NAME:-other}", "web"),
        ("${NAME-other}", "web"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${NONE:-other}", "other"),
        ("${NONE-other}", "other"),
        ("${NONE:-}", ""),
        ("${NONE-}", ""),
        ("${NAME:+there}", "there"),
        ("${EMPTY:+there}", ""),
        ("${EMPTY+there}", "there"),
        ("${NONE+there}", ""),
        ("${NAME:?needed}", "web"),
        ("${EMPTY?needed}", ""),
        ("${NONE:-${NAME}}", "web"),
        ("${NONE:-${OTHER:-deep}}!", "deep!"),
        ("${NONE:-a$$b}", "a$b"),
        ("${NONE:-http://h:80/?a=b}", "http://h:80/?a=b"),
        # What is not used need not be set.
        ("${NAME:-${NONE}}", "web"),
        ("${NAME:-$NONE}", "web"),
        ("${NONE:+$OTHER}", ""),
        ("}", "}"),
        ("{NAME}", "{NAME}"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    assert substitute(text, VARIABLES.get) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$NONE", "the variable NONE is not set"),
        ("${NONE}", "the variable NONE is not set"),
        ("${NONE:-$OTHER}", "the variable OTHER is not set"),
        ("${NONE:?set me}", "the variable NONE is required: set me"),
        ("${EMPTY:?not empty}", "the variable EMPTY is required: not empty"),
        ("${NONE?}", "the variable NONE is required: it is not set"),
    ],
)
def test_a_variable_that_is_not_set_is_an_error(text: str, message: str) -> None:
    with pytest.raises(VariableError) as caught:
        substitute(text, VARIABLES.get)
    assert str(caught.value) == message
    assert ".env" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["$", "$ 5", "$1", "${}", "${NAME", "${NAME:-a", "${NAME/a/b}", "${ NAME}", "${NAME:}"]
)
def test_a_dollar_sign_that_begins_no_variable_is_an_error(text: str) -> None:
    with pytest.raises(VariableError, match="is no variable"):
        substitute(text, VARIABLES.get)


def test_defaults_are_not_nested_without_limit() -> None:
    with pytest.raises(VariableError, match="nested too deep"):
        substitute("${A:-" * 5000 + "}" * 5000, VARIABLES.get)


@given(st.text())
def test_doubled_dollar_signs_stand_for_themselves(text: str) -> None:
    assert substitute(text.replace("$", "$$"), VARIABLES.get) == text
