"""One source for compiled and for pure Python kernels.

A kernel is a function on integers and on flat arrays of integers. ``compiled`` hands it to numba where numba is
installed, and leaves it as it is otherwise or when the environment variable ``BOXBENCH_JIT`` is ``0``. ``pure`` gives
the Python form of any kernel, which calls Python forms only (``pure_form``): both forms can run in one process.

Kernels have the same results in both forms, bit for bit, because they only use:

- integers between -2**63 and 2**63 - 1, ``//`` and ``%`` of numbers that are not negative;
- floating-point ``+ - * /``, ``math.floor``, ``math.sqrt`` and ``math.frexp``, which IEEE 754 defines exactly. There is
  no fastmath, no parallel loop, and no function of the C library, which differs between hosts;
- arrays (compiled) or lists (pure) with one axis.

Machine code is kept by ``jit_cache`` in a directory that only this user can enter. Where there is none, each process
compiles for itself, and ``why_not_kept`` says why.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any, Final, ParamSpec, TypeVar, cast

from bench.sim.engine.jit_cache import locked, opened
from bench.sim.engine.pure_form import Writer
from bench.util.cache import cache_dir
from bench.util.errors import HostUnfitError

P = ParamSpec("P")
R = TypeVar("R")

JITTED: Final = os.environ.get("BOXBENCH_JIT", "1") != "0" and find_spec("numba") is not None
"""Whether kernels are compiled in this process."""

_KERNELS: Final[dict[int, FunctionType]] = {}
"""The Python function of each kernel, by the identity of what ``compiled`` returned. Kernels are never freed."""
_PARTS: Final[set[FunctionType]] = set()
"""Those that become a part of what calls them."""
_PURE: Final[dict[FunctionType, FunctionType]] = {}
_NOT_KEPT: Final[list[str]] = []
"""Why machine code of this process is not kept; the first reason says it."""


def why_not_kept() -> str | None:
    """Why the machine code of some kernel is not kept for the next process, in words; None: it is, or none is made."""
    return _NOT_KEPT[0] if _NOT_KEPT else None


def compiled(kernel: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel at its first call, once for each combination of argument types."""
    return _registered(kernel, inline="never")


def inlined(kernel: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, and the kernel becomes a part of those that call it.

    For the parts of a hot loop: a call hands over seven words per array, which takes longer than most of them.
    """
    return _registered(kernel, inline="always")


def _registered(kernel: Callable[P, R], inline: str) -> Callable[P, R]:
    function = cast(FunctionType, kernel)
    result = _dispatcher(function, inline) if JITTED else kernel
    _KERNELS[id(result)] = function
    if inline == "always":
        _PARTS.add(function)
    return cast(Callable[P, R], result)


def pure(kernel: Callable[P, R]) -> Callable[P, R]:
    """The Python form of a kernel. Raises TypeError: the function is no kernel."""
    if id(kernel) not in _KERNELS:
        raise TypeError(f"{kernel!r} is not a kernel")
    return cast(Callable[P, R], _pure(_KERNELS[id(kernel)]))


def _pure(function: FunctionType) -> FunctionType:
    """The function without a name of a compiled kernel, nor in anything that it calls."""
    if function not in _PURE:
        _PURE[function] = _WRITER.form(function)
    return _PURE[function]


def _part(value: object) -> FunctionType | None:
    function = _KERNELS.get(id(value))
    return function if function in _PARTS else None


def _named(value: object) -> object:
    function = _KERNELS.get(id(value))
    return value if function is None else _pure(function)


_WRITER: Final = Writer(_part, _named)


def _dispatcher(function: FunctionType, inline: str) -> Any:
    import numba  # noqa: PLC0415 - it takes half a second, and pure processes do without it

    # Kernels make no arrays, so they need no counts of references (_nrt): these took nine tenths of a storm's time.
    njit: Any = numba.njit
    result = njit(nogil=True, error_model="numpy", _nrt=False, inline=inline)(function)
    try:
        _enable_cache(result, function)
    except (HostUnfitError, OSError, RuntimeError) as error:  # RuntimeError: this user has no home
        _NOT_KEPT.append(str(error))
    return result


def _enable_cache(dispatcher: Any, function: FunctionType) -> None:
    """Give a dispatcher a cache on disk. Raises HostUnfitError, OSError: there is no private directory."""
    import numba.core.caching  # noqa: PLC0415 - see _dispatcher

    # mypy sees numba only where it is installed.
    config: Any = numba.core.config
    parent: Any = numba.core.caching.FunctionCache
    base = Path(config.CACHE_DIR) if config.CACHE_DIR else cache_dir() / "jit"
    directory = opened(function.__module__, base)

    class LockedCache(parent):  # type: ignore[misc]
        """Saves one at a time. A full disk costs the next process its time, and nothing else."""

        def save_overload(self, sig: Any, data: Any) -> None:
            with suppress(OSError, HostUnfitError), locked(directory):
                super().save_overload(sig, data)

    former, config.CACHE_DIR = config.CACHE_DIR, str(directory)
    try:
        dispatcher._cache = cast(Any, LockedCache)(function)
    finally:
        config.CACHE_DIR = former
