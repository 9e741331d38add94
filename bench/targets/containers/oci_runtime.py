"""An OCI runtime alone: one process of the runtime runs a bundle. There is no daemon, no shim and no client.

The border between provisioning and request follows Docker, where the image has been pulled and nothing of the
container exists before the request. Provisioning makes the bundle with config.json (a caller writes it; it has a few
hundred bytes) and the channel's FIFOs. The image's tree is unpacked once per image. The request mounts the writable
layer (an overlayfs, which Docker mounts during its start too), marks `created`, and executes `RUNTIME run --detach`.
That command makes control groups, namespaces and mounts, starts the agent and returns. The runtime is a program, so
its exec is part of every start.
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
from bench.records.component import Component
from bench.records.record import Endpoint
from bench.scenario.options import Value, check_options, path_option
from bench.scenario.target_table import TARGETS
from bench.targets import smoke_test
from bench.targets.base import Order
from bench.targets.containers.client import run_client
from bench.targets.containers.oci import Contents, contents_of, write_bundle
from bench.targets.overlay import Overlay
from bench.targets.rootfs_box import RootfsBox, RootfsTarget, agent_user, rootfs_parts
from bench.util import proc
from bench.util.cache import describe_file, file_digest
from bench.util.errors import BoxbenchError

COMMAND_TIMEOUT_S: Final = 60.0
# A chosen build may need its libraries. Nothing of the host's environment reaches the box: its bundle names it all.
RUNTIME_VARIABLES: Final = ("XDG_RUNTIME_DIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Runtime:
    """A runtime program with runc's command-line interface."""

    program: str
    package: str
    flags: tuple[str, ...] = ()
    """Options before the subcommand."""
    chosen: Path | None = None
    """A build that the user has chosen; None: the one that the package installs."""

    def argv(self, state: Path, *arguments: str | Path) -> list[str]:
        """A command line. Raises HostUnfitError when the program is not installed."""
        return [self._found(), *self.flags, "--root", str(state), *map(str, arguments)]

    def version(self) -> str:
        """The first line of ``--version``. Raises HostUnfitError."""
        return proc.run([self._found(), "--version"], timeout_s=10).text.partition("\n")[0].strip()

    def identity(self) -> tuple[str, ...]:
        """Version and flags, and the digest of a chosen build. Raises HostUnfitError."""
        content = () if self.chosen is None else (file_digest(self.chosen),)
        return (self.version(), *self.flags, *content)

    def origin(self) -> dict[str, str]:
        """The chosen build, for ``describe``; empty when none was chosen."""
        return {} if self.chosen is None else {"program": describe_file(self.chosen)}

    def _found(self) -> str:
        return proc.require_tool(str(self.chosen or self.program), package=self.package)

    def why_refused(self, name: str) -> str | None:
        """None when a smoke test runs a container on this host, else the reason."""
        return smoke_test.why_refused(name, *self.identity(), attempt=self._attempt)

    def _attempt(self, directory: Path, name: str) -> proc.Result:
        contents = Contents(argv=smoke_test.ARGV, root=str(directory / "rootfs"), cgroup=f"/{PARENT}/{name}/try")
        write_bundle(directory, contents)
        try:
            return proc.run(
                self.argv(directory / "state", "run", "--bundle", directory, name),
                timeout_s=COMMAND_TIMEOUT_S,
                check=False,
                keep=RUNTIME_VARIABLES,
            )
        finally:
            proc.run(
                self.argv(directory / "state", "delete", "--force", name),
                timeout_s=COMMAND_TIMEOUT_S,
                check=False,
                keep=RUNTIME_VARIABLES,
            )


