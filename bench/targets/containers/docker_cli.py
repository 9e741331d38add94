"""A container through the ``docker`` command. It differs from the API target only in the client program.

Only the request goes through the client. Inspecting, stopping and removing use the API, as for the API target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from bench.agent.boxconf import CHANNEL_IN_BOX, HOSTNAME
from bench.agent.channel import Fifos
from bench.engines.dockerd import DockerEngine, socket_of
from bench.host.run_directory import box_labels
from bench.records.component import Component
from bench.targets.base import Order
from bench.targets.containers.client import BoxVariables, run_client
from bench.targets.containers.docker import LOG_DRIVER, LOG_LIMITS, DockerBox, DockerOptions, DockerTarget, own_name
from bench.targets.rootfs_box import INHERITING_AGENT_ARGV
from bench.util import proc
from bench.util.errors import BoxbenchError, HostUnfitError


class DockerCliTarget(DockerTarget):
    """Containers that are started by ``docker run --detach``."""

    name: ClassVar[str] = "docker-cli"
    request: ClassVar[str] = "one process: docker run --detach"

    def why_unavailable(self) -> str | None:
        """Needs what the API target needs, the client program, and an engine on a unix socket."""
        reason = super().why_unavailable()
        if reason is None:
            try:
                _client_argv(self._engines.docker)
            except BoxbenchError as error:
                reason = f"{self.name}: {error.message}"
        return reason

    def describe(self) -> dict[str, str]:
        """As for the API target, with the client's version."""
        version = proc.run([_program(), "--version"], timeout_s=10).text.strip()
        return {**super().describe(), "client": version}

    def make_box(self, order: Order, ends: Fifos) -> DockerBox:
        """A box that the client will start."""
        return _DockerCliBox(order, ends, self._engines.docker, self._options)


class _DockerCliBox(DockerBox):
    def __init__(self, order: Order, ends: Fifos, engine: DockerEngine, options: DockerOptions) -> None:
        super().__init__(order, ends, engine, options)
        self._client = _client_argv(engine)
        self._variables = BoxVariables.of(order.image.config.env, order.directory / "env")
        self._spent_ns = 0

    def start(self) -> None:
        """Run the client until it exits. It does not show when the container is created. Raises LaunchError."""
        stdout, stderr = self.order.directory / "cli.out", self.order.directory / "cli.err"
        self.pending = True
        argv = [*self._client, *self._arguments()]
        self._spent_ns += run_client(
            argv, stdout=stdout, stderr=stderr, env=self._variables.env, keep=proc.ENGINE_VARIABLES
        )
        self.pending = False

    def spent_ns(self) -> Mapping[str, int]:
        """CPU time of the client."""
        return {Component.CLIENT: self._spent_ns}

    def _arguments(self) -> Iterator[str]:
        order, memory = self.order, str(self.order.resources.memory)
        agent, *arguments = INHERITING_AGENT_ARGV
        yield from ("run", "--detach", "--pull", "never", "--name", order.tag, "--hostname", HOSTNAME)
        yield from ("--network", self.options.network, "--memory", memory, "--memory-swap", memory)
        for name, address in own_name(self.options.network).items():
            yield from ("--add-host", f"{name}:{address}")
        yield from ("--cpuset-cpus", ",".join(map(str, order.cpus)), "--log-driver", LOG_DRIVER)
        # See the target docker.
        yield "--no-healthcheck"
        for name, value in LOG_LIMITS.items():
            yield from ("--log-opt", f"{name}={value}")
        yield from ("--volume", f"{self.channel.directory}:{CHANNEL_IN_BOX}:rw")
        for name, value in box_labels(order.tag).items():
            yield from ("--label", f"{name}={value}")
        yield from self._variables.arguments
        if order.image.config.user:
            yield from ("--user", order.image.config.user)
        if self.options.runtime is not None:
            yield from ("--runtime", self.options.runtime)
        if not self.options.seccomp:
            yield from ("--security-opt", "seccomp=unconfined")
        yield from ("--entrypoint", agent, order.image.ref, *arguments)


def _program() -> str:
    return proc.require_tool("docker", package="docker-cli")


def _client_argv(engine: DockerEngine) -> list[str]:
    """The client's program and address. Raises HostUnfitError: no client program, or no engine on a unix socket."""
    socket: Path | None = socket_of(engine.client)
    if socket is None:
        raise HostUnfitError(
            f"the engine at {engine.client.api.base_url} is not on a unix socket",
            hint="use an engine on this host, or leave the target out with -t",
        )
    return [_program(), "--host", f"unix://{socket}"]
