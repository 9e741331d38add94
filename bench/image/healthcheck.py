"""The health check of an image: the image's configuration and the scenario's, resolved to a command and its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.agent.boxconf import MOST_TIMEOUT_MS, HealthCheck
from bench.scenario.healthcheck import Healthcheck
from bench.scenario.model import Ready, ReadyHealthcheck
from bench.util.errors import BuildError

DEFAULT_TIMEOUT_NS: Final = 30 * 10**9
"""How long a check may take where neither image nor scenario says it; Docker's default."""
_SHELL: Final = ("/bin/sh", "-c")


def resolve_healthcheck(config: Mapping[str, Any], given: Healthcheck | None) -> HealthCheck | None:
    """The check that an engine would run.

    Args:
        config: ``Config`` of the image, as the engine reports it.
        given: the scenario's, whose keys replace the image's.

    Returns:
        None: the image has none, or it is switched off (``NONE``).
    """
    own = config.get("Healthcheck") or {}
    test: Sequence[str] = (given and given.test) or own.get("Test") or ()
    argv = _argv(test, config.get("Shell") or _SHELL)
    if not argv:
        return None
    timeout_ns = (given and given.timeout) or int(own.get("Timeout") or 0) or DEFAULT_TIMEOUT_NS
    return HealthCheck(argv, min(max(1, timeout_ns // 10**6), MOST_TIMEOUT_MS))


def require_healthcheck(image: str, ready: Ready, check: HealthCheck | None) -> None:
    """Raise BuildError when boxes are to wait for a health check that there is not."""
    if isinstance(ready, ReadyHealthcheck) and check is None:
        raise BuildError(
            f"image {image} has no HEALTHCHECK, and ready.when is healthcheck",
            hint="add HEALTHCHECK to the Dockerfile or workload.healthcheck to the scenario, or change ready.when; "
            "images in the OCI format have lost theirs (podman build --format docker keeps it)",
        )


def _argv(test: Sequence[str], shell: Sequence[str]) -> tuple[str, ...]:
    form, words = (test[0], tuple(test[1:])) if test else ("NONE", ())
    if form == "CMD-SHELL":
        return (*shell, *words)
    return words if form == "CMD" else ()
