"""What a live test needs: missing engines are skips for people and failures in CI, which installs everything."""

from __future__ import annotations

import os
import re
from typing import Final

import pytest

HOST_CANNOT: Final = "this host cannot: "

# Why a target may be left out in CI too: the machine or its kernel lacks it, and no package brings it.
_NO_PACKAGE_BRINGS: Final = re.compile(r"hybrid|/dev/kvm|did not boot under|cgroup v[12]|tracefs|nested", re.IGNORECASE)


def in_ci() -> bool:
    """Whether this is a CI run."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def need(missing: str | None) -> None:
    """Skip with what is missing, or fail in CI; nothing when ``missing`` is None.

    Args:
        missing: one sentence, such as ``Target.why_unavailable()`` returns.
    """
    if missing is not None:
        (pytest.fail if in_ci() else pytest.skip)(missing)


def host_cannot(reason: str) -> None:
    """Skip, in CI too, for what no package brings: a CPU without KVM, a kernel without a feature."""
    pytest.skip(HOST_CANNOT + reason)


def need_target(reason: str) -> None:
    """Skip a test of a target that this host cannot run; in CI only for what no package brings.

    Args:
        reason: what ``Target.why_unavailable()`` says.
    """
    if _NO_PACKAGE_BRINGS.search(reason):
        host_cannot(reason)
    need(reason)
