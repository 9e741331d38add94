"""Files with variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compose.dotenv import Format, layered, read_variables
from bench.util.errors import ScenarioError

OUTSIDE = {"HOST": "db", "SHARED": "outside"}


def read(tmp_path: Path, text: str, form: Format = "compose") -> dict[str, str | None]:
    path = tmp_path / "web.env"
    path.write_bytes(text.encode())
    return read_variables(path, OUTSIDE.get, form=form)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# only\n\n  # comments\n", {}),
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("A=", {"A": ""}),
        ("A = 1 ", {"A": "1"}),
        ("A: 1", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("HOST", {"HOST": "db"}),
        ("NOWHERE\nB=1", {"NOWHERE": None, "B": "1"}),
        ("A=VAL # comment", {"A": "VAL"}),
        ("A=VAL# no comment", {"A": "VAL# no comment"}),
        ("A=#5", {"A": ""}),
        ('A="VAL # no comment" # comment', {"A": "VAL # no comment"}),
        ("A='$HOST ${HOST}'", {"A": "$HOST ${HOST}"}),
        ("A='Let\\'s go'", {"A": "Let's go"}),
        ("A='some\\tvalue'", {"A": "some\\tvalue"}),
        ("A=some\\tvalue", {"A": "some\\tvalue"}),
        ('A="some\\tvalue\\n"', {"A": "some\tvalue\n"}),
        ('A="{\\"hello\\": \\"json\\"}"', {"A": '{"hello": "json"}'}),
        ('A="two\nlines"\nB=1', {"A": "two\nlines", "B": "1"}),
        ("A='two\nlines'", {"A": "two\nlines"}),
        ("A=$HOST:5432", {"A": "db:5432"}),
        ('A="${HOST}"', {"A": "db"}),
        ('A="\\$HOST"', {"A": "$HOST"}),
        ("A=${NONE:-x}", {"A": "x"}),
        ("A=1\nB=${A}2", {"A": "1", "B": "12"}),
        ("SHARED=own\nB=$SHARED", {"SHARED": "own", "B": "own"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A='" + "'", {"A": ""}),
    ],
)
def test_composes_format(tmp_path: Path, text: str, expected: dict[str, str | None]) -> None:
    assert read(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\n=2", "web.env:2: '=2' is no variable"),
        ("A=1\n\n# c\nB=$NONE", "web.env:4: B: the variable NONE is not set"),
        ("A='open\nB=1", "web.env:1: the value of A has no closing '"),
        ('A=1\nB="x" y', "web.env:2: text follows the closing quote of B"),
        ("two words", "web.env:1: 'words' follows the name two"),
        ("A=$5", "web.env:1: A: '$5' is no variable"),
    ],
)
def test_an_error_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, text)
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("A=xxxxxxxxxx\n" + 'A="${A}${A}"\n' * 60, 15, "131072 characters"),
        (f"A={'x' * 100_000}\n" + "".join(f"B{number}=${{A}}\n" for number in range(99)), 42, "4194304 characters"),
    ],
    ids=["doubled", "repeated"],
)
def test_variables_that_repeat_each_other_do_not_fill_the_memory(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    with pytest.raises(ScenarioError, match=f"web.env:{line}: .*{what}"):
        read(tmp_path, text)


def test_the_raw_format_keeps_quotes_and_dollar_signs(tmp_path: Path) -> None:
    text = '# c\nA="x" # y\nB=$HOST\nHOST\n\nC='
    assert read(tmp_path, text, "raw") == {"A": '"x" # y', "B": "$HOST", "HOST": "db", "C": ""}
    with pytest.raises(ScenarioError, match=r"web\.env:1: 'no name' is no variable"):
        read(tmp_path, "no name", "raw")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file") as caught:
        read_variables(tmp_path / "none.env", OUTSIDE.get, hint="correct the path")
    assert caught.value.hint == "correct the path"


def test_a_name_with_a_null_byte_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="is not the name of a file"):
        read_variables(tmp_path / "a\0b", lambda _name: None)


def test_the_first_lookup_with_a_value_counts() -> None:
    lookup = layered({"A": "1"}.get, {"A": "2", "B": "3"}.get)
    assert [lookup(name) for name in "ABC"] == ["1", "3", None]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="'\\\r\0")))
def test_single_quotes_keep_everything(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    assert read(tmp_path_factory.getbasetemp(), f"A='{value}'") == {"A": value}
