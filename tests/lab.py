"""Real engines, opened once per session, and single trials that run through the same code as those of a campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import docker
import pytest

from bench.engines.lazy import Engines, open_engines
from bench.host.run_directory import box_tag, campaign_dir, campaign_tag, owned_dir
from bench.image.build import build_image
from bench.image.stores.base import ImageStore
from bench.image.stores.choice import image_store
from bench.plan.trials import Cell, Trial
from bench.records.manifest import new_campaign_id
from bench.records.record import Record
from bench.run.box import Setting
from bench.run.cleanup import find_containers, find_leftovers, remove_leftovers
from bench.run.trial import run_trial
from bench.scenario.model import LoadedScenario, TargetSpec, load_scenario
from bench.scenario.options import Value
from bench.targets.base import Box, Order, Output, Target, TargetProxy
from bench.targets.table import make_target
from bench.util.clock import MonotonicClock
from bench.util.errors import BoxbenchError
from tests.needs import need, need_target

SCENARIO: Final = """\
question: Does this target keep its contract?
name: {name}
workload:
  base: {{tag: "boxbench/base-busybox:latest", packages: [busybox-static], variant: extract}}
  build: {{network: none}}
ready: {{when: first-line, timeout: 90s}}
resources: {{cpus: 1, memory: 128MiB, disk: 64MiB}}
targets: [process]
baseline: process
design: {{blocks: 1, warmups: 0, settle: 20ms}}
"""

Wrap = Callable[[Target], Target]
"""Puts a proxy around a target."""

LEAST_MEMORY: Final = {"libvirt-full": 256 * 2**20}
"""The memory of boxes of targets that refuse the small boxes of most tests."""


_LOST_RUNTIME: Final = "read init-p: connection reset by peer"


def write_scenario(directory: Path, dockerfile: str, *, name: str, files: Mapping[str, str] | None = None) -> Path:
    """A scenario directory with small limits; returns its scenario.yaml."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    for file, text in (files or {}).items():
        (directory / file).write_text(text, encoding="utf-8")
    scenario = directory / "scenario.yaml"
    scenario.write_text(SCENARIO.format(name=name), encoding="utf-8")
    return scenario


class ProxiedTarget(TargetProxy):
    """A real target whose orders, boxes or both a test changes; it keeps all orders and all real boxes.

    Args:
        order: returns the order that the real target gets instead.
        box: returns the proxy of a real box that the trial gets instead.
    """

    def __init__(
        self,
        inner: Target,
        *,
        order: Callable[[Order], Order] | None = None,
        box: Callable[[Box], Box] | None = None,
    ) -> None:
        super().__init__(inner)
        self.orders: list[Order] = []
        self.boxes: list[Box] = []
        self._change_order = order
        self._change_box = box

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        """Provision a real box of the changed order."""
        if self._change_order is not None:
            order = self._change_order(order)
            self.inner.prepare(order.image, order.resources, order.ready)
        self.orders.append(order)
        with self.inner.provision(order) as real:
            self.boxes.append(real)
            yield real if self._change_box is None else self._change_box(real)


