"""What must be equal on all machines of a sweep, so that they compute the same numbers."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from bench import __version__
from bench.util.errors import ExitCode, UsageError

_SIM: Final = Path(__file__).parents[1]


class OtherVersionError(UsageError):
    """A worker, or the sweep that is continued, is of another version."""

    exit_code = ExitCode.USAGE


@cache
def versions() -> Mapping[str, str]:
    """Versions by name; ``none``: not installed. ``code`` is a digest of the simulator's own source."""
    return {
        "boxbench": __version__,
        "code": _code(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("numpy", "scipy", "numba")},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _code() -> str:
    """12 hexadecimal digits: two checkouts of one version can differ."""
    found = hashlib.sha256()
    for file in sorted(_SIM.rglob("*.py")):
        found.update(str(file.relative_to(_SIM)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:12]


def check_versions(who: str, found: Mapping[str, str], *, hint: str) -> None:
    """Refuse another version. Raises OtherVersionError, which names all differences.

    Args:
        who: ``worker tcp://10.0.0.5:40123``.
    """
    ours = versions()
    different = [
        f"{name} {found.get(name, 'none')}, this is {ours[name]}" for name in ours if found.get(name) != ours[name]
    ]
    if different:
        raise OtherVersionError(f"workers of another version: {who} has {'; '.join(different)}", hint=hint)
