"""Proxies of boxes and targets pass every member on, so a traced box has the abilities of a plain one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from bench.anatomy.target import StartTrace, TracedBox, TracedTarget
from bench.host.tracefs import TraceInstance
from bench.scenario.target_table import TARGETS
from bench.targets.base import Box, BoxProxy, Order, Target, TargetProxy, no_mark
from bench.targets.containers.containerd import _ContainerdBox, _Layers
from bench.targets.containers.docker import DockerBox, DockerOptions
from bench.targets.containers.docker_cli import _DockerCliBox
from bench.targets.containers.gvisor import _GvisorBox
from bench.targets.containers.oci_runtime import OciBox
from bench.targets.containers.podman import _PodmanBox
from bench.targets.launcher.bubblewrap import _BwrapBox
from bench.targets.launcher.launched import LaunchedBox
from bench.targets.vms.domain_box import DomainBox
from bench.targets.vms.microvm import MicrovmBox
from bench.targets.vms.uml import UmlBox
from bench.targets.vms.vm_docker import ColdBox, WarmBox
from bench.targets.vms.vmm import VmmBox
from bench.util.clock import VirtualClock
from tests.lab import ProxiedTarget


def public(kind: type) -> set[str]:
    """Its public methods, properties and annotated attributes."""
    return {name for name in (*dir(kind), *inspect.get_annotations(kind)) if not name.startswith("_")}


BOX_METHODS: Final = sorted(name for name in public(Box) if callable(getattr(Box, name, None)))
ABILITIES: Final = sorted(set(BOX_METHODS) - Box.__abstractmethods__)
"""What only some boxes have."""


class Calls:
    """Takes the place of an inner box or target: answers every call with its name and arguments."""

    channel = object()
    name, accel = "inner", "kvm"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **named: (name, args, named)


def arguments(method: Callable[..., Any]) -> tuple[list[object], dict[str, object]]:
    """One object for each parameter of a method but ``self``."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    positional = [object() for one in parameters if one.kind is not one.KEYWORD_ONLY]
    return positional, {one.name: object() for one in parameters if one.kind is one.KEYWORD_ONLY}


def calls_through(proxy: Any, kind: type, name: str) -> None:
    """The proxy's member calls the inner object's with the same arguments."""
    args, named = arguments(getattr(kind, name))
    answer = getattr(proxy, name)(*args, **named)
    # Some return nothing: those are seen to have been called.
    assert answer in ((name, tuple(args), named), None)
    seen = proxy.inner.seen = []
    setattr(proxy.inner, name, lambda *args, **named: seen.append((args, named)))
    getattr(proxy, name)(*args, **named)
    assert seen == [(tuple(args), named)]


@pytest.mark.parametrize("name", BOX_METHODS)
def test_a_box_proxy_passes_every_call_on(name: str) -> None:
    assert name in vars(BoxProxy), f"BoxProxy does not override {name}"
    inner: Any = Calls()
    calls_through(BoxProxy(inner), Box, name)


def test_a_box_has_no_other_members_than_methods_and_its_channel() -> None:
    assert public(Box) == {*BOX_METHODS, "channel"}
    inner: Any = Calls()
    assert BoxProxy(inner).channel is inner.channel


@pytest.mark.parametrize("name", sorted(public(Target) - {"name", "accel"}))
def test_a_target_proxy_passes_every_call_on(name: str) -> None:
    assert name in vars(TargetProxy), f"TargetProxy does not override {name}"
    inner: Any = Calls()
    calls_through(TargetProxy(inner), Target, name)


def test_a_target_proxy_has_the_name_and_the_accelerator_of_the_inner_one() -> None:
    inner: Any = Calls()
    assert (TargetProxy(inner).name, TargetProxy(inner).accel) == ("inner", "kvm")


@pytest.mark.parametrize("proxy", [TracedBox, BoxProxy])
def test_a_proxy_overrides_no_ability_by_accident(proxy: type[BoxProxy]) -> None:
    """What a wrapper overrides is what it is for; abilities are never among it."""
    own = {name for kind in proxy.__mro__ if kind not in (BoxProxy, Box) for name in vars(kind)}
    assert own.isdisjoint(ABILITIES)


# ---- a box of each target, traced and not ----

QEMU_COUNTS: Final = {"rd_bytes": 10, "wr_bytes": 20, "flush_operations": 3}
GUEST_DISK: Final = {"read": 10, "written": 20, "flushes": 3}


def _order(tmp_path: Path) -> Order:
    config = SimpleNamespace(env=(), cwd="/", uid=0, gid=0, groups=(0,), user="")
    order: Any = SimpleNamespace(
        tag="boxbench-c-t0001",
        directory=tmp_path / "run",
        storage=tmp_path / "disk",
        image=SimpleNamespace(id="sha256:1", ref="image", config=config, volumes=()),
        resources=SimpleNamespace(memory=2**27, cpus=1),
        keep_output=False,
        cpus=(0,),
        mark=no_mark,
    )
    order.directory.mkdir()
    order.storage.mkdir()
    typed: Order = order
    return typed