class OciRuntimeTarget(RootfsTarget, ABC):
    """The base of the targets runc, crun and gvisor."""

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del engines, accel
        check_options(self.name, options, TARGETS[self.name].options)
        self.runtime = self.make_runtime(options)

    @abstractmethod
    def make_runtime(self, options: Mapping[str, Value]) -> Runtime:
        """The runtime program that the options select."""

    def why_unavailable(self) -> str | None:
        """Needs root, the program, and a smoke test that passes."""
        reason = super().why_unavailable()
        if reason is not None:
            return reason
        try:
            return self.runtime.why_refused(self.name)
        except BoxbenchError as error:
            return f"{self.name}: {error.message}"

    def describe(self) -> dict[str, str]:
        """Version, request, isolation and limits."""
        return {
            "runtime": self.runtime.version(),
            **self.runtime.origin(),
            "request": f"overlay mount, then one process: {self.runtime.program} run --detach",
            "isolation": "namespaces (no user namespace), Docker's default capabilities; no seccomp, no AppArmor",
            "network": "none: a namespace with loopback only",
            "writable layer": "overlayfs, mounted after the request",
            "limits": "cpuset and memory control group of the container; the runtime is bound to no CPUs",
        }

    @contextmanager
    def provision(self, order: Order) -> Iterator[OciBox]:
        """Write the bundle and make the FIFOs."""
        parts = rootfs_parts(order, agent=agent_user(order))
        with parents_for_runtimes(), parts as (ends, overlay):
            box = self.make_box(order, ends, overlay)
            try:
                yield box
            finally:
                box.remove()

    def make_box(self, order: Order, ends: Fifos, overlay: Overlay) -> OciBox:
        """A box that does not run yet."""
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
    """A container that is run by a runtime's commands. The runtime's state is in the box's run directory."""

    def __init__(self, order: Order, ends: Fifos, overlay: Overlay, runtime: Runtime) -> None:
        super().__init__(order, ends, overlay)
        self._runtime = runtime
        self._state = order.directory / "state"
        self._bundle = order.directory / "bundle"
        self._pid_file = order.directory / "pid"
        self._spent_ns = 0
        # Made here to keep the search for the program out of the measured part.
        self._run_argv = self.run_argv()
        contents = contents_of(order, root=str(overlay.root), channel=ends.directory, volumes=overlay.volumes)
        write_bundle(self._bundle, contents)

    def start(self) -> None:
        """Mount the writable layer and run the runtime until its process exits. Raises LaunchError."""
        self.overlay.mount(nodev=True)
        self.order.mark(Endpoint.CREATED)
        # The container inherits the runtime's output, so these files hold the output of both.
        self._spent_ns += run_client(self._run_argv, stdout=self.stdout, stderr=self.stderr, keep=RUNTIME_VARIABLES)

    def run_argv(self) -> list[str]:
        """The command line that starts the container."""
        arguments = ("run", "--detach", "--bundle", self._bundle, "--pid-file", self._pid_file, self.order.tag)
        return self._runtime.argv(self._state, *arguments)

    def spent_ns(self) -> Mapping[str, int]:
        """CPU time of the runtime's processes, which are in no control group of the box."""
        return {Component.RUNTIME: self._spent_ns}

    def main_pid(self) -> int | None:
        """The host pid of the container's first process."""
        return living_pid(self._pid_file)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The agent and the workload. No process of the runtime stays."""
        pid = self.main_pid()
        return {} if pid is None else {Component.AGENT: (pid,), Component.WORKLOAD: children_of(pid)}

    def stop(self) -> None:
        """Let the runtime send SIGTERM to the agent, which sends the image's stop signal to the workload."""
        self._ask("kill", self.order.tag, "TERM")

    def kill(self) -> None:
        """Let the runtime send SIGKILL."""
        self._ask("kill", self.order.tag, "KILL")

    def remove(self) -> None:
        """Delete the container, whether it runs or not."""
        if self._state.exists():
            self._ask("delete", "--force", self.order.tag)

    def _ask(self, *arguments: str) -> None:
        # The runtime refuses a container that has ended; that is no error. Leftovers are found by the tag.
        result = proc.run(
            self._runtime.argv(self._state, *arguments),
            timeout_s=COMMAND_TIMEOUT_S,
            check=False,
            keep=RUNTIME_VARIABLES,
        )
        self._spent_ns += result.cpu_ns or 0
