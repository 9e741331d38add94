"""Long streams of variates for the speed of M/M/1, in vectors or in NumPy, with the same bits.

The compiled loops become vector instructions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.arrays import Floats, Ints
from bench.sim.engine.jit import JITTED, compiled
from bench.sim.engine.rng import EXPONENTIAL, block, log_parts, to_ns, uniforms, unit, variates

PART: Final = 8192
"""Variates of a part: its arrays stay in the CPU's cache."""

_SQRT_HALF: Final = 0.70710678118654752440
_FRACTION: Final = (1 << 52) - 1
_HALF: Final = 1022 << 52
"""The bits of 0.5."""


@compiled
def _fill(seed: int, purpose: int, entity: int, first_pair: int, out: Floats) -> None:
    for pair in range(len(out) // 2):
        w0, w1, w2, w3 = block(seed, purpose, entity, first_pair + pair)
        out[2 * pair] = unit(w0, w1)
        out[2 * pair + 1] = unit(w2, w3)


def stream(
    seed: int, purpose: int, entity: int, *, first: int, count: int, pure_python: bool = not JITTED
) -> NDArray[np.float64]:
    """``uniforms`` of one entity from ``first`` on; ``first`` and ``count`` are even. Raises ValueError: one is odd."""
    if first % 2 or count % 2:
        raise ValueError(f"first {first} and count {count} must be even: draws are made in pairs")
    if pure_python:
        return uniforms(seed, purpose, entity, np.arange(first, first + count))
    out = np.empty(count)
    _fill(seed, purpose, entity, first // 2, cast(Floats, out))
    return out


@compiled
def _split(bits: Ints, exponents: Floats) -> None:
    """What ``frexp`` does, on the bits of positive numbers: the fractions replace them."""
    for place in range(len(bits)):
        exponents[place] = (bits[place] >> 52) - 1022
        bits[place] = (bits[place] & _FRACTION) | _HALF


@compiled
def _exponentials(fractions: Floats, exponents: Floats, mean: int, out: Ints) -> None:
    """The nearest integers to -mean log(fraction * 2**exponent)."""
    for place in range(len(out)):
        small = fractions[place] < _SQRT_HALF
        fraction = 2.0 * fractions[place] if small else fractions[place]
        exponent = exponents[place] - 1.0 if small else exponents[place]
        out[place] = to_ns(-mean * log_parts(fraction - 1.0, exponent))


def _compiled_exponentials(mean: int, u: NDArray[np.float64]) -> NDArray[np.int64]:
    """``variates(EXPONENTIAL, mean, 0, u)``; overwrites ``u``."""
    exponents = np.empty_like(u)
    out = np.empty(len(u), dtype=np.int64)
    _split(cast(Ints, u.view(np.int64)), cast(Floats, exponents))
    _exponentials(cast(Floats, u), cast(Floats, exponents), mean, cast(Ints, out))
    return out


def variate_parts(
    law: int,
    a: int,
    b: int,
    *,
    seed: int,
    purpose: int,
    entity: int = 0,
    count: int,
    pure_python: bool = not JITTED,
) -> Iterator[NDArray[np.int64]]:
    """The first ``count`` variates of an entity, in parts of at most PART. ``count`` is even; see ``rng`` for the rest.

    Raises ValueError: an odd count, or a value outside its range.
    """
    for first in range(0, count, PART):
        u = stream(seed, purpose, entity, first=first, count=min(PART, count - first), pure_python=pure_python)
        fast = law == EXPONENTIAL and not pure_python
        yield _compiled_exponentials(a, u) if fast else variates(law, a, b, u)
