"""runc alone: the runtime under Docker, containerd and Kubernetes, without any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from bench.scenario.options import Value, path_option
from bench.targets.containers.oci_runtime import OciRuntimeTarget, Runtime


class RuncTarget(OciRuntimeTarget):
    """``runc run --detach``."""

    name: ClassVar[str] = "runc"

    def make_runtime(self, options: Mapping[str, Value]) -> Runtime:
        """Another build of runc is an option."""
        return Runtime("runc", "runc", chosen=path_option(options, "program"))
