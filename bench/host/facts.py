"""Facts about the host, as a flat dict of JSON values, and a fingerprint of those that make numbers comparable."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.host.mounts import cgroup_mode, filesystem_of, read_mounts
from bench.host.read import HOST_ROOT, parse_cpu_list, parse_sizes, read_int, read_text

Fact = Any
"""A JSON value: str, int, bool, list or dict of them."""

# MemTotal varies by a few KiB between boots of one machine, and by far more than this between sizes of machine.
_MEMORY_STEP_BYTES: Final = 256 * 2**20

_FINGERPRINT_KEYS: Final = (
    "architecture",
    "cpu_model",
    "cpus_online",
    "threads_per_core",
    "kernel_release",
    "distribution",
    "virtualised",
    "hypervisor",
)


def host_facts(root: Path = HOST_ROOT, *, cache_dir: Path | None = None) -> dict[str, Fact]:
    """Everything about this host that readers of its numbers may want to know.

    Args:
        root: the directory that has /proc, /sys, /etc and /dev.
        cache_dir: a directory whose file system type is reported; None reports none.

    Returns:
        A flat dict of JSON values; sizes in bytes. A fact that could not be read is absent, and the list
        ``unknown`` has its name.
    """
    facts: dict[str, Fact] = {}
    for name, read in _READERS.items():
        facts[name] = read(root)
    facts["python"] = platform.python_version()
    if cache_dir is not None:
        facts["cache_filesystem"] = filesystem_of(read_mounts(root), cache_dir)
    known = {name: value for name, value in facts.items() if value is not None}
    return {**known, "unknown": sorted(set(facts) - set(known))}


def fingerprint(facts: dict[str, Fact]) -> str:
    """Twelve hexadecimal digits that are equal for two hosts whose numbers may be compared.

    They depend on CPU model and count, kernel release, memory size, virtualisation and distribution. They do not
    depend on the host's name, on settings that users change (governor, turbo), or on anything that varies over time.
    """
    parts = {key: facts.get(key) for key in _FINGERPRINT_KEYS}
    memory = facts.get("memory_bytes")
    parts["memory_steps"] = None if memory is None else -(-memory // _MEMORY_STEP_BYTES)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def boot_mark(root: Path = HOST_ROOT) -> str | None:
    """Twelve hexadecimal digits that differ between two boots of this host; None if the kernel does not tell."""
    boot = read_text(root, "proc/sys/kernel/random/boot_id")
    return hashlib.sha256(boot.encode()).hexdigest()[:12] if boot else None


def parse_cpuinfo(text: str) -> dict[str, str]:
    """The fields of the first processor in /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in text.split("\n\n", 1)[0].splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields[name.strip()] = value.strip()
    return fields


