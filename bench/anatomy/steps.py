"""The named steps of a start, outermost first, and the shares into which they are summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Share = Literal["manage", "isolate", "mount", "start", "unattributed"]
SHARES: Final[tuple[Share, ...]] = ("manage", "isolate", "mount", "start", "unattributed")


@dataclass(frozen=True)
class Step:
    """One step. Its position in STEPS is its depth: if two steps are active at once, the later one is charged."""

    name: str
    label: str
    share: Share

    @property
    def short(self) -> str:
        """The label without its examples."""
        return self.label.split(" (")[0].split(":")[0]


UNATTRIBUTED: Final = "unattributed"

STEPS: Final = (
    Step("client", "client (harness, client library)", "manage"),
    Step("engine", "engine (dockerd, libvirtd, podman)", "manage"),
    Step("containerd", "containerd", "manage"),
    Step("storage", "storage: layers and overlay mount", "mount"),
    Step("shim", "shim, monitor", "manage"),
    Step("launcher", "launcher", "manage"),
    Step("runtime", "runtime (runc, crun, runsc, bwrap)", "manage"),
    Step("cgroups", "control groups", "isolate"),
    Step("namespaces", "namespaces", "isolate"),
    Step("mounts", "mounts in the box", "mount"),
    Step("hook", "network hook", "isolate"),
    Step("pivot", "pivot_root, chroot", "mount"),
    Step("vmm", "VM monitor (QEMU)", "isolate"),
    Step("firmware", "firmware, boot loader", "isolate"),
    Step("boot", "firmware, kernel", "isolate"),
    Step("kernel", "guest kernel", "isolate"),
    Step("initramfs", "initramfs, root", "mount"),
    Step("agent", "agent", "start"),
    Step("exec", "workload exec: of the agent, then of the workload", "start"),
    Step("application", "application", "start"),
    Step(UNATTRIBUTED, "unattributed: no step was active", "unattributed"),
)

_BY_NAME: Final = {step.name: step for step in STEPS}
DEPTH: Final = {step.name: depth for depth, step in enumerate(STEPS)}


def step_named(name: str) -> Step:
    """A step by its name. Raises KeyError."""
    return _BY_NAME[name]
