"""An OCI runtime and nothing else: a bundle, and one process of the runtime to run it. No daemon, no shim, no client.

What is provision and what is request follows Docker, where the image has been pulled and nothing of the container
exists before the request. Provision: the image's tree unpacked (prepared once per image), the bundle with config.json
(a few hundred bytes that a caller writes), the channel's FIFOs. Request: mount the writable layer (overlayfs; Docker
mounts it inside its start too), marked `created`, then `RUNTIME run --detach`, which makes control groups, namespaces
and mounts, starts the agent and returns. The runtime is a program, so its exec is part of every use of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from bench.agent.channel import Fifos
from bench.engines.lazy import Engines
from bench.host.cgroup import PARENT, parents_for_runtimes
from bench.host.processes import children_of, living_pid
from bench.records.record import Endpoint
from bench.scenario.options import Value, check_options, path_option
from bench.scenario.target_table import TARGETS
from bench.targets import smoke_test
from bench.targets.base import Order
from bench.targets.containers.client import run_client
from bench.targets.containers.oci import Contents, contents_of, write_bundle
from bench.targets.overlay import Overlay
from bench.targets.rootfs_box import RootfsBox, RootfsTarget, rootfs_parts
from bench.util import proc
from bench.util.cache import describe_file, file_digest
from bench.util.errors import BoxbenchError

COMMAND_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class Runtime:
    """A runtime program, with runc's command line."""

    program: str
    package: str
    flags: tuple[str, ...] = ()
    """Before the subcommand."""
    chosen: Path | None = None
    """A build of the user's choice instead of what the package installs."""

    def argv(self, state: Path, *words: str | Path) -> list[str]:
        """A command line. Raises HostUnfitError when the program is not installed."""
        return [self._found(), *self.flags, "--root", str(state), *map(str, words)]

    def version(self) -> str:
        """What ``--version`` says first. Raises HostUnfitError."""
        return proc.run([self._found(), "--version"], timeout_s=10).text.partition("\n")[0].strip()

    def identity(self) -> tuple[str, ...]:
        """Version and flags, and of a chosen build its content. Raises HostUnfitError."""
        content = () if self.chosen is None else (file_digest(self.chosen),)
        return (self.version(), *self.flags, *content)

    def origin(self) -> dict[str, str]:
        """Which build was chosen, for ``describe``; nothing when none was."""
        return {} if self.chosen is None else {"program": describe_file(self.chosen)}

    def _found(self) -> str:
        return proc.require_tool(str(self.chosen or self.program), package=self.package)

    def why_refused(self, name: str) -> str | None:
        """By trying once on this host."""
        return smoke_test.why_refused(name, *self.identity(), attempt=self._attempt)

    def _attempt(self, directory: Path, name: str) -> proc.Result:
        contents = Contents(argv=smoke_test.ARGV, root=str(directory / "rootfs"), cgroup=f"/{PARENT}/{name}/try")
        write_bundle(directory, contents)
        try:
            return proc.run(
                self.argv(directory / "state", "run", "--bundle", directory, name),
                timeout_s=COMMAND_TIMEOUT_S,
                check=False,
            )
        finally:
            proc.run(
                self.argv(directory / "state", "delete", "--force", name), timeout_s=COMMAND_TIMEOUT_S, check=False
            )


