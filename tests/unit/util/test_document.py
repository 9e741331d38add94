"""YAML and TOML files are read with line numbers, and errors name the line."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.util.document import MAX_FILE_BYTES, Document, FileKind, read_document
from bench.util.errors import ScenarioError


def _read(folder: Path, text: str, name: str = "scenario.yaml") -> Document:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return read_document(file)


def _error(folder: Path, text: str, name: str = "scenario.yaml") -> str:
    with pytest.raises(ScenarioError) as caught:
        _read(folder, text, name)
    assert caught.value.hint
    return caught.value.message.replace(f"{folder}/", "")


def test_keys_know_their_lines(tmp_path: Path) -> None:
    document = _read(tmp_path, "a: 1\nb:\n  c: 2\n  d:\n    - x\n    - y: 3\n")
    assert document.data == {"a": 1, "b": {"c": 2, "d": ["x", {"y": 3}]}}
    places: dict[tuple[str | int, ...], int] = {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "d"): 4,
        ("b", "d", 0): 5,
        ("b", "d", 1, "y"): 6,
    }
    assert {keys: document.line_of(keys) for keys in places} == places


def test_a_missing_key_is_where_it_would_belong(tmp_path: Path) -> None:
    document = _read(tmp_path, "\na: 1\nb:\n  c: 2\n")
    assert document.line_of(("b", "missing", "deeper")) == 3
    assert document.line_of(("missing",)) == 2


def test_values_are_found_by_their_keys(tmp_path: Path) -> None:
    document = _read(tmp_path, "b:\n  c: 2\n")
    assert document.get(("b", "c")) == 2
    assert document.get(("b", "c", "d")) is None
    assert document.get(("x",)) is None


def test_toml_is_read_by_its_suffix(tmp_path: Path) -> None:
    document = _read(tmp_path, "a = 1\n[b]\nc = 2\n", "scenario.toml")
    assert document.data == {"a": 1, "b": {"c": 2}}
    assert document.line_of(("b", "c")) is None


def test_anchors_and_merge_keys_still_have_lines(tmp_path: Path) -> None:
    document = _read(tmp_path, "base: &b {x: 1}\nother:\n  <<: *b\n  y: 2\n")
    assert document.data["other"] == {"x": 1, "y": 2}
    assert document.line_of(("other", "y")) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "scenario.yaml:3: the key 'a' is given twice (first on line 1)"),
        ("b:\n  c: 1\n  c: 2\n", "scenario.yaml:3: the key 'c' is given twice (first on line 2)"),
        ("a: [1, 2\nb: 3\n", "scenario.yaml:2: not well-formed YAML:"),
        ("a: 1\n\tb: 2\n", "scenario.yaml:2: not well-formed YAML:"),
        ("a: !!python/object/apply:os.system ['id']\n", "scenario.yaml:1: not well-formed YAML:"),
        ("a: *nowhere\n", "scenario.yaml:1: not well-formed YAML:"),
        ("a: 1\n---\nb: 2\n", "scenario.yaml:2: not well-formed YAML:"),
        ("- 1\n", "scenario.yaml: the file holds list, not keys and values"),
        ("just text\n", "scenario.yaml: the file holds str, not keys and values"),
        ("", "scenario.yaml: the file is empty"),
        ("# only a comment\n", "scenario.yaml: the file is empty"),
        ("a: \x01\n", "scenario.yaml: not well-formed YAML:"),
        ("? [a, b]\n: 1\n", "scenario.yaml:1: not well-formed YAML:"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert _error(tmp_path, text).startswith(message)


def test_wrong_toml(tmp_path: Path) -> None:
    assert "not well-formed TOML" in _error(tmp_path, "a = \n", "s.toml")
    assert "not well-formed TOML" in _error(tmp_path, "a = 1\na = 2\n", "s.toml")


def test_files_that_are_no_scenario_files(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        read_document(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match="Is a directory"):
        read_document(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: caf\xe9\n")
    with pytest.raises(ScenarioError, match="not UTF-8 text at byte 6"):
        read_document(latin)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ScenarioError, match="larger than"):
        read_document(large)


def test_a_pipe_is_refused_and_nobody_waits_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    with pytest.raises(ScenarioError, match="FIFO"):
        read_document(pipe)


def test_of_a_file_that_hides_its_size_no_more_is_read_than_of_another() -> None:
    # The kernel says that its size is 0.
    with pytest.raises(ScenarioError, match="larger than"):
        read_document(Path("/dev/zero"))


def test_a_bomb_of_aliases_is_refused_not_expanded(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "aliases" in _error(tmp_path, "\n".join(lines))


def test_an_alias_to_itself_is_refused(tmp_path: Path) -> None:
    assert "aliases" in _error(tmp_path, "a: &a [*a]\n")


@given(text=st.text(max_size=300))
def test_any_text_is_a_mapping_or_an_expected_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(ScenarioError):
        assert isinstance(read_document(file).data, dict)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("a:\n  b: 2031-02-03\n", "s.yaml", "s.yaml:2: a.b: 2031-02-03 is read as date"),
        ("a: .nan\n", "s.yaml", "s.yaml:1: a: nan is not a finite number"),
        ('a: "x\\ud800"\n', "s.yaml", "s.yaml:1: a: character 2 is half of a surrogate pair"),
        ("a:\n- !!binary aGk=\n", "s.yaml", "s.yaml:2: a.0: b'hi' is read as bytes"),
        ("a: !!set {x, y}\n", "s.yaml", "s.yaml:1: a: "),
        ("a = 2031-02-03\n", "s.toml", "s.toml: a: 2031-02-03 is read as date"),
        (
            "a:\n  2031-02-03: x\n",
            "s.yaml",
            "s.yaml:2: a.2031-02-03: the key cannot be stored: 2031-02-03 is read as date",
        ),
        ("2031-02-03: x\n", "s.yaml", "s.yaml:1: 2031-02-03: the key cannot be stored: 2031-02-03 is read as date"),
        (".nan: x\n", "s.yaml", "s.yaml:1: nan: the key cannot be stored: nan is not a finite number"),
        ("a: 2031-99-99\n", "s.yaml", "s.yaml:1: not well-formed YAML: this is not a valid timestamp"),
        ("a: 2031-01-01T00:00:00+51:30\n", "s.yaml", "s.yaml:1: not well-formed YAML: this is not a valid timestamp"),
        ("a:\n  b: !!int x\n", "s.yaml", "s.yaml:2: not well-formed YAML: this is not a valid int"),
        ("a: !!int ''\n", "s.yaml", "s.yaml:1: not well-formed YAML: this is not a valid int"),
        ("a: !!float x\n", "s.yaml", "s.yaml:1: not well-formed YAML: this is not a valid float"),
        ("a: !!bool x\n", "s.yaml", "s.yaml:1: not well-formed YAML: this is not a valid bool"),
        ("a: !!timestamp x\n", "s.yaml", "s.yaml:1: not well-formed YAML: this is not a valid timestamp"),
        (f"a: {'9' * 5000}\n", "s.yaml", "s.yaml:1: not well-formed YAML: this is not a valid int"),
        (f"a: 0x{'f' * 5000}\n", "s.yaml", "s.yaml:1: a: the number has too many digits"),
        (f"? 0x{'f' * 5000}\n: a\n", "s.yaml", "s.yaml:1: the key cannot be stored: the number has too many digits"),
        (f"a = {'9' * 5000}\n", "s.toml", "s.toml: a number has too many digits"),
        (f"a = 0x{'f' * 5000}\n", "s.toml", "s.toml: a: the number has too many digits"),
    ],
)
def test_values_that_only_look_like_text(tmp_path: Path, text: str, name: str, message: str) -> None:
    assert _error(tmp_path, text, name).startswith(message)


@pytest.mark.parametrize("name", ["s.yaml", "s.toml"])
def test_very_deep_nesting_is_an_expected_error(tmp_path: Path, name: str) -> None:
    separator = "=" if name == "s.toml" else ":"
    assert "deep" in _error(tmp_path, f"a {separator} {'[' * 5000}{']' * 5000}\n", name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("22:22", "22:22"),
        ("80", 80),
        ("0x10", 16),
        ("0644", 420),
        ("0o17", 15),
        ("1_000", 1000),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("~", None),
        ("", None),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("-", "-"),
        ("'80'", "80"),
    ],
)
def test_the_core_schema_of_yaml(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(f"key: [{text}]\n" if text not in ("", "-") else f"key:\n- {text!r}\n" if text else "key:\n-\n")
    kind = FileKind("", "", core_schema=True)
    found = read_document(path, kind).get(("key", 0))
    assert (found, type(found)) == (value, type(value))


def test_merged_keys_have_the_lines_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("base: &base\n  a: {x: 1}\n  b: 2\nown:\n  <<: [*base]\n  b: 3\n", encoding="utf-8")
    document = read_document(path)
    assert document.data["own"] == {"a": {"x": 1}, "b": 3}
    assert [document.line_of(("own", *keys)) for keys in (("a",), ("a", "x"), ("b",))] == [2, 2, 6]
