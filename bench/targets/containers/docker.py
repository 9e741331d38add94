"""A container through the Docker Engine API: the calls of ``docker run``, without the client program."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from docker.errors import APIError, DockerException, NotFound
from docker.types import LogConfig
from requests.exceptions import RequestException

from bench.agent.boxconf import AGENT_IN_BOX, CHANNEL_IN_BOX, ENGINE_STOP_TIMEOUT_S, HOSTNAME
from bench.agent.channel import Fifos
from bench.engines.dockerd import DockerEngine
from bench.engines.lazy import Engines
from bench.host.processes import OUTPUT_DRAIN_S, children_of, parent_of
from bench.host.run_directory import box_labels
from bench.image.etc_files import OWN_ADDRESS
from bench.image.model import Image
from bench.records.component import Component
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options
from bench.scenario.target_table import NETWORKS, TARGETS
from bench.targets.base import Box, Order, Output
from bench.targets.containers.docker_log import read_log
from bench.targets.containers.gvisor import GvisorTarget, gvisor_processes
from bench.targets.containers.oci_runtime import CrunTarget, OciRuntimeTarget
from bench.targets.containers.retry import removal_attempts
from bench.targets.containers.writable_layer import writable_layer_bytes
from bench.targets.rootfs_box import agent_user, open_channel
from bench.util.errors import BoxbenchError, LaunchError, TeardownError, UsageError

LOG_DRIVER: Final = "json-file"
"""Docker's own default. An engine may be configured with another driver, whose log is late or unreadable."""
LOG_LIMITS: Final = {"max-size": "256m", "max-file": "2"}
"""A container cannot fill the host's disk with its output: the engine keeps the last 256 to 512 MiB of it."""


def own_name(network: str) -> dict[str, str]:
    """What a container's /etc/hosts needs beside the engine's lines: its host name's address, by name.

    In a network of its own the engine gives it one, and in the host's network it has the host's name.
    """
    return {HOSTNAME: OWN_ADDRESS} if network == "none" else {}


@dataclass(frozen=True)
class DockerOptions:
    """The target's options as the Engine API needs them."""

    runtime: str | None
    """None: the engine's default."""
    seccomp: bool
    """Whether the engine's default filter is on; if not, there is no filter."""
    network: str
    """The network mode in the API: a key of NETWORKS."""