class OciRuntimeTarget(RootfsTarget, ABC):
    """Common to runc, crun and runsc."""

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del engines, accel
        check_options(self.name, options, TARGETS[self.name].options)
        self.runtime = self.make_runtime(options)

    @abstractmethod
    def make_runtime(self, options: Mapping[str, Value]) -> Runtime:
        """The program, as the options want it."""

    def why_unavailable(self) -> str | None:
        """Needs root, the program, and a try that went well."""
        reason = super().why_unavailable()
        if reason is not None:
            return reason
        try:
            return self.runtime.why_refused(self.name)
        except BoxbenchError as error:
            return f"{self.name}: {error.message}"

    def describe(self) -> dict[str, str]:
        """Version and how it is asked."""
        return {
            "runtime": self.runtime.version(),
            **self.runtime.origin(),
            "request": f"overlay mount, then one process: {self.runtime.program} run --detach",
            "isolation": "namespaces (no user namespace), Docker's default capabilities; no seccomp, no AppArmor",
            "network": "none: a namespace with loopback only",
            "writable layer": "overlayfs, mounted after the request",
            "limits": "cpuset and memory control group",
        }

    @contextmanager
    def provision(self, order: Order) -> Iterator[OciBox]:
        """Write the bundle, make the FIFOs."""
        with parents_for_runtimes(), rootfs_parts(order) as (ends, overlay):
            box = self.make_box(order, ends, overlay)
            try:
                yield box
            finally:
                box.remove()

    def make_box(self, order: Order, ends: Fifos, overlay: Overlay) -> OciBox:
        """A box that is not running."""
        return OciBox(order, ends, overlay, self.runtime)


class RuncTarget(OciRuntimeTarget):
    """``runc run --detach``: the runtime under Docker, containerd and Kubernetes, without any of them."""

    name: ClassVar[str] = "runc"

    def make_runtime(self, options: Mapping[str, Value]) -> Runtime:
        """The installed runc, or another build."""
        return Runtime("runc", "runc", chosen=path_option(options, "program"))


class CrunTarget(OciRuntimeTarget):
    """``crun run --detach``: a runtime in C, where runc is in Go."""

    name: ClassVar[str] = "crun"

    def make_runtime(self, options: Mapping[str, Value]) -> Runtime:
        """The installed crun, or another build."""
        flags = ("--cgroup-manager", "cgroupfs")
        return Runtime("crun", "crun", flags, chosen=path_option(options, "program"))


class OciBox(RootfsBox):
    """A container by its runtime's command line; everything of the runtime's own is in the box's run directory."""

    def __init__(self, order: Order, ends: Fifos, overlay: Overlay, runtime: Runtime) -> None:
        super().__init__(order, ends, overlay)
        self._runtime = runtime
        self._state = order.directory / "state"
        self._bundle = order.directory / "bundle"
        self._pid_file = order.directory / "pid"
        self._spent_ns = 0
        write_bundle(self._bundle, contents_of(order, root=str(overlay.root), channel=ends.directory))

    def start(self) -> None:
        """Mount the writable layer, run the runtime to the end of its own process. Raises LaunchError."""
        self.overlay.mount()
        self.order.mark(Endpoint.CREATED)
        # The container inherits what the runtime has, so these files are its output, and the runtime's complaints.
        self._spent_ns = run_client(self.run_argv(), stdout=self.stdout, stderr=self.stderr)

    def run_argv(self) -> list[str]:
        """The command line that starts the container."""
        words = ("run", "--detach", "--bundle", self._bundle, "--pid-file", self._pid_file, self.order.tag)
        return self._runtime.argv(self._state, *words)

    def spent_ns(self) -> Mapping[str, int]:
        """Of the runtime's own process, which is in no control group of the box."""
        return {"runtime": self._spent_ns}

    def main_pid(self) -> int | None:
        """The container's first process, as the host numbers it."""
        return living_pid(self._pid_file)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The agent and what it runs; no process of the runtime stays."""
        pid = self.main_pid()
        return {} if pid is None else {"agent": (pid,), "workload": children_of(pid)}

    def stop(self) -> None:
        """Ask the runtime for a SIGTERM to the agent, which passes the image's stop signal on."""
        self._ask("kill", self.order.tag, "TERM")

    def kill(self) -> None:
        """SIGKILL, through the runtime."""
        self._ask("kill", self.order.tag, "KILL")

    def remove(self) -> None:
        """Delete the container, running or not."""
        if self._state.exists():
            self._ask("delete", "--force", self.order.tag)

    def _ask(self, *words: str) -> None:
        # A container that has ended already is refused, and that is fine; what is left is found by its tag.
        proc.run(self._runtime.argv(self._state, *words), timeout_s=COMMAND_TIMEOUT_S, check=False)
