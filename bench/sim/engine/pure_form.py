"""The Python form of a kernel, with the kernels that are parts of it written into it.

A call with ten arguments takes Python as long as most parts of a hot loop take themselves. So the text of each
``inlined`` kernel is put where it is called, with names of its own and without ``return``, constants of modules become
numbers, ``min`` and ``max`` become comparisons, and ``&`` and ``|`` of comparisons become ``and`` and ``or``. Results
stay what they are: a test asks for the same bits.

A call stays a call where its text cannot stand in its place: in a condition that may not be reached, or where a kernel
returns out of a loop.
"""

from __future__ import annotations

import ast
import builtins
import copy
import itertools
import linecache
import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, cast

Block = list[ast.stmt]
Part = Callable[[object], FunctionType | None]
"""The Python function of an object that is an ``inlined`` kernel; None: it is none."""

_FORM: Final = "pure form of {}.{}"


class Writer:
    """Writes kernels into each other.

    Args:
        part: says what is to be written into its callers.
        name: what an object of a kernel's module is in the form: of a kernel its pure form, else itself.
    """

    def __init__(self, part: Part, name: Callable[[object], object]) -> None:
        self._part = part
        self._name = name
        self._written: dict[FunctionType, ast.FunctionDef] = {}
        self._serial = itertools.count()
        self._parts: dict[str, FunctionType] = {}
        self._values: dict[str, object] = {}

    def form(self, function: FunctionType) -> FunctionType:
        """A function that does the same."""
        tree = self.written(function)
        text = ast.unparse(ast.fix_missing_locations(ast.Module(body=[tree], type_ignores=[])))
        file = _FORM.format(function.__module__, function.__name__)
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & self._values.keys()
        namespace: dict[str, Any] = {name: self._name(self._values[name]) for name in sorted(used)}
        namespace["__name__"] = function.__module__
        exec(compile(text, file, "exec"), namespace)
        found: FunctionType = namespace[function.__name__]
        return found

    def written(self, function: FunctionType) -> ast.FunctionDef:
        """The definition of a kernel with all of its parts in it. Names of modules are those of this writer."""
        if function not in self._written:
            tree = _definition(function)
            _Globals(self, function, _locals(tree)).visit(tree)
            tree.body = self._block(tree.body)
            self._written[function] = tree
        return self._written[function]

    def known(self, name: str, value: object, function: FunctionType | None = None) -> str:
        """The name that an object of a module has in all forms.

        Args:
            function: what is written in its place; None: what ``part`` says.
        """
        alias = f"{name}_{id(value):x}"
        function = function or self._part(value)
        if function is not None:
            self._parts[alias] = function
        self._values[alias] = value
        return alias

    # Statements

    def _block(self, block: Block) -> Block:
        return [new for old in block for new in self._statement(old)]

    def _statement(self, old: ast.stmt) -> Iterator[ast.stmt]:
        for field in ("body", "orelse"):
            if isinstance(old, ast.If | ast.For | ast.While):
                setattr(old, field, self._block(getattr(old, field)))
        if isinstance(old, ast.Return) and self._callee(old.value) is not None:
            yield from self._instead_of_return(old)
        elif isinstance(old, ast.Assign | ast.AugAssign | ast.Return | ast.Expr | ast.If):
            yield from self._before(old)
            if not (isinstance(old, ast.Expr) and isinstance(old.value, ast.Constant | ast.Name)):
                yield old
        else:
            yield old

    def _callee(self, node: ast.AST | None) -> FunctionType | None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._parts.get(node.func.id)
        return None

    def _instead_of_return(self, old: ast.Return) -> Block:
        """``return part(...)``: the part returns by itself."""
        assert isinstance(old.value, ast.Call)
        bound, body = self._body(old.value)
        return [*bound, *body] if _leaves(body) else [*bound, *body, ast.Return(value=ast.Constant(value=None))]

    def _before(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        """Write the calls of a statement before it, and the names of their results into it."""
        whole = isinstance(statement, ast.Assign | ast.Expr) and self._callee(statement.value) is not None
        calls = [statement.value] if whole else list(self._readers(statement))  # type: ignore[attr-defined]
        for call in calls:
            result = f"found_{next(self._serial)}"
            bound, body = self._body(call)
            straight = _without_return(body, result)
            if straight is not None:
                yield from (*bound, *straight)
                _Exchange(call, ast.Name(id=result, ctx=ast.Load())).visit(statement)
                if whole and isinstance(statement, ast.Expr):
                    statement.value = ast.Constant(value=None)

    def _readers(self, node: ast.AST) -> Iterator[ast.Call]:
        """Calls in a statement that are always reached and change nothing, innermost first."""
        inside = [node.test] if isinstance(node, ast.If) else list(ast.iter_child_nodes(node))
        for child in inside:
            if not isinstance(child, ast.BoolOp | ast.IfExp | ast.stmt):
                yield from self._readers(child)
        callee = self._callee(node)
        if callee is not None and not _changes(self.written(callee)):
            assert isinstance(node, ast.Call)
            yield node

    def _body(self, call: ast.Call) -> tuple[Block, Block]:
        """A part for one call: what binds its arguments, and its statements, both with names of their own."""
        callee = self._callee(call)
        assert callee is not None
        tree = copy.deepcopy(self.written(callee))
        number = next(self._serial)
        parameters = [one.arg for one in tree.args.args]
        changed = _assigned(tree)
        names: dict[str, ast.expr] = {name: _load(f"{name}_{number}") for name in changed}
        bound: Block = []
        for name, value in zip(parameters, call.args, strict=True):
            if name not in changed and isinstance(value, ast.Name | ast.Constant):
                names[name] = value
            else:
                names[name] = _load(f"{name}_{number}")
                bound.append(ast.Assign(targets=[ast.Name(id=f"{name}_{number}", ctx=ast.Store())], value=value))
        body = [_Rename(names).visit(statement) for statement in tree.body]
        return bound, body


# The text of a kernel


@cache
def _module(file: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(Path(file).read_bytes())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _definition(function: FunctionType) -> ast.FunctionDef:
    """A kernel's definition without decorators, annotations and docstring."""
    tree = copy.deepcopy(_module(function.__code__.co_filename)[function.__name__])
    tree.decorator_list, tree.returns = [], None
    for one in tree.args.args:
        one.annotation = None
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    tree.body = [_plain(statement) for statement in tree.body]
    return tree


def _plain(statement: ast.stmt) -> ast.stmt:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return ast.Assign(targets=[statement.target], value=statement.value)
    return statement


def _load(name: str) -> ast.Name:
    return ast.Name(id=name, ctx=ast.Load())


def _assigned(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _locals(tree: ast.FunctionDef) -> set[str]:
    return _assigned(tree) | {one.arg for one in tree.args.args}


def _changes(tree: ast.FunctionDef) -> bool:
    """Whether a kernel may write into an array: it does, or it calls what is not written into it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and hasattr(builtins, node.func.id)):
            return True
    return False


def _is_logic(node: ast.expr) -> bool:
    """Whether it is true or false, and no other number. Comparisons change nothing: it is the same to leave one out."""
    if isinstance(node, ast.BoolOp):
        return all(map(_is_logic, node.values))
    return isinstance(node, ast.Compare) and not any(isinstance(one, ast.Call) for one in ast.walk(node))


def _number(value: object) -> ast.Constant | None:
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return ast.Constant(value=value)
    return None


class _Globals(ast.NodeTransformer):
    """Numbers of a kernel's module instead of their names; other objects get a name that all forms know."""

    def __init__(self, writer: Writer, function: FunctionType, own: set[str]) -> None:
        self._writer, self._globals, self._own = writer, function.__globals__, own

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A name that is neither the kernel's own nor Python's."""
        if node.id in self._own or node.id not in self._globals:
            return node
        value = self._globals[node.id]
        return _number(value) or ast.Name(id=self._writer.known(node.id, value), ctx=node.ctx)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """``and`` and ``or`` of comparisons, where the kernel computes all of them."""
        self.generic_visit(node)
        word = {ast.BitAnd: ast.And, ast.BitOr: ast.Or}.get(type(node.op))
        if word is not None and _is_logic(node.left) and _is_logic(node.right):
            return ast.BoolOp(op=word(), values=[node.left, node.right])
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Python's minimum and maximum of two, and the number of a comparison."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "int" and _is_logic(node.args[0]):
            return ast.IfExp(test=node.args[0], body=ast.Constant(value=1), orelse=ast.Constant(value=0))
        for name, value, function in (("min", min, _minimum), ("max", max, _maximum)):
            if isinstance(node.func, ast.Name) and node.func.id == name and len(node.args) == 2:
                node.func.id = self._writer.known(name, value, cast(FunctionType, function))
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """A number of another module."""
        module = self._globals.get(node.value.id) if isinstance(node.value, ast.Name) else None
        found = _number(getattr(module, node.attr, None)) if isinstance(module, ModuleType) else None
        if found is not None:
            return found
        self.generic_visit(node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """``array[at + 0]`` is ``array[at]``."""
        self.generic_visit(node)
        at = node.slice
        if isinstance(at, ast.BinOp) and isinstance(at.op, ast.Add) and isinstance(at.right, ast.Constant):
            node.slice = at.left if at.right.value == 0 else at
        return node


def _minimum(one: Any, other: Any) -> Any:
    """``min`` of two, as Python does it."""
    return other if other < one else one


def _maximum(one: Any, other: Any) -> Any:
    """``max`` of two, as Python does it."""
    return other if other > one else one


class _Rename(ast.NodeTransformer):
    """Other expressions for names."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A name that has another one."""
        new = copy.deepcopy(self._names.get(node.id, node))
        if isinstance(new, ast.Name):
            new.ctx = node.ctx
        return new


class _Exchange(ast.NodeTransformer):
    """One call for the name of its result."""

    def __init__(self, call: ast.expr, name: ast.expr) -> None:
        self._call, self._name = call, name

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """The call itself, or another one that may hold it."""
        return self._name if node is self._call else self.generic_visit(node)


# Without return


def _returns(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Return) for one in ast.walk(node))


def _leaves(block: Block) -> bool:
    """Whether a block always returns."""
    last = block[-1] if block else None
    if isinstance(last, ast.If):
        return _leaves(last.body) and _leaves(last.orelse)
    return isinstance(last, ast.Return)


def _without_return(block: Block, result: str) -> Block | None:
    """The same block with its result in a name; None: it returns out of a loop."""
    made: Block = []
    for place, statement in enumerate(block):
        if isinstance(statement, ast.Return):
            value = statement.value or ast.Constant(value=None)
            return [*made, ast.Assign(targets=[ast.Name(id=result, ctx=ast.Store())], value=value)]
        if isinstance(statement, ast.If) and _returns(statement):
            rest = block[place + 1 :]
            then = _without_return([*statement.body, *copy.deepcopy(rest)], result)
            other = _without_return([*statement.orelse, *copy.deepcopy(rest)], result)
            if then is None or other is None:
                return None
            return [*made, ast.If(test=statement.test, body=then or [ast.Pass()], orelse=other)]
        if _returns(statement):
            return None
        made.append(statement)
    return made
