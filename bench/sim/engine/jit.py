"""One source for compiled and for pure Python kernels.

A kernel is a function on integers and on flat arrays of integers. ``compiled`` hands it to numba where numba is
installed, and leaves it as it is otherwise or when the environment variable ``BOXBENCH_JIT`` is ``0``. ``pure`` gives
the Python form of any kernel, with the Python forms of all kernels that it calls: both forms can run in one process.

Kernels have the same results in both forms, bit for bit, because they only use:

- integers between -2**63 and 2**63 - 1, ``//`` and ``%`` of numbers that are not negative;
- floating-point ``+ - * /``, ``math.floor``, ``math.sqrt`` and ``math.frexp``, which IEEE 754 defines exactly. There is
  no fastmath, no parallel loop, and no function of the C library, which differs between hosts;
- arrays (compiled) or lists (pure) with one axis.

Machine code is cached in a directory that only this user can enter (``cache_dir()/jit``, or below ``NUMBA_CACHE_DIR``).
Its name is a digest of the kernel's module and of all modules of ``bench.sim`` that the module imports: numba itself
only looks at the kernel's own file. Writers take a lock, since numba's index would be wrong after two processes had
saved at the same time. Where there is no such directory, each process compiles for itself.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any, Final, ParamSpec, TypeVar, cast

from bench.util.cache import cache_dir
from bench.util.errors import HostUnfitError
from bench.util.locks import SHORT_WAIT_S, wait_for_lock
from bench.util.private import private_directory

P = ParamSpec("P")
R = TypeVar("R")

JITTED: Final = os.environ.get("BOXBENCH_JIT", "1") != "0" and find_spec("numba") is not None
"""Whether kernels are compiled in this process."""

_PREFIX: Final = "bench.sim."
_KERNELS: Final[dict[int, FunctionType]] = {}
"""The Python function of each kernel, by the identity of what ``compiled`` returned. Kernels are never freed."""
_PURE: Final[dict[FunctionType, FunctionType]] = {}


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
    return cast(Callable[P, R], result)


def pure(kernel: Callable[P, R]) -> Callable[P, R]:
    """The Python form of a kernel. Raises TypeError: the function is no kernel."""
    if id(kernel) not in _KERNELS:
        raise TypeError(f"{kernel!r} is not a kernel")
    return cast(Callable[P, R], _pure(_KERNELS[id(kernel)]))


def _pure(function: FunctionType) -> FunctionType:
    """The function with names of kernels bound to their Python forms, also in all functions that it calls."""
    if function not in _PURE:
        names = dict(function.__globals__)
        twin = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
        _PURE[function] = twin  # before its callees, so that kernels may call themselves
        for name in function.__code__.co_names:
            callee = _KERNELS.get(id(names.get(name)))
            if callee is not None:
                names[name] = _pure(callee)
    return _PURE[function]


def _dispatcher(function: FunctionType, inline: str) -> Any:
    import numba  # noqa: PLC0415 - it takes half a second, and pure processes do without it

    # Kernels make no arrays, so they need no counts of references (_nrt): these took nine tenths of a storm's time.
    njit: Any = numba.njit
    result = njit(nogil=True, error_model="numpy", _nrt=False, inline=inline)(function)
    with suppress(HostUnfitError, OSError, RuntimeError):  # RuntimeError: this user has no home
        _enable_cache(result, function)
    return result


def _enable_cache(dispatcher: Any, function: FunctionType) -> None:
    """Give a dispatcher a cache on disk. Raises HostUnfitError, OSError: there is no private directory."""
    import numba.core.caching  # noqa: PLC0415 - see _dispatcher

    # mypy sees numba only where it is installed.
    config: Any = numba.core.config
    parent: Any = numba.core.caching.FunctionCache
    base = Path(config.CACHE_DIR) if config.CACHE_DIR else cache_dir() / "jit"
    directory = private_directory(base / _digest(function.__module__))

    class LockedCache(parent):  # type: ignore[misc]
        """Saves one at a time. A full disk costs the next process its time, and nothing else."""

        def save_overload(self, sig: Any, data: Any) -> None:
            with suppress(OSError, HostUnfitError), _locked(directory / ".lock"):
                super().save_overload(sig, data)

    former, config.CACHE_DIR = config.CACHE_DIR, str(directory)
    try:
        dispatcher._cache = cast(Any, LockedCache)(function)
    finally:
        config.CACHE_DIR = former


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        wait_for_lock(descriptor, f"the cache of compiled kernels {file.parent}", limit_s=SHORT_WAIT_S)
        yield
    finally:
        os.close(descriptor)


@cache
def _digest(module: str) -> str:
    """20 hexadecimal digits for the text of a module and of everything of ``bench.sim`` that it imports."""
    found = hashlib.sha256()
    for name in sorted(_imported(module)):
        found.update(name.encode())
        found.update(_text(name))
    return found.hexdigest()[:20]


def _imported(module: str) -> set[str]:
    """The module and all modules of ``bench.sim`` that it imports, directly or not."""
    found = {module}
    waiting = [module]
    while waiting:
        tree = ast.parse(_text(waiting.pop()))
        names = {name for node in ast.walk(tree) for name in _named(node)}
        new = {name for name in names if name.startswith(_PREFIX) and name in sys.modules} - found
        found |= new
        waiting += sorted(new)
    return found


def _named(node: ast.AST) -> set[str]:
    """What an import may load: ``from bench.sim import noise`` loads the module ``bench.sim.noise``, too."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def _text(module: str) -> bytes:
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    return Path(file).read_bytes() if file else b""
