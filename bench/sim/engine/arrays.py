"""Arrays of kernels: NumPy arrays for compiled kernels, lists for pure ones."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = list[int]
"""A flat array of 64-bit integers for a kernel: a list for a pure one, an NDArray[np.int64] for a compiled one."""
Floats: TypeAlias = list[float]
"""The same for 64-bit floating-point numbers."""


def ints(values: object, *, lists: bool) -> Ints:
    """Values as a new flat array of integers; as a list where a pure kernel works on them, since lists are faster."""
    array = np.array(values, dtype=np.int64).reshape(-1)
    return array.tolist() if lists else cast(Ints, array)


def zeros(count: int, *, lists: bool) -> Ints:
    """``count`` zeros as a flat array, or as a list for a pure kernel."""
    return [0] * count if lists else cast(Ints, np.zeros(count, dtype=np.int64))


def floats(values: object, *, lists: bool) -> Floats:
    """Values as a new flat array of floating-point numbers, or as a list for a pure kernel."""
    array = np.array(values, dtype=np.float64).reshape(-1)
    return array.tolist() if lists else cast(Floats, array)


def array_of(values: Any) -> NDArray[np.int64]:
    """What a kernel has left in an array or a list, as an array."""
    return np.asarray(values, dtype=np.int64)
