"""The seal of a model file: a digest over everything in it that a user has no reason to edit.

A user may state the ``value`` of any parameter. All else says what was measured: the host, the levels, the draws, what
is known of the model's error, the kinds and their notes. An answer compares a question with these, so an edit of them
would be taken for a measurement. The seal shows that there was such an edit; it cannot show where.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

SEAL: Final = "seal"
"""The key of the seal in a model file."""


class RepeatedKeyError(ValueError):
    """A JSON object has a key twice, of which most readers would silently take the last."""


def seal_of(text: str | bytes) -> str:
    """``sha256:...`` of a model file without its seal and without the values of its parameters.

    Args:
        text: a valid model as JSON. How it is laid out, the order of keys, and whether a number is written ``2`` or
            ``2.0`` make no difference.

    Raises:
        RepeatedKeyError: an object has a key twice.
    """
    data = json.loads(text, parse_int=float, object_pairs_hook=_unique)
    kept = {key: value for key, value in data.items() if key != SEAL}
    kept["targets"] = {label: _without_values(target) for label, target in data["targets"].items()}
    canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RepeatedKeyError(f"the key {twice!r} is there twice in one object")
    return found


def _without_values(target: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {
        name: {key: part for key, part in parameter.items() if key != "value"}
        for name, parameter in target["parameters"].items()
    }
    return {**target, "parameters": parameters}
