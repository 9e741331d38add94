"""A container by ``podman run --detach``. There is no daemon; conmon, the monitor, stays beside the container.

The runtime is runc unless the scenario chooses crun, although podman's own default is crun. So the difference to the
Docker targets comes from the engine alone. Podman's other defaults are kept: seccomp filter, capabilities, and a
control group namespace.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Final

from bench.agent.boxconf import CHANNEL_IN_BOX, ENGINE_STOP_TIMEOUT_S, HOSTNAME
from bench.agent.channel import Fifos
from bench.engines.lazy import Engines
from bench.engines.podman import PodmanEngine
from bench.host.cgroup import PARENT, parents_for_runtimes
from bench.host.processes import OUTPUT_DRAIN_S, children_of, living_pid, wait_ended
from bench.host.run_directory import box_labels
from bench.image.model import Image
from bench.image.saved import ensure_archive
from bench.image.stores.choice import image_store
from bench.records.component import Component
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options
from bench.scenario.target_table import TARGETS
from bench.targets import smoke_test
from bench.targets.base import Box, Order, Output
from bench.targets.containers.client import BoxVariables, run_client
from bench.targets.containers.oci_runtime import Runtime
from bench.targets.containers.writable_layer import writable_layer_bytes
from bench.targets.rootfs_box import INHERITING_AGENT_ARGV, agent_user, open_channel
from bench.util import proc
from bench.util.errors import BoxbenchError, ProcessError
from bench.util.steps import step

MONITOR_PATIENCE_S: Final = 5.0


class PodmanTarget:
    """Containers that are started by one podman process each."""

    name: ClassVar[str] = "podman"
    accel = "native"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del accel
        check_options(self.name, options, TARGETS[self.name].options)
        runtime = str(options.get("runtime", "runc"))
        self._runtime = Runtime(runtime, runtime)
        self._engines = engines

    def why_unavailable(self) -> str | None:
        """Needs root, the program, its runtime, and a smoke test that passes."""
        if os.geteuid() != 0:
            return f"{self.name}: needs root: this target measures podman as root, and rootless podman differs from it"
        try:
            version = proc.run([_program(), "--version"], timeout_s=10).text.strip()
            return smoke_test.why_refused(self.name, version, *self._runtime.identity(), attempt=self._attempt)
        except BoxbenchError as error:
            return f"{self.name}: {error.message}"

    def _attempt(self, directory: Path, name: str) -> proc.Result:
        engine = PodmanEngine(directory / "home", directory / "storage", None)
        engine.make()
        try:
            options = ("--network", "none", "--name", name, "--cgroup-parent", f"/{PARENT}/{name}")
            arguments = ("run", *options, "--rootfs", str(directory / "rootfs"), *smoke_test.ARGV)
            return engine.ask(*_runtime_flags(self._runtime), *arguments, check=False)
        finally:
            engine.ask("rm", "--all", "--force", "--time", "0", check=False)

    def describe(self) -> dict[str, str]:
        """Versions, request, isolation, storage and limits."""
        return {
            "engine": self._engines.podman.version(),
            "runtime": self._runtime.version(),
            "request": "one process: podman run --detach",
            "isolation": "podman's defaults for root: seccomp filter, capabilities, a control group namespace",
            "storage": "overlay",
            "network": "none",
            "limits": "cpuset and memory control group of the container; what serves it is bound to no CPUs",
        }

    def daemons(self) -> dict[str, int]:
        """It has none."""
        return {}

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Load the image from the archive that Docker saves."""
        del resources, ready
        archive = ensure_archive(image_store(self._engines), image)
        with step("load"):
            self._engines.podman.load(_bare_id(image), archive)
        return {}

    @contextmanager
    def provision(self, order: Order) -> Iterator[_PodmanBox]:
        """Make the FIFOs and the parent of the control groups. Creating the container is part of the request."""
        with ExitStack() as stack:
            stack.enter_context(parents_for_runtimes(order.tag))
            ends = stack.enter_context(open_channel(order.directory / "ch", order, agent=agent_user(order)))
            box = _PodmanBox(order, ends, self._engines.podman, self._runtime)
            stack.callback(box.remove)
            yield box


