"""crun alone: a runtime in C where runc is in Go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from bench.scenario.options import Value, path_option
from bench.targets.containers.oci_runtime import OciRuntimeTarget, Runtime


class CrunTarget(OciRuntimeTarget):
    """``crun run --detach``."""

    name: ClassVar[str] = "crun"

    def make_runtime(self, options: Mapping[str, Value]) -> Runtime:
        """Another build of crun is an option."""
        flags = ("--cgroup-manager", "cgroupfs")
        return Runtime("crun", "crun", flags, chosen=path_option(options, "program"))
