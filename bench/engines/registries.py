"""What the host's own Docker Engine is told about registries, which a private one must know too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from bench.util.errors import HostUnfitError

DAEMON_SETTINGS: Final = Path("/etc/docker/daemon.json")
_KEYS: Final = (
    "registry-mirrors",
    "insecure-registries",
    "allow-nondistributable-artifacts",
    "proxies",
    "dns",
    "max-download-attempts",
    "max-concurrent-downloads",
)
"""What decides from where and how images are pulled. Everything else in the file belongs to that engine alone."""


def registry_settings(file: Path = DAEMON_SETTINGS) -> dict[str, Any]:
    """The settings of the host's Docker Engine that concern registries; empty if it has none.

    Raises:
        HostUnfitError: the file cannot be read or is no JSON object. To ignore it would pull past the host's mirror.
    """
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(file, error.strerror or "it cannot be read") from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, f"it is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise _unreadable(file, "it is not a JSON object")
    return {key: found[key] for key in _KEYS if key in found}


def _unreadable(file: Path, why: str) -> HostUnfitError:
    return HostUnfitError(
        f"the settings of this host's Docker Engine in {file}, from which a private one takes its mirrors and proxies, "
        f"cannot be used: {why}",
        hint="correct the file; Docker would refuse it too",
    )
