"""The texts below the fields of a class: ``field: int`` and, in the next line, a text in three quotes.

Python forgets them, so they are read from the source.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise


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


def _own(described: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(described))).body
    found: dict[str, str] = {}
    for field, after in pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        names = field.targets if isinstance(field, ast.Assign) else [getattr(field, "target", None)]
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            text = " ".join(after.value.value.split())
            found |= {name.id: text for name in names if isinstance(name, ast.Name)}
    return found