class DockerTarget:
    """Containers that are created and started through the API. Workloads use loopback only, in every network mode."""

    name: ClassVar[str] = "docker"
    request: ClassVar[str] = "Engine API: create + start"
    accel = "native"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del accel
        check_options(self.name, options, TARGETS[self.name].options)
        self._options = _docker_options(self.name, options)
        self._engines = engines

    def why_unavailable(self) -> str | None:
        """Needs an engine, running or startable, with the runtime and the network."""
        try:
            self._engines.docker.client.ping()
            if os.geteuid() == 0 and self._engines.docker.rootless:
                return (
                    f"{self.name}: the engine is another user's (rootless), who cannot enter root's run directories; "
                    "run boxbench as that user, or unset DOCKER_HOST"
                )
            return self._why_no_runtime(self._options.runtime) or self._why_no_network(self._options.network)
        except BoxbenchError as error:
            return f"{self.name}: {error.advice}"
        except (DockerException, RequestException) as error:
            return f"{self.name}: the engine does not answer: {error}"

    def _why_no_runtime(self, runtime: str | None) -> str | None:
        has = self._engines.docker.client.info().get("Runtimes", {})
        if runtime is not None and runtime not in has:
            return f"{self.name}: the engine has no runtime {runtime!r} (it has {', '.join(has)})"
        alone = self._runtime_alone()
        return None if alone is None else alone.why_unavailable()

    def _why_no_network(self, network: str) -> str | None:
        # Every engine has the other two. Without a bridge an engine may still start the container, with loopback only.
        if network != "bridge":
            return None
        has = sorted(found["Name"] for found in self._engines.docker.client.api.networks())
        if network in has:
            return None
        remedy = (
            "; start Docker or set DOCKER_HOST: the private engine has no bridge"
            if self._engines.docker.private
            else ""
        )
        return f"{self.name}: the engine has no network {network!r} (it has {', '.join(has) or 'none at all'}){remedy}"

    def _runtime_alone(self) -> OciRuntimeTarget | None:
        """The runtime's own target. None for runc, which comes with engines, and for an engine that is not private."""
        kinds = {"crun": CrunTarget, "runsc": GvisorTarget}
        kind = kinds.get(self._options.runtime or "")
        return kind({}, self._engines, accel=self.accel) if kind is not None and self._engines.docker.private else None

    def describe(self) -> dict[str, str]:
        """Versions of engine, containerd and runc, storage driver, request, isolation."""
        return {
            **self._engines.docker.describe(),
            "request": self.request,
            "runtime": self._describe_runtime(),
            "seccomp": "the engine's default filter" if self._options.seccomp else "none",
            "network": NETWORKS[self._options.network],
            "limits": "cpuset and memory control group of the container; what serves it is bound to no CPUs",
            "log": f"{LOG_DRIVER}, at most {LOG_LIMITS['max-file']} files of {LOG_LIMITS['max-size']}",
        }

    def _describe_runtime(self) -> str:
        alone = self._runtime_alone()
        if alone is not None:
            return " ".join(alone.runtime.identity())
        return self._options.runtime or "the engine's default"

    def daemons(self) -> dict[str, int]:
        """The pids of dockerd and containerd."""
        return self._engines.docker.daemon_pids

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Do nothing, since the engine has the image."""
        del image, resources, ready
        return {}

    @contextmanager
    def provision(self, order: Order) -> Iterator[DockerBox]:
        """Make the FIFOs. Creating the container is part of the request."""
        with ExitStack() as stack:
            agent = agent_user(order, maps_users=self._engines.docker.maps_users)
            ends = stack.enter_context(open_channel(order.directory / "ch", order, agent=agent))
            box = self.make_box(order, ends)
            stack.callback(box.remove)
            yield box

    def make_box(self, order: Order, ends: Fifos) -> DockerBox:
        """A box whose container does not exist yet."""
        return DockerBox(order, ends, self._engines.docker, self._options)


def _docker_options(target: str, options: Mapping[str, Value]) -> DockerOptions:
    """The options in API terms. Raises UsageError: two options exclude each other."""
    runtime = options.get("runtime")
    network = str(options.get("network", "none"))
    if runtime == "runsc" and network != "none":
        raise UsageError(
            f"target {target!r}: network={network} with runtime=runsc would not show what the network costs: gVisor's "
            "kernel has a network stack of its own",
            hint="leave out network, or use runtime: runc or crun",
        )
    return DockerOptions(None if runtime is None else str(runtime), bool(options.get("seccomp", True)), network)


@contextmanager
def _engine_errors(kind: type[BoxbenchError]) -> Iterator[None]:
    """Turn an engine's failure into an error of this trial, so that the campaign goes on."""
    try:
        yield
    except NotFound:
        raise
    except (DockerException, RequestException) as error:
        raise kind(
            f"docker: the engine failed: {error}", hint="check that it still runs, and look at its log"
        ) from None


