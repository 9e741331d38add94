"""JSON values of unknown shape in stored files, such as the facts of a host."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator


def _refuse_infinite(value: dict[str, Any]) -> dict[str, Any]:
    # A number such as 1e999 is read as infinite, and would be written as null.
    json.dumps(value, allow_nan=False)
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_refuse_infinite)]
"""An object of JSON whose numbers are finite."""
