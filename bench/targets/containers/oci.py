"""An OCI bundle's config.json, as close as possible to the one that Docker's engine writes.

Namespaces, mounts, masked paths, capabilities and control group limits are the same. Three things differ, and targets
describe them: there is no seccomp filter (Docker's default filter is compiled into dockerd), no AppArmor profile, and
/etc/hosts and similar files are mounted only where the root has none of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.agent.boxconf import CHANNEL_IN_BOX, HOSTNAME
from bench.host.cgroup import PARENT
from bench.host.mounts import CgroupMode, cgroup_mode, read_mounts
from bench.host.read import HOST_ROOT
from bench.targets.base import Order
from bench.targets.rootfs_box import INHERITING_AGENT_ARGV

OCI_VERSION: Final = "1.0.2"

# moby/oci/caps/defaults.go
CAPABILITIES: Final = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
# moby/oci/defaults.go
_MASKED: Final = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
_READONLY: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_SAFE: Final = ("nosuid", "noexec", "nodev")
_MOUNTS: Final = (
    ("/proc", "proc", _SAFE),
    ("/dev", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    ("/sys", "sysfs", (*_SAFE, "ro")),
    ("/sys/fs/cgroup", "cgroup", (*_SAFE, "ro")),
    ("/dev/mqueue", "mqueue", _SAFE),
    ("/dev/shm", "tmpfs", (*_SAFE, "mode=1777", "size=67108864")),
)


@dataclass(frozen=True)
class Contents:
    """The values in which bundles differ."""

    argv: Sequence[str]
    root: str
    """The mounted root file system."""
    env: Sequence[str] = ("PATH=/",)
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: Sequence[int] = ()
    binds: Mapping[str, str] = field(default_factory=dict)
    """Path in the box by file or directory on the host."""
    volumes: Mapping[Path, str] = field(default_factory=dict)
    """The same for the image's volumes. Device nodes in them do not work."""
    memory_bytes: int | None = None
    cpus: Sequence[int] = ()
    cgroup: str | None = None
    """Path of the control group below the root of each hierarchy; None: the runtime's default."""


def contents_of(
    order: Order, *, root: str, channel: Path, volumes: Mapping[Path, str], files: Mapping[str, str] | None = None
) -> Contents:
    """The values of a box's bundle.

    Args:
        files: files of the host to be mounted, by path: their places in the box.
    """
    config = order.image.config
    return Contents(
        argv=INHERITING_AGENT_ARGV,
        root=root,
        env=config.env,
        cwd=config.cwd,
        uid=config.uid,
        gid=config.gid,
        groups=config.groups,
        binds={str(channel): CHANNEL_IN_BOX, **(files or {})},
        volumes=volumes,
        memory_bytes=order.resources.memory,
        cpus=order.cpus,
        cgroup=f"/{PARENT}/{order.tag}",
    )


def oci_config(contents: Contents, host: Path = HOST_ROOT, *, mode: CgroupMode | None = None) -> dict[str, Any]:
    """config.json as data.

    Args:
        host: the root of the host's file system.
        mode: the control group mode; None: the mode of ``host``.
    """
    mode = mode or cgroup_mode(read_mounts(host))
    return {
        "ociVersion": OCI_VERSION,
        "process": _process(contents),
        "root": {"path": contents.root, "readonly": False},
        "hostname": HOSTNAME,
        "mounts": _mounts(contents),
        "linux": _linux(contents, mode, host),
    }


def write_bundle(directory: Path, contents: Contents) -> None:
    """Make ``directory`` and write config.json into it."""
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(oci_config(contents)), encoding="utf-8")


def _process(contents: Contents) -> dict[str, Any]:
    sets = ("bounding", "effective", "permitted")
    # Like Docker: a user other than root gets a bounding set only.
    kept = CAPABILITIES if contents.uid == 0 else ()
    return {
        "terminal": False,
        "user": {"uid": contents.uid, "gid": contents.gid, "additionalGids": list(contents.groups)},
        "args": list(contents.argv),
        "env": list(contents.env),
        "cwd": contents.cwd,
        "capabilities": {name: list(CAPABILITIES if name == "bounding" else kept) for name in sets},
        "noNewPrivileges": False,
    }


def _mounts(contents: Contents) -> list[dict[str, Any]]:
    fixed = [
        {"destination": place, "type": kind, "source": kind, "options": list(options)}
        for place, kind, options in _MOUNTS
    ]
    bound = [
        {"destination": place, "type": "bind", "source": source, "options": ["rbind", "rprivate"]}
        for source, place in contents.binds.items()
    ]
    volumes = [
        {"destination": place, "type": "bind", "source": str(source), "options": ["rbind", "rprivate", "nodev"]}
        for source, place in contents.volumes.items()
    ]
    return fixed + bound + volumes


def _linux(contents: Contents, mode: CgroupMode | None, host: Path) -> dict[str, Any]:
    # Docker's default: a control group namespace on version 2 only.
    names = ["pid", "network", "ipc", "uts", "mount", *(["cgroup"] if mode == "v2" else [])]
    linux: dict[str, Any] = {
        "namespaces": [{"type": name} for name in names],
        "maskedPaths": list(_MASKED),
        "readonlyPaths": list(_READONLY),
        "resources": _resources(contents, mode, host),
    }
    if contents.cgroup is not None:
        linux["cgroupsPath"] = contents.cgroup
    return linux


def _resources(contents: Contents, mode: CgroupMode | None, host: Path) -> dict[str, Any]:
    resources: dict[str, Any] = {"devices": [{"allow": False, "access": "rwm"}]}
    if contents.memory_bytes is not None:
        resources["memory"] = {"limit": contents.memory_bytes}
        # Equal to the memory limit means no swap. A runtime fails where the kernel does not account swap.
        if mode == "v2" or (host / "sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists():
            resources["memory"]["swap"] = contents.memory_bytes
    if contents.cpus:
        resources["cpu"] = {"cpus": ",".join(map(str, contents.cpus))}
    return resources
