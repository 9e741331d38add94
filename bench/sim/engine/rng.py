"""Random numbers without state: a draw is a function of (seed, purpose, entity, number).

Nothing is carried from one draw to the next, so neither order nor the number of processes can change a box's luck, and
two targets or policies with the same seed are compared under the same luck. The function is Philox4x32 with 10 rounds
(Salmon and others, SC'11; the known answers of Random123 are in the tests). Its key is the seed. Its counter is::

    word 0, 1   number // 2
    word 2      entity, low 32 bits
    word 3      entity, high 16 bits; purpose, 16 bits

One block of four words gives two uniforms of 52 bits: ``number`` even and odd. A uniform is (2 k + 1) / 2**53 with k in
[0, 2**52): never 0 and never 1.

All arithmetic is on 64-bit integers: a product of two 32-bit words may wrap, and the bits that are taken from it are
right all the same. So the same functions work on Python's integers, in compiled kernels and on NumPy arrays.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.jit import compiled, inlined, pure

ROUNDS: Final = 10
SEEDS: Final = 1 << 63
"""Seeds, and numbers of draws, are in [0, SEEDS)."""
ENTITIES: Final = 1 << 48
PURPOSES: Final = 1 << 16

_WORD: Final = 0xFFFFFFFF
_M0: Final = 0xD2511F53
_M1: Final = 0xCD9E8D57
_W0: Final = 0x9E3779B9
_W1: Final = 0xBB67AE85
_UNIT: Final = 1.0 / (1 << 53)

Words = tuple[Any, Any, Any, Any]
"""Four integers below 2**32, or four arrays of them."""


@inlined
def philox(k0: Any, k1: Any, c0: Any, c1: Any, c2: Any, c3: Any) -> Words:
    """Philox4x32-10 of a key of two words and a counter of four."""
    for _ in range(ROUNDS):
        left = _M0 * c0
        right = _M1 * c2
        c0 = ((right >> 32) & _WORD) ^ c1 ^ k0
        c1 = right & _WORD
        c2 = ((left >> 32) & _WORD) ^ c3 ^ k1
        c3 = left & _WORD
        k0 = (k0 + _W0) & _WORD
        k1 = (k1 + _W1) & _WORD
    return c0, c1, c2, c3


@inlined
def block(seed: Any, purpose: Any, entity: Any, pair: Any) -> Words:
    """The four words that the draws 2 * pair and 2 * pair + 1 are made from."""
    high = (entity >> 32) << 16
    return philox(
        seed & _WORD, (seed >> 32) & _WORD, pair & _WORD, (pair >> 32) & _WORD, entity & _WORD, high | purpose
    )


@inlined
def unit(low: Any, high: Any) -> Any:
    """A uniform in (0, 1) from two words."""
    return (2 * ((low << 20) | (high >> 12)) + 1) * _UNIT


@compiled
def uniform(seed: int, purpose: int, entity: int, number: int) -> float:
    """One uniform in (0, 1), for kernels. Arguments are not checked; see ``uniforms`` for their ranges."""
    w0, w1, w2, w3 = block(seed, purpose, entity, number // 2)
    found: float = unit(w0, w1) if number % 2 == 0 else unit(w2, w3)
    return found


def uniforms(seed: int, purpose: int, entities: object, numbers: object) -> NDArray[np.float64]:
    """``uniform`` of each entity and number; the two are broadcast against each other. In NumPy, without a loop.

    Args:
        seed: in [0, 2**63).
        purpose: in [0, 2**16).
        entities: in [0, 2**48).
        numbers: not negative.

    Raises:
        ValueError: a value outside its range; two draws would share their luck.
    """
    given = np.broadcast_arrays(np.asarray(entities, np.int64), np.asarray(numbers, np.int64))
    entity, number = np.atleast_1d(*given)  # a product of numbers without an axis would warn that it wraps
    if entity.size:
        _check(seed, purpose, int(entity.min()), int(entity.max()), int(number.min()))
    words = pure(block)(seed, purpose, entity, number // 2)
    odd = number % 2 == 1
    found: NDArray[np.float64] = pure(unit)(np.where(odd, words[2], words[0]), np.where(odd, words[3], words[1]))
    return found.reshape(given[0].shape)


def _check(seed: int, purpose: int, least_entity: int, most_entity: int, least_number: int) -> None:
    if not (0 <= seed < SEEDS and 0 <= purpose < PURPOSES):
        raise ValueError(f"seed {seed} or purpose {purpose} is outside [0, 2**63) or [0, 2**16)")
    if least_entity < 0 or most_entity >= ENTITIES or least_number < 0:
        raise ValueError("an entity is outside [0, 2**48), or a number is negative")


_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10
_SQRT_HALF: Final = 0.70710678118654752440


@compiled
def log(x: float) -> float:
    """The natural logarithm of a positive number, off by less than 1 unit in the last place.

    The C library's differs between hosts; this one is additions, multiplications and divisions alone (fdlibm's
    ``e_log.c``), so a draw has the same bits everywhere.
    """
    fraction, exponent = math.frexp(x)
    if fraction < _SQRT_HALF:
        fraction = 2.0 * fraction
        exponent = exponent - 1
    found: float = log_parts(fraction - 1.0, float(exponent))
    return found


@inlined
def log_parts(f: Any, k: Any) -> Any:
    """log(1 + f) + k log(2)."""
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    even = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + (odd + even)) + k * _LN2_LOW)) - f)


_LOG2_E: Final = 1.44269504088896338700


@compiled
def exp(x: float) -> float:
    """e to the power of a number from -43 to 43, off by less than 1 unit in the last place.

    The C library's differs between hosts; this one is fdlibm's ``e_exp.c``, as ``log`` is its ``e_log.c``.
    """
    doublings = math.floor(x * _LOG2_E + 0.5)
    high = x - doublings * _LN2_HIGH
    low = doublings * _LN2_LOW
    r = high - low
    t = r * r
    sixths = t * (6.61375632143793436117e-05 + t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08))
    c = r - t * (1.66666666666666019037e-01 + t * (-2.77777777770155933842e-03 + sixths))
    found: float = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    return found * (1 << doublings) if doublings >= 0 else found / (1 << -doublings)


def logs(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``log`` of each number, with the same bits."""
    fraction, exponent = np.frexp(x)
    small = fraction < _SQRT_HALF
    fraction = np.where(small, 2.0 * fraction, fraction)
    found: NDArray[np.float64] = pure(log_parts)(fraction - 1.0, (exponent - small).astype(np.float64))
    return found


