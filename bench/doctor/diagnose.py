"""The list of all checks, and running them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from bench.doctor import reaping, settings, tools
from bench.doctor.check import Check, Host
from bench.host import host_facts
from bench.host.read import HOST_ROOT
from bench.util.cache import cache_dir as default_cache_dir
from bench.util.errors import BoxbenchError

CHECKS: Final[tuple[Callable[[Host], Check], ...]] = (
    tools.check_root,
    tools.check_kvm,
    tools.check_docker,
    tools.check_buildkit,
    tools.check_libvirt,
    tools.check_qemu,
    tools.check_uml,
    tools.check_mke2fs,
    tools.check_mmdebstrap,
    tools.check_compiler,
    tools.check_disk,
    settings.check_memory,
    settings.check_cgroup,
    settings.check_tracefs,
    settings.check_pressure,
    settings.check_clocksource,
    settings.check_virtualised,
    settings.check_governor,
    settings.check_turbo,
    settings.check_smt,
    settings.check_swap,
    settings.check_sharing,
    settings.check_mitigations,
    settings.check_counters,
    settings.check_load,
    reaping.check_orphans,
)


def diagnose(
    *,
    root: Path = HOST_ROOT,
    cache_dir: Path | None = None,
    extra: Sequence[Callable[[Host], Check]] = (),
    checks: Sequence[Callable[[Host], Check]] = CHECKS,
) -> list[Check]:
    """Run the checks. They take a few seconds and leave nothing on the host.

    Args:
        root: the directory that has /proc, /sys and /dev. Tools are always those of the real host.
        cache_dir: the cache to check; None means ``bench.util.cache.cache_dir()``.
        extra: further checks that take longer, such as booting a guest kernel under KVM.
        checks: the checks to run before ``extra``.

    Raises:
        HostUnfitError: the cache directory cannot be created.
    """
    cache = cache_dir or default_cache_dir()
    host = Host(host_facts(root, cache_dir=cache), root, cache)
    return [_run(check, host) for check in (*checks, *extra)]


def unfit(checks: Iterable[Check]) -> bool:
    """Whether a check failed, which means that some target cannot run."""
    return any(check.status == "fail" for check in checks)


def _run(check: Callable[[Host], Check], host: Host) -> Check:
    try:
        return check(host)
    except (BoxbenchError, OSError) as error:
        hint = error.hint if isinstance(error, BoxbenchError) else "check that this file or device can be read"
        name = check.__name__.removeprefix("check_").replace("_", "-")
        return Check(name, "warn", f"could not be checked: {error}", hint)
