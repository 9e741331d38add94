"""Every directory that the code makes in the cache has its words in `boxbench cache show`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeGuard

from bench.cache.kinds import KERNELS, KINDS, PODMAN, REST, STORES
from bench.engines.data_root import ENGINES
from bench.engines.kept import STORES as ENGINES_WITH_STORES

PACKAGE: Final = Path(__file__).parents[3] / "bench"
MAKERS: Final = {"ensure", "cached_probe"}


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Subscript):  # a name in a table of engines
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def _made_by(tree: ast.Module) -> Iterator[str]:
    """Kinds of entries: the first argument of ``ensure``; and directories: ``cache_dir() / "name"``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in MAKERS and node.args:
            yield from _texts(node.args[0])
        if _is_below_cache(node):
            yield from (text.partition("/")[0] for text in _texts(node.right))


def _is_below_cache(node: ast.AST) -> TypeGuard[ast.BinOp]:
    return isinstance(node, ast.BinOp) and isinstance(node.left, ast.Call) and _name(node.left.func) == "cache_dir"


def test_every_kind_is_known() -> None:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in PACKAGE.rglob("*.py")}
    made = {name: file for file, tree in trees.items() for name in _made_by(tree)}
    assert {"disk", "tar", "inspection", "accel", "boxes", "jit"} <= set(made), "the search finds too little"
    known = {*KINDS, KERNELS.name, PODMAN.name, *STORES, *REST}
    assert {name: str(file) for name, file in made.items() if name not in known} == {}
    assert set(KINDS) <= set(made), "these kinds are made nowhere"


def test_every_private_engine_with_a_store_can_be_asked() -> None:
    assert set(STORES) == set(ENGINES_WITH_STORES)
    assert set(ENGINES.values()) <= set(STORES)


def test_what_lies_on_another_kind_is_a_kind() -> None:
    assert {kind.under for kind in KINDS.values()} - {None} <= set(KINDS)
