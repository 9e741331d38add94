"""Numbers in text files that people and other programs write."""

from __future__ import annotations

import math
import re
from typing import Final

_FORM: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_MOST_CHARS: Final = 400
"""The longest decimal form of a number that a program prints is shorter."""


def plain_number(text: str) -> float | None:
    """The number that a text is, such as ``12``, ``.5`` or ``1e-3``; None: it is none, or leaves 64 bits.

    ``float`` also takes ``1_0`` as 10, digits of other scripts, ``nan`` and ``infinity``: in a column of numbers each
    of these is a mistake.
    """
    if len(text) > _MOST_CHARS or not _FORM.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
