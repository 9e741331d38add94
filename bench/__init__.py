"""Boxbench: what does it cost to run this in a VM instead of a container, and where does the cost go?

``bench.open_campaign(path)`` reads a campaign for further analysis, see ``bench.analysis.frame``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.analysis.frame import open_campaign

__version__ = "0.1.0"
__all__ = ["__version__", "open_campaign"]


def __getattr__(name: str) -> Any:
    """Import ``open_campaign`` on first use: ``import bench`` alone loads no other module."""
    if name != "open_campaign":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bench.analysis.frame import open_campaign  # noqa: PLC0415

    return open_campaign