def parse_os_release(text: str) -> str | None:
    """Distribution and version from /etc/os-release, such as ``debian 13``; None if it has neither."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    words = [fields[key].strip("\"'") for key in ("ID", "VERSION_ID") if key in fields]
    return " ".join(words) or None


# The other parameters name disks, addresses and consoles, which are private and do not affect speed.
_SPEED_PARAMETER: Final = re.compile(
    r"(mitigations|no[a-z_]*|isolcpus|rcu_nocbs\S*|intel_\w+|amd_\w+|\w*idle[\w.]*|processor\.\S+|psi|tsc|clocksource"
    r"|transparent_hugepage|\w*hugepage\w*|cgroup\w*|systemd\.\w*cgroup\w*|preempt|threadirqs|kvm[\w.-]*|nested\w*"
    r"|spec\w*|retbleed|mds|l1tf|tsx\w*|pti|mce|skew_tick|swapaccount|zswap\S*|workqueue\.\S+|iommu\w*)(=\S*)?"
)


def speed_parameters(command_line: str | None) -> list[str] | None:
    """The kernel parameters that can affect speed, in order. Parameters after ``--`` are those of init."""
    if command_line is None:
        return None
    words = command_line.split(" -- ", 1)[0].split()
    return [word for word in words if _SPEED_PARAMETER.fullmatch(word)]


def bracketed(text: str) -> str | None:
    """The chosen value, which is in brackets: ``madvise`` for ``always [madvise] never``. None if there is none."""
    match = re.search(r"\[(\S+)\]", text)
    return match[1] if match else None


def _cpuinfo(root: Path) -> dict[str, str]:
    return parse_cpuinfo(read_text(root, "proc/cpuinfo") or "")


def _cpu_model(root: Path) -> str | None:
    info = _cpuinfo(root)
    # Arm kernels report no model name. Implementer and part number identify a core.
    arm = " ".join(info[key] for key in ("CPU implementer", "CPU part") if key in info)
    return info.get("model name") or arm or None


def _cpus_online(root: Path) -> int | None:
    try:
        return parse_cpu_list(read_text(root, "sys/devices/system/cpu/online") or "")
    except ValueError:
        return None


def _threads_per_core(root: Path) -> int | None:
    try:
        return parse_cpu_list(read_text(root, "sys/devices/system/cpu/cpu0/topology/thread_siblings_list") or "")
    except ValueError:
        return None


def _governors(root: Path) -> list[str] | None:
    found = {
        text
        for file in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
        if (text := read_text(root, str(file.relative_to(root))))
    }
    return sorted(found) or None


def _turbo(root: Path) -> str | None:
    boost = read_int(root, "sys/devices/system/cpu/cpufreq/boost")
    no_turbo = read_int(root, "sys/devices/system/cpu/intel_pstate/no_turbo")
    if no_turbo is not None:
        return "off" if no_turbo else "on"
    return None if boost is None else ("on" if boost else "off")


def _mitigations(root: Path) -> dict[str, str] | None:
    folder = root / "sys/devices/system/cpu/vulnerabilities"
    try:
        names = sorted(file.name for file in folder.iterdir())
    except OSError:
        return None
    states = {name: read_text(folder, name) for name in names}
    return {name: state for name, state in states.items() if state and state != "Not affected"}


def _virtualised(root: Path) -> bool | None:
    flags = _cpuinfo(root).get("flags")
    if flags is not None:
        return "hypervisor" in flags.split()
    # Only x86 has the flag. Elsewhere the firmware or Xen may name a hypervisor; if none is named, nothing is known.
    return True if _hypervisor(root) else None


_HYPERVISORS: Final = (
    "QEMU",
    "KVM",
    "Amazon EC2",
    "Google Compute Engine",
    "VMware",
    "VirtualBox",
    "Xen",
    "Virtual Machine",
    "OpenStack",
    "Bochs",
    "Parallels",
)


def _hypervisor(root: Path) -> str | None:
    texts = [
        read_text(root, path) or ""
        for path in ("sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name", "sys/hypervisor/type")
    ]
    named = " ".join(texts).lower()
    return next((name for name in _HYPERVISORS if name.lower() in named), None)


def _container(root: Path) -> str | None:
    for path, name in ((".dockerenv", "docker"), ("run/.containerenv", "podman")):
        if (root / path).exists():
            return name
    return read_text(root, "run/systemd/container") or "none"


def _kvm(root: Path) -> dict[str, str] | None:
    modules = root / "sys/module"
    if not modules.is_dir():
        return None
    found = sorted(path.name for path in modules.glob("kvm*"))
    nested = [read_text(root, f"sys/module/{name}/parameters/nested") for name in found]
    state = {"device": "present" if (root / "dev/kvm").exists() else "absent", "modules": " ".join(found)}
    return {**state, **({"nested": value} if (value := next(filter(None, nested), None)) else {})}


def _memory(name: str) -> Callable[[Path], int | None]:
    def read(root: Path) -> int | None:
        return parse_sizes(read_text(root, "proc/meminfo") or "").get(name)

    return read


def _text(path: str) -> Callable[[Path], str | None]:
    def read(root: Path) -> str | None:
        return read_text(root, path) or None

    return read


def _ksm(root: Path) -> str | None:
    run = read_int(root, "sys/kernel/mm/ksm/run")
    # 2 unmerges everything and stops, so nothing is shared.
    return None if run is None else ("on" if run == 1 else "off")


def _page_bytes(_root: Path) -> int:
    return os.sysconf("SC_PAGE_SIZE")


_READERS: Final[dict[str, Callable[[Path], Fact]]] = {
    "architecture": lambda _root: platform.machine() or None,
    "cpu_model": _cpu_model,
    "cpu_microcode": lambda root: _cpuinfo(root).get("microcode"),
    "cpus_online": _cpus_online,
    "threads_per_core": _threads_per_core,
    "smt": _text("sys/devices/system/cpu/smt/control"),
    "governors": _governors,
    "turbo": _turbo,
    "mitigations": _mitigations,
    "virtualised": _virtualised,
    "hypervisor": _hypervisor,
    "container": _container,
    "kvm": _kvm,
    "memory_bytes": _memory("MemTotal"),
    "swap_bytes": _memory("SwapTotal"),
    "kernel_release": _text("proc/sys/kernel/osrelease"),
    "kernel_version": _text("proc/sys/kernel/version"),
    "kernel_parameters": lambda root: speed_parameters(read_text(root, "proc/cmdline")),
    "distribution": lambda root: parse_os_release(read_text(root, "etc/os-release") or ""),
    "cgroup": lambda root: cgroup_mode(read_mounts(root)),
    "clocksource": _text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
    "thp": lambda root: bracketed(read_text(root, "sys/kernel/mm/transparent_hugepage/enabled") or ""),
    "ksm": _ksm,
    "page_bytes": _page_bytes,
}
