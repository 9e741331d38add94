"""The types of checks: what a check receives and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.doctor.install import NOTHING, Mend
from bench.doctor.machine import Machine, this_machine

Status = Literal["ok", "info", "warn", "fail"]
"""``fail``: some target cannot run. ``warn``: numbers will be noisier or less complete. ``info``: worth knowing."""


@dataclass(frozen=True)
class Check:
    """The result of a check, which the command prints as text or JSON."""

    name: str
    status: Status
    finding: str
    fix: str = ""
    """The next step in one sentence; empty if there is nothing to do."""
    mend: Mend = NOTHING
    """What installs what is missing; empty if nothing is, or if installing does not help."""


@dataclass(frozen=True)
class Host:
    """The input of every check."""

    facts: dict[str, Any]
    """The facts of ``bench.host.host_facts``."""
    root: Path
    """The directory that has /proc, /sys and /dev."""
    cache_dir: Path
    """The cache for images, kernels and disks; it need not exist."""
    machine: Machine = field(default_factory=this_machine)
    """How software is installed here."""
