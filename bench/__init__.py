"""Boxbench: what does it cost to run this in a VM instead of a container, and where does the cost go?

``bench.open_campaign(path)`` reads a campaign as frames and figures: docs/reference/python.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.opened.campaign import OpenedCampaign, open_campaign

__version__ = "0.1.0"
__all__ = ["OpenedCampaign", "__version__", "open_campaign"]


def __getattr__(name: str) -> Any:
    """Import the door on first use: ``import bench`` alone loads no other module."""
    if name not in ("OpenedCampaign", "open_campaign"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bench.opened import campaign  # noqa: PLC0415

    return getattr(campaign, name)
