"""Answers about this host that take seconds to find: kept, a bad one not for long.

What works keeps working until the host, a program or a kernel changes, which is in the key. What did not work may have
been the load of a moment, another hypervisor that held the CPU, or a daemon that was just starting.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.util import cache

BAD_FOR_S: Final = 3600.0


def kept_answer(kind: str, key: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer under ``kind/key`` of the cache, asked for when there is none, or a bad one of an hour ago.

    Args:
        ask: gives what JSON can hold, with a ``reason`` that is None when the answer is good.

    Raises:
        HostUnfitError: the cache cannot be written; and whatever ``ask`` raises.
    """
    name = f"{key}.json"
    _forget_stale(cache.cache_dir() / kind / name)
    path = cache.ensure(kind, name, lambda partial: _write(partial, ask()))
    return _read(path)


def _forget_stale(path: Path) -> None:
    try:
        age_s = time.time() - path.stat().st_mtime
        # A clock that was set back makes it younger than nothing: asked again, too.
        if not 0 <= age_s < BAD_FOR_S and _read(path)["reason"] is not None:
            path.unlink()
    except FileNotFoundError:
        return


def _read(path: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return answer


def _write(path: Path, answer: dict[str, Any]) -> None:
    path.write_text(json.dumps(answer), encoding="utf-8")
