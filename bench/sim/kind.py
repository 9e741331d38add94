"""The kind of a parameter: how far its value comes from data."""

from __future__ import annotations

from typing import Literal

Kind = Literal["measured", "limit", "assumed"]
"""``measured``: the data narrow it. ``limit``: they only bound it. ``assumed``: stated by a user, or not in data."""
