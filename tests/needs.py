"""What a test needs from the host. A missing engine skips the test, and fails it in CI, which installs everything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

HOST_CANNOT: Final = "this host cannot: "

# Reasons of targets that no package can remove: the machine or its kernel lacks something.
_NO_PACKAGE_HELPS: Final = re.compile(r"hybrid|/dev/kvm|did not boot under|cgroup v[12]|tracefs|nested", re.IGNORECASE)


LIVE_FOLDERS: Final = tuple(Path(__file__).parent / name for name in ("contract", "live"))
"""The only folders with live tests. ``nox -s live`` looks nowhere else."""


def in_ci() -> bool:
    """Whether this is a CI run: the variable ``CI`` is 1, true or yes."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def need(missing: str | None) -> None:
    """Skip the test when something is missing; in CI, fail it.

    Args:
        missing: one sentence that names what is missing, such as ``Target.why_unavailable()`` returns; None when
            nothing is.
    """
    if missing is not None:
        (pytest.fail if in_ci() else pytest.skip)(missing)


def host_cannot(reason: str) -> None:
    """Skip the test, in CI too: no package can provide what is missing, such as KVM or a kernel feature."""
    pytest.skip(HOST_CANNOT + reason)


def need_target(reason: str) -> None:
    """Skip a test of a target that this host cannot run; in CI, fail it if a package could help.

    Args:
        reason: what ``Target.why_unavailable()`` returned.
    """
    if _NO_PACKAGE_HELPS.search(reason):
        host_cannot(reason)
    need(reason)


def fail_skip(report: pytest.TestReport) -> None:
    """Turn the report of a skipped test into a failure, unless ``host_cannot`` skipped it."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if HOST_CANNOT not in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where everything is installed: {reason}"


def refuse_strays(items: Iterable[pytest.Item]) -> None:
    """Raise UsageError: a test outside LIVE_FOLDERS has the mark ``live``."""
    for item in items:
        if item.get_closest_marker("live") and not any(item.path.is_relative_to(folder) for folder in LIVE_FOLDERS):
            raise pytest.UsageError(f"{item.nodeid} is live: move it to tests/live, where `nox -s live` finds it")
