"""Random numbers of a fit: a stream of its own for every purpose and entity, so that no order can change them."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str, entity: str = "") -> np.random.Generator:
    """The generator of one purpose and one entity. Equal arguments give equal numbers.

    Args:
        seed: at least 0.
    """
    key = [seed, zlib.crc32(purpose.encode()), zlib.crc32(entity.encode())]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