ENDS: Final[Any] = SimpleNamespace(directory=Path("/ch"))
OVERLAY: Final[Any] = SimpleNamespace(root=Path("/root"), volumes={})
ENGINE: Final[Any] = SimpleNamespace(
    client=SimpleNamespace(api=SimpleNamespace(base_url="http+docker://localunixsocket")),
    library=SimpleNamespace(libvirtError=OSError),
    connection=SimpleNamespace(
        lookupByName=lambda _name: SimpleNamespace(blockStatsFlags=lambda _disk: QEMU_COUNTS),
    ),
    private=False,
    argv=lambda *words: list(words),
    runc_state="",
)
QEMU: Final[Any] = SimpleNamespace(
    monitor=SimpleNamespace(execute=lambda _command: [{"stats": QEMU_COUNTS}]), processes=lambda: {"vmm": (7,)}
)
ENDED: Final[Any] = SimpleNamespace(alive=lambda: False)
DOMAIN: Final[Any] = SimpleNamespace(
    name="d", disks=(SimpleNamespace(read_only=False),), ports=(), machine=SimpleNamespace(emulator=None)
)


def _spent(box: Any) -> Box:
    box._spent_ns = 5
    made: Box = box
    return made


def _domain_box(order: Order) -> Any:
    return DomainBox(order, ENDS, ENGINE, DOMAIN, lambda: None, patience_s=0)


def _vm(order: Order) -> Any:
    vm = _domain_box(order)
    vm.processes = lambda: {"vmm": (7,)}
    return vm


RUNTIME: Final[Any] = SimpleNamespace(program="runc", identity=lambda: (), argv=lambda *words: list(words))
BOXES: Final[dict[str, Callable[[Order], Box]]] = {
    "process": lambda order: LaunchedBox(order, ENDS, OVERLAY),
    "namespaces": lambda order: LaunchedBox(order, ENDS, OVERLAY),
    "bubblewrap": lambda order: _BwrapBox(order, ENDS, OVERLAY),
    "runc": lambda order: _spent(OciBox(order, ENDS, OVERLAY, RUNTIME)),
    "crun": lambda order: _spent(OciBox(order, ENDS, OVERLAY, RUNTIME)),
    "gvisor": lambda order: _spent(_GvisorBox(order, ENDS, OVERLAY, RUNTIME)),
    "containerd": lambda order: _ContainerdBox(order, ENDS, ENGINE, ENGINE, _Layers("chain", "overlayfs")),
    "docker": lambda order: DockerBox(order, ENDS, ENGINE, DockerOptions(None, True, "none")),
    "docker-cli": lambda order: _spent(_DockerCliBox(order, ENDS, ENGINE, DockerOptions(None, True, "none"))),
    "podman": lambda order: _spent(_PodmanBox(order, ENDS, ENGINE, RUNTIME)),
    "uml": lambda order: UmlBox(order, ENDS, ENDED, lambda: None),
    "vmm": lambda order: VmmBox(order, ENDS, QEMU),
    "microvm": lambda order: MicrovmBox(order, ENDS, QEMU, lambda: None),
    "libvirt": _domain_box,
    "libvirt-full": _domain_box,
    "vm-docker": lambda order: WarmBox(order, _vm(order)),
    "vm-docker (cold)": lambda order: ColdBox(order, _vm(order)),
}
HAS: Final[dict[str, Mapping[str, object]]] = {
    **{name: {"spent_ns": {"runtime": 5}} for name in ("runc", "crun", "gvisor")},
    **{name: {"spent_ns": {"client": 5}} for name in ("docker-cli", "podman")},
    **{name: {"guest_disk": GUEST_DISK} for name in ("microvm", "libvirt", "libvirt-full", "vm-docker (cold)")},
    "vm-docker": {"guest_disk": GUEST_DISK, "running_before": {"vmm": (7,)}},
}
"""The abilities of each target's boxes; all others are empty."""


def abilities(box: Box) -> dict[str, object]:
    return {name: getattr(box, name)() for name in ABILITIES}


class OneBox:
    """A target whose one box is there already."""

    name, accel = "one", "native"

    def __init__(self, box: Box) -> None:
        self._box = box

    def daemons(self) -> dict[str, int]:
        return {}

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        del order
        yield self._box


class NoTrace(StartTrace):
    """A watch without a kernel's trace."""

    def arm(self, daemons: Mapping[str, int]) -> None:
        del daemons

    def disarm(self) -> None:
        pass


def test_every_target_is_here() -> None:
    assert {name.partition(" ")[0] for name in BOXES} == set(TARGETS)


@pytest.mark.parametrize("name", sorted(BOXES))
def test_a_traced_box_has_the_abilities_of_a_plain_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.targets.containers.docker_cli._client_argv", lambda _engine: ["docker"])
    monkeypatch.setattr("bench.targets.containers.podman._runtime_flags", lambda _runtime: ())
    order = _order(tmp_path)
    box = BOXES[name](order)
    # The clock of a box that does not run shows nothing that could be told apart.
    monkeypatch.setattr(type(box), "cpu_clock_ns", lambda _box: 11)
    expected = {**{ability: {} for ability in ABILITIES}, **HAS.get(name, {}), "cpu_clock_ns": 11}
    assert abilities(box) == expected
    instance: Any = TraceInstance
    target: Any = OneBox(box)
    for proxy in (TracedTarget(target, NoTrace(instance, VirtualClock())), ProxiedTarget(target, box=BoxProxy)):
        with proxy.provision(order) as wrapped:
            assert wrapped is not box
            assert abilities(wrapped) == expected