class DockerBox(Box):
    """A container whose name is its tag."""

    channel: Fifos

    def __init__(self, order: Order, ends: Fifos, engine: DockerEngine, options: DockerOptions) -> None:
        self.channel = ends
        self.order = order
        self.options = options
        self._api = engine.client.api
        # The engine was asked for the container and has not confirmed it.
        self.pending = False

    def start(self) -> None:
        """Create the container and start it. Raises LaunchError."""
        self.pending = True
        try:
            self._api.create_container(**self._creation())
            self.pending = False
            self.order.mark(Endpoint.CREATED)
            self._api.start(self.order.tag)
        except (DockerException, RequestException) as error:
            # A refusal is an answer. After a broken or timed-out connection the container may still be created.
            self.pending = self.pending and not isinstance(error, APIError)
            raise LaunchError(
                f"docker: the engine refused to start {self.order.tag}: {error}",
                hint="`boxbench doctor` checks the engine",
            ) from None

    def _creation(self) -> dict[str, Any]:
        order = self.order
        memory = order.resources.memory
        return {
            "image": order.image.ref,
            "name": order.tag,
            "hostname": HOSTNAME,
            "user": order.image.config.user,
            "entrypoint": [AGENT_IN_BOX, "run", "--inherit", CHANNEL_IN_BOX],
            "command": [],
            "environment": list(order.image.config.env),
            "labels": box_labels(order.tag),
            # The agent runs the image's check where the scenario asks for it. The engine's would run beside it.
            "healthcheck": {"test": ["NONE"]},
            "host_config": self._api.create_host_config(
                binds={str(self.channel.directory): {"bind": CHANNEL_IN_BOX, "mode": "rw"}},
                cpuset_cpus=",".join(map(str, order.cpus)),
                log_config=LogConfig(type=LOG_DRIVER, config=LOG_LIMITS),
                mem_limit=memory,
                memswap_limit=memory,
                network_mode=self.options.network,
                extra_hosts=own_name(self.options.network),
                runtime=self.options.runtime,
                security_opt=None if self.options.seccomp else ["seccomp=unconfined"],
            ),
        }

    def _inspect(self) -> dict[str, Any]:
        try:
            with _engine_errors(LaunchError):
                inspected: dict[str, Any] = self._api.inspect_container(self.order.tag)
        except NotFound:
            return {}
        return inspected

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The agent and the workload, or gVisor's components, and the container's shim."""
        inspected = self._inspect()
        pid = inspected.get("State", {}).get("Pid")
        if not pid:
            return {}
        found: dict[str, Sequence[int]] = {Component.AGENT: (pid,), Component.WORKLOAD: children_of(pid)}
        if self.options.runtime == "runsc":
            found = gvisor_processes(pid, inspected["Id"])
        shim = parent_of(pid)
        # When the engine is in another pid namespace or on another host, the parent is not the shim. When the shim has
        # ended, it is PID 1 or this process.
        if shim not in (None, 1, os.getpid()):
            found[Component.SHIM] = (shim,)
        return found

    def main_pid(self) -> int | None:
        """The host pid of the agent."""
        return self._inspect().get("State", {}).get("Pid") or None

    def stop(self) -> None:
        """Stop like ``docker stop``, which blocks until the container has ended."""
        with suppress(NotFound), _engine_errors(TeardownError):
            self._api.stop(self.order.tag, timeout=ENGINE_STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Kill like ``docker kill``."""
        with _engine_errors(TeardownError), suppress(NotFound, APIError):  # APIError 409: it is not running
            self._api.kill(self.order.tag)

    def remove(self) -> None:
        """Remove the container and its writable layer, whether it runs, has ended or is still being created."""
        for _ in removal_attempts(pending=self.pending):
            with suppress(NotFound), _engine_errors(TeardownError):
                self._api.remove_container(self.order.tag, force=True, v=True)
                return

    def disk_bytes(self) -> Mapping[str, int]:
        """The size of the writable layer, if the storage driver keeps it in a directory on this host."""
        return writable_layer_bytes(self._inspect())

    def output(self, *, ended: bool) -> Output:
        """The engine's log. It is complete when the engine reports the container as stopped."""
        try:
            with _engine_errors(LaunchError):
                if ended:
                    with suppress(RequestException):  # a slow engine; one that is gone fails below
                        self._api.wait(self.order.tag, timeout=OUTPUT_DRAIN_S, condition="not-running")
                return Output.of(*(read_log(self._api, self.order.tag, name) for name in ("stdout", "stderr")))
        except NotFound:
            return Output(b"", b"")
