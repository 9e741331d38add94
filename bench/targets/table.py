"""Targets of this host, made from their rows in the table of targets."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from bench.engines.lazy import Engines
from bench.scenario.model import TargetSpec
from bench.scenario.options import check_accel
from bench.scenario.target_table import TARGETS, target_info
from bench.targets.base import Target
from bench.util.errors import BoxbenchError


def target_class(name: str) -> Any:
    """The class of a target; its module is imported now. Raises UsageError that names all targets."""
    module, _, attribute = target_info(name).implementation.partition(":")
    return getattr(import_module(module), attribute)


def make_target(spec: TargetSpec, engines: Engines, *, accel: str) -> Target:
    """A target for this host.

    Args:
        accel: the accelerator of VM targets: ``auto``, ``kvm`` or ``tcg``. Other targets ignore it.

    Raises:
        UsageError: unknown target, option or accelerator.
        TargetUnavailableError: the requested accelerator does not work here.
    """
    check_accel(accel)
    made: Target = target_class(spec.target)(spec.options, engines, accel=accel)
    return made


def availability(engines: Engines) -> dict[str, str | None]:
    """Every target by name: None when this host can run it, else the reason."""
    return {name: _why_unavailable(name, engines) for name in TARGETS}


def _why_unavailable(name: str, engines: Engines) -> str | None:
    try:
        # With "auto", choosing an accelerator would boot a guest.
        return make_target(TargetSpec(target=name), engines, accel="tcg").why_unavailable()
    except BoxbenchError as error:
        return error.message
