"""The door to PowerPoint files, which asks whether python-pptx is installed before anything needs it."""

from __future__ import annotations

from pathlib import Path

from bench.deck.slides import Deck
from bench.util.errors import HostUnfitError
from bench.util.extras import adding


def write_pptx(deck: Deck, path: Path, *, template: Path | None = None) -> None:
    """Write ``deck.pptx``: for each slide the picture, and after it, hidden, a native chart of the same numbers.

    Args:
        template: a .pptx or .potx file whose masters and layouts are used; its slides are not.

    Raises:
        HostUnfitError: python-pptx is not installed.
        UsageError: the template cannot be used.
    """
    try:
        import pptx  # noqa: F401, PLC0415
    except ImportError:
        raise HostUnfitError(
            "PowerPoint files are written by python-pptx, which is not installed",
            hint=f"{adding('python-pptx')}, or choose other formats",
        ) from None
    from bench.deck.pptx.presentation import presentation_of  # noqa: PLC0415 - it imports the library

    path.write_bytes(presentation_of(deck, template))
