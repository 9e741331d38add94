"""The texts about the fields of a class: below each, or in the part "Attributes:" of the class's own text.

Python forgets those below a field, so they are read from the source.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any, Final, get_args

from pydantic import BaseModel

_ATTRIBUTES: Final = re.compile(r"^Attributes:\n((?:    .*\n|\n)*)", re.MULTILINE)
_ATTRIBUTE: Final = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n        .*)*)", re.MULTILINE)


def field_docs(described: type) -> dict[str, str]:
    """The text of each field that has one, on one line, also of fields that the class inherits.

    Raises:
        OSError: the source of the class is not there.
    """
    found: dict[str, str] = {}
    for one in reversed(described.__mro__):
        if one.__module__.partition(".")[0] == described.__module__.partition(".")[0]:
            found |= _own(one)
    return found


def models_in(described: Any, *, without: Collection[type] = ()) -> tuple[type[BaseModel], ...]:
    """The models in a type, each once: a model itself, then those in the types of its fields.

    Args:
        without: models that are left out, with what is in them alone.
    """
    return tuple(dict.fromkeys(_models(described, without)))


def _models(described: Any, without: Collection[type]) -> Iterator[type[BaseModel]]:
    if isinstance(described, type) and issubclass(described, BaseModel) and described not in without:
        yield described
        for field in described.model_fields.values():
            yield from _models(field.annotation, without)
    for inner in get_args(described):
        yield from _models(inner, without)


def _own(described: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(described))).body
    found = _listed(inspect.cleandoc(described.__doc__ or "") + "\n")
    for field, after in pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        names = field.targets if isinstance(field, ast.Assign) else [getattr(field, "target", None)]
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            text = " ".join(after.value.value.split())
            found |= {name.id: text for name in names if isinstance(name, ast.Name)}
    return found


def _listed(text: str) -> dict[str, str]:
    """What the part "Attributes:" of a class's text says of each; several names may share one text."""
    part = _ATTRIBUTES.search(text)
    rows = _ATTRIBUTE.findall(part[1]) if part else ()
    return {name: " ".join(said.split()) for names, said in rows for name in names.split(", ")}
