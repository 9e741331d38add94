"""The named steps of a start, outermost first, and the shares into which they are summed."""

from __future__ import annotations

from collections.abc import Iterable
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
    what: str
    """What happens in it, in one line."""

    @property
    def short(self) -> str:
        """The label without its examples."""
        return self.label.split(" (")[0].split(":")[0]


UNATTRIBUTED: Final = "unattributed"

STEPS: Final = (
    Step(
        "client",
        "client (harness, client library)",
        "manage",
        "Boxbench and the client's library, up to the request and between its calls",
    ),
    Step("engine", "engine (dockerd, libvirtd, podman)", "manage", "the engine's own work"),
    Step("containerd", "containerd", "manage", "containerd's own work: the container's record, its task, its shim"),
    Step("storage", "storage: layers and overlay mount", "mount", "the writable layer is made and mounted"),
    Step("shim", "shim, monitor", "manage", "the process that stays beside each container"),
    Step("launcher", "launcher", "manage", "Boxbench's program that starts a bare process or QEMU"),
    Step("runtime", "runtime (runc, crun, runsc, bwrap)", "manage", "the OCI runtime's own work"),
    Step("cgroups", "control groups", "isolate", "control groups are made and joined"),
    Step("namespaces", "namespaces", "isolate", "namespaces are made and joined"),
    Step("mounts", "mounts in the box", "mount", "the box's /proc, /dev and volumes are mounted"),
    Step(
        "hook",
        "network hook",
        "isolate",
        "the runtime runs dockerd's helper for the network namespace, with network none too",
    ),
    Step("pivot", "pivot_root, chroot", "mount", "the image's files become the root"),
    Step("vmm", "VM monitor (QEMU)", "isolate", "QEMU's own work, before the guest and beside it"),
    Step("firmware", "firmware, boot loader", "isolate", "from the guest's first instruction to its kernel"),
    Step("boot", "firmware, kernel", "isolate", "firmware and guest kernel, where nothing tells them apart"),
    Step("kernel", "guest kernel", "isolate", "from the guest kernel's first output to its first program"),
    Step("initramfs", "initramfs, root", "mount", "the guest's first program mounts the image's files"),
    Step("agent", "agent", "start", "Boxbench's agent in the box"),
    Step("exec", "workload exec: of the agent, then of the workload", "start", "the kernel loads the program"),
    Step("application", "application", "start", "the workload itself, until it is ready"),
    Step(UNATTRIBUTED, "unattributed: no step was active", "unattributed", "nothing of the start was active"),
)

_BY_NAME: Final = {step.name: step for step in STEPS}
DEPTH: Final = {step.name: depth for depth, step in enumerate(STEPS)}


def explained(names: Iterable[str]) -> tuple[str, ...]:
    """``network hook: what happens in it`` for each step, in the order of STEPS."""
    wanted = set(names)
    return tuple(f"{step.short}: {step.what}" for step in STEPS if step.name in wanted)


def step_named(name: str) -> Step:
    """A step by its name. Raises KeyError."""
    return _BY_NAME[name]
