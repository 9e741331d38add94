"""What a check is, and what it is given to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["ok", "info", "warn", "fail"]
"""``fail``: some target cannot run. ``warn``: numbers will be worse than they could be. ``info``: good to know."""


@dataclass(frozen=True)
class Check:
    """One finding about the host, for people and for ``--json``."""

    name: str
    status: Status
    finding: str
    fix: str = ""
    """The next step as one sentence; empty when there is nothing to do."""


@dataclass(frozen=True)
class Host:
    """What the checks look at."""

    facts: dict[str, Any]
    """From ``bench.host.host_facts``."""
    root: Path
    cache_dir: Path
    """Where images, kernels and disks will be; need not exist yet."""