@compiled
def to_ns(value: float) -> int:
    """The nearest integer; halves go up."""
    return math.floor(value + 0.5)


DETERMINISTIC: Final = 0
"""Always ``a``."""
UNIFORM: Final = 1
"""Between ``a`` and ``b``."""
EXPONENTIAL: Final = 2
"""With the mean ``a``."""
TWO_EXPONENTIALS: Final = 3
"""With equal probability exponential with the mean ``a`` or with the mean ``b``."""


@compiled
def variate(law: int, a: int, b: int, u: float) -> int:
    """The variate of a law at the uniform ``u``, in ns: one uniform per variate, by the inverse of the distribution.

    ``TWO_EXPONENTIALS`` takes the branch from the first bit of ``u`` and stretches the rest.
    """
    if law == EXPONENTIAL:
        return to_ns(-a * log(u))
    if law == UNIFORM:
        return to_ns(a + (b - a) * u)
    if law == TWO_EXPONENTIALS:
        if u < 0.5:
            return to_ns(-a * log(2.0 * u))
        return to_ns(-b * log(2.0 * u - 1.0))
    return a


def variates(law: int, a: int, b: int, u: NDArray[np.float64]) -> NDArray[np.int64]:
    """``variate`` at each uniform, with the same bits."""
    if law == EXPONENTIAL:
        found = -a * logs(u)
    elif law == UNIFORM:
        found = a + (b - a) * u
    elif law == TWO_EXPONENTIALS:
        low = u < 0.5
        found = np.where(low, -a, -b) * logs(np.where(low, 2.0 * u, 2.0 * u - 1.0))
    else:
        found = np.full(u.shape, a, dtype=np.float64)
    return np.floor(found + 0.5).astype(np.int64)
