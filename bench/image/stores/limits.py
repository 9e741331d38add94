"""How long a build may take."""

from __future__ import annotations

from bench.image.stores.base import StoreError

SILENCE_LIMIT_S = 3600
"""How long a build may write nothing."""
TOTAL_LIMIT_S = 6 * 3600.0
"""How long a build may take."""

_HINT = "see in the output which step hangs; build the parts that take long by hand, as an image for FROM"


def too_silent() -> StoreError:
    """The error of a build that wrote nothing for too long."""
    return StoreError(f"the build of the image wrote nothing for {SILENCE_LIMIT_S} s, so it was ended", hint=_HINT)


def too_slow() -> StoreError:
    """The error of a build that took too long."""
    return StoreError(f"the build of the image took more than {TOTAL_LIMIT_S:g} s, so it was ended", hint=_HINT)