@dataclass
class Lab:
    """Engines, targets and numbers for single trials."""

    campaign: str
    engines: Engines
    _made: dict[str, Target] = field(default_factory=dict)
    _count: int = 0

    @property
    def client(self) -> docker.DockerClient:
        """A client of the session's Docker Engine."""
        return self.engines.docker.client

    @property
    def store(self) -> ImageStore:
        """The engine that holds the session's images."""
        return image_store(self.engines)

    @property
    def docker_host(self) -> str:
        """DOCKER_HOST for programs that use the session's engine."""
        adapter = getattr(self.client.api, "_custom_adapter", None)
        path = getattr(adapter, "socket_path", None)
        return f"unix://{path}" if path else str(self.client.api.base_url)

    def target(self, name: str) -> Target:
        """The session's target of this name, with its default options."""
        if name not in self._made:
            self._made[name] = self.make(name)
        return self._made[name]

    def make(self, name: str, accel: str = "tcg", /, **options: Value) -> Target:
        """A new target; the test is skipped if the host cannot run it.

        Args:
            accel: the accelerator of a VM. Every host has ``tcg``.
            options: the target's options.
        """
        try:
            made = make_target(TargetSpec(target=name, options=options), self.engines, accel=accel)
            reason = made.why_unavailable()
        except BoxbenchError as error:
            reason = error.message
        if reason is not None:
            need_target(reason)
        return made

    def run(self, target: str | Target, loaded: LoadedScenario, *, wrap: Wrap | None = None) -> Trialed:
        """Run one trial from the request until the box is gone.

        Args:
            target: a target, or the name of one with its default options.
            wrap: puts a proxy around the target.
        """
        done = self._run_once(target, loaded, wrap)
        return self._run_once(target, loaded, wrap) if _has_lost_its_runtime(done.record) else done

    def _run_once(self, target: str | Target, loaded: LoadedScenario, wrap: Wrap | None) -> Trialed:
        setting = self.setting(target, loaded, wrap=wrap)
        trial = self.trial(setting)
        record, output = run_trial(trial, setting)
        return Trialed(box_tag(self.campaign, trial.id), record, output, self)

    def trial(self, setting: Setting, **factors: str) -> Trial:
        """The next trial, of a cell with these factors."""
        self._count += 1
        name, target = setting.scenario.name, setting.target
        cell = Cell(scenario=name, target=target.name, accel=target.accel, factors=factors)
        return Trial(number=self._count, block=0, cell=cell, warmup=False)

    def setting(self, target: str | Target, loaded: LoadedScenario, *, wrap: Wrap | None = None) -> Setting:
        """What trials of a target need. The target is prepared."""
        if isinstance(target, str):
            target = self.target(target)
        loaded = _with_enough_memory(target.name, loaded)
        image = build_image(self.store, loaded, lambda _text: None)
        target.prepare(image, loaded.scenario.resources, loaded.scenario.ready)
        return Setting(
            campaign=self.campaign,
            scenario=loaded.scenario,
            image=image,
            target=wrap(target) if wrap else target,
            cpus=(0,),
            clock=MonotonicClock(),
            daemons=target.daemons(),
        )


def _has_lost_its_runtime(record: Record) -> bool:
    """Whether runc's own child gave up while it made the container.

    It copies runc to memory and seals the copy, which the kernel sometimes refuses: "could not ensure we are a cloned
    binary: Device or resource busy". A campaign records this as a failed trial. It was seen a few times in many
    thousands of starts, and is no result of a test.
    """
    return record.failure is not None and _LOST_RUNTIME in record.failure.message


def _with_enough_memory(name: str, loaded: LoadedScenario) -> LoadedScenario:
    resources = loaded.scenario.resources
    more = resources.model_copy(update={"memory": max(resources.memory, LEAST_MEMORY.get(name, 0))})
    return loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"resources": more})})


@dataclass(frozen=True)
class Trialed:
    """The result of a trial."""

    tag: str
    record: Record
    output: Output | None
    lab: Lab

    def assert_gone(self) -> None:
        """Check that nothing of the box is on the host, and that nothing had to be removed by force."""
        assert [str(found) for found in find_leftovers(self.tag)] == []
        assert [str(found) for found in find_containers(self.lab.client, self.tag)] == []
        late = ("leftover:", "not removed:", "TeardownError")
        assert [doubt for doubt in self.record.doubts if doubt.startswith(late)] == []


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Engines of this session, in a run directory of its own; everything ends with the session."""
    campaign = new_campaign_id()
    with ExitStack() as stack:
        stack.callback(_sweep, campaign)
        stack.enter_context(owned_dir(campaign_dir(campaign)))
        yield Lab(campaign, stack.enter_context(open_engines(campaign_dir(campaign))))


def _sweep(campaign: str) -> None:
    remove_leftovers(find_leftovers(campaign_tag(campaign)))


@pytest.fixture(scope="session")
def docker_client(lab: Lab) -> docker.DockerClient:
    """A client of the engine that runs, or of a private one."""
    try:
        return lab.client
    except BoxbenchError as error:
        need(error.message)
        raise


@pytest.fixture(scope="session")
def make_scenario(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., LoadedScenario]:
    """A loaded scenario from a Dockerfile; keywords replace the scenario's own keys."""

    def make(dockerfile: str, *, name: str, files: Mapping[str, str] | None = None, **changes: Any) -> LoadedScenario:
        directory = tmp_path_factory.mktemp(name)
        loaded = load_scenario(write_scenario(directory, dockerfile, name=name, files=files))
        return loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update=changes)})

    return make