class _PodmanBox(Box):
    channel: Fifos

    def __init__(self, order: Order, ends: Fifos, engine: PodmanEngine, runtime: Runtime) -> None:
        self.channel = ends
        self._order = order
        self._engine = engine
        self._pid_files = {Component.AGENT: order.directory / "pid", Component.MONITOR: order.directory / "conmon.pid"}
        self._spent_ns = 0
        self._variables = BoxVariables.of(order.image.config.env, order.directory / "env")
        # Made here to keep it out of the measured part.
        self._argv = engine.argv(*_runtime_flags(runtime), *self._arguments())

    def start(self) -> None:
        """Run podman until its process exits. Raises LaunchError."""
        stdout, stderr = self._order.directory / "podman.out", self._order.directory / "podman.err"
        env = {**self._variables.env, **self._engine.env}
        self._spent_ns += run_client(self._argv, stdout=stdout, stderr=stderr, env=env, keep=proc.ENGINE_VARIABLES)

    def _arguments(self) -> Iterator[str]:
        order, memory = self._order, str(self._order.resources.memory)
        agent, *arguments = INHERITING_AGENT_ARGV
        yield from ("run", "--detach", "--pull", "never", "--name", order.tag, "--hostname", HOSTNAME)
        yield from ("--network", "none", "--memory", memory, "--memory-swap", memory)
        yield from ("--cpuset-cpus", ",".join(map(str, order.cpus)), "--cgroup-parent", f"/{PARENT}/{order.tag}")
        yield from ("--volume", f"{self.channel.directory}:{CHANNEL_IN_BOX}:rw")
        for name, value in box_labels(order.tag).items():
            yield from ("--label", f"{name}={value}")
        yield from ("--pidfile", str(self._pid_files[Component.AGENT]))
        yield from ("--conmon-pidfile", str(self._pid_files[Component.MONITOR]))
        # Here its size is limited. conmon's own limit would drop the whole log.
        yield from ("--log-opt", f"path={order.storage / 'log'}")
        yield from ("--shm-size", str(64 * 2**20))  # Docker's default; podman's is 64,000 KiB
        # See the target docker.
        yield "--no-healthcheck"
        # By default podman adds variables and accounts that the boxes of other engines do not have.
        yield from ("--unsetenv-all", "--passwd=false", "--systemd=false")
        yield from self._variables.arguments
        if order.image.config.user:
            yield from ("--user", order.image.config.user)
        # Unlike Docker, podman leaves out the primary group when the image has no accounts.
        for group in order.image.config.groups:
            yield from ("--group-add", str(group))
        yield from ("--entrypoint", json.dumps([agent, *arguments]), _bare_id(order.image))

    def spent_ns(self) -> Mapping[str, int]:
        """CPU time of podman's processes. The runtime is run by conmon, and counts as the monitor's."""
        return {Component.CLIENT: self._spent_ns}

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The agent, the workload, and conmon."""
        agent = self.main_pid()
        if agent is None:
            return {}
        found: dict[str, Sequence[int]] = {Component.AGENT: (agent,), Component.WORKLOAD: children_of(agent)}
        monitor = living_pid(self._pid_files[Component.MONITOR])
        return found if monitor is None else {**found, Component.MONITOR: (monitor,)}

    def main_pid(self) -> int | None:
        """The host pid of the agent."""
        return living_pid(self._pid_files[Component.AGENT])

    def stop(self) -> None:
        """Stop with ``podman stop``, which blocks until the container has ended."""
        self._ask("stop", "--time", str(ENGINE_STOP_TIMEOUT_S), self._order.tag, check=False)

    def kill(self) -> None:
        """Kill with ``podman kill``."""
        self._ask("kill", self._order.tag, check=False)

    def remove(self) -> None:
        """Remove the container and its writable layer, whether it runs or not. Raises ProcessError."""
        monitor = living_pid(self._pid_files[Component.MONITOR])
        self._ask("rm", "--force", "--ignore", "--time", "0", "--volumes", self._order.tag)
        if monitor is not None:
            # conmon ends a moment later. Until then it keeps its control group in use.
            wait_ended(monitor, timeout_s=MONITOR_PATIENCE_S)

    def _ask(self, *words: str, check: bool = True) -> None:
        self._spent_ns += self._engine.ask(*words, check=check).cpu_ns or 0

    def disk_bytes(self) -> Mapping[str, int]:
        """The size of the writable layer."""
        return writable_layer_bytes(self._inspect())

    def _inspect(self) -> dict[str, Any]:
        result = self._engine.ask("container", "inspect", self._order.tag, check=False)
        with suppress(ValueError, IndexError):
            found: dict[str, Any] = json.loads(result.stdout)[0]
            return found
        return {}

    def output(self, *, ended: bool) -> Output:
        """Podman's log. conmon completes it before the container counts as stopped."""
        if ended:
            with suppress(ProcessError):
                self._engine.ask("wait", self._order.tag, check=False, timeout_s=OUTPUT_DRAIN_S)
        return Output.of(*self._engine.logs(self._order.tag))


def _program() -> str:
    return proc.require_tool("podman", package="podman")


def _runtime_flags(runtime: Runtime) -> tuple[str, str]:
    return ("--runtime", proc.require_tool(runtime.program, package=runtime.package))


def _bare_id(image: Image) -> str:
    return image.id.removeprefix("sha256:")
