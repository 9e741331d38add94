"""Short modules, short functions: what one screen holds, one reader holds."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[3] / "bench"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))

MODULE_LINES: Final = 300
FUNCTION_LINES: Final = 50


def _name(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


@pytest.mark.parametrize("file", MODULES, ids=_name)
def test_a_module_fits_one_reader(file: Path) -> None:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines < MODULE_LINES, f"{_name(file)} has {lines} lines: split it along what it does"


@pytest.mark.parametrize("file", MODULES, ids=_name)
def test_functions_are_short(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    long = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    too_long = {name: lines for name, lines in long.items() if lines >= FUNCTION_LINES}
    assert not too_long, f"{_name(file)}: {too_long}: name the steps and make them functions"


@pytest.mark.parametrize("file", MODULES, ids=_name)
def test_a_module_says_what_it_is_for(file: Path) -> None:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert docstring, f"{_name(file)} has no docstring"
