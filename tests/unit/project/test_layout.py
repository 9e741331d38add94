"""Functions stay short, and every module and package has a docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[3] / "bench"
FUNCTION_LINES: Final = 50


@cache
def _modules() -> dict[str, ast.Module]:
    """The syntax tree of every module by its path below ``bench/``, packages' ``__init__.py`` included."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(file.relative_to(PACKAGE)): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def _functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Name and number of lines of every function, nested ones and methods included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_are_short() -> None:
    too_long = [
        f"{module}: {name} has {lines} lines"
        for module, tree in _modules().items()
        for name, lines in _functions(tree)
        if lines >= FUNCTION_LINES
    ]
    assert not too_long, f"split these at {FUNCTION_LINES} lines, one function per step:\n" + "\n".join(too_long)


def test_every_module_and_package_has_a_docstring() -> None:
    trees = _modules()
    missing = [module for module, tree in trees.items() if not ast.get_docstring(tree)]
    folders = {str(file.parent.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py")}
    missing += [f"{folder}/__init__.py" for folder in sorted(folders) if str(Path(folder, "__init__.py")) not in trees]
    assert len(trees) > 100, "the package was not found"
    assert not missing, "no docstring:\n" + "\n".join(missing)
