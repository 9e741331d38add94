"""Containers with one factor changed, without an engine: what is asked for, what is said, what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, NotFound
from requests.exceptions import ReadTimeout

from bench.engines import containerd
from bench.engines import containerd_api as containerdapi
from bench.engines.containerd_api import ContainerdApi, ContainerdError, SnapshotMount
from bench.engines.grpc_call import ALREADY_EXISTS, NOT_FOUND
from bench.engines.wire import Value as Encodable
from bench.engines.wire import message, parse
from bench.plan.matrix import check_matrix
from bench.scenario.factors import Factors
from bench.scenario.model import LoadedScenario, TargetSpec, load_scenario
from bench.scenario.options import Value
from bench.scenario.readiness import ReadyHealthcheck, ReadyTcp
from bench.scenario.target_table import target_info
from bench.targets.containers.containerd import ContainerdTarget, _ContainerdBox, _Layers
from bench.targets.containers.docker import DockerBox, DockerTarget
from bench.targets.containers.docker_cli import DockerCliTarget, _DockerCliBox
from bench.targets.containers.oci_runtime import Runtime
from bench.targets.containers.podman import _PodmanBox
from bench.util.clock import VirtualClock
from bench.util.errors import LaunchError, TeardownError, UsageError
from bench.util.package_data import scenarios_dir

RESOURCE_EXHAUSTED = 8
HOST_NETWORK: list[tuple[str, dict[str, Value]]] = [
    ("process", {}),
    ("namespaces", {"net": False}),
    ("docker", {"network": "host"}),
    ("docker-cli", {"network": "host"}),
]
OWN_NETWORK: list[tuple[str, dict[str, Value]]] = [
    ("namespaces", {}),
    ("namespaces", {"net": True}),
    ("docker", {}),
    ("docker", {"network": "none"}),
    ("docker", {"network": "bridge"}),
    ("containerd", {"snapshotter": "native"}),
]


# ---- docker: the network ----


class FakeDocker:
    """What is asked of docker-py, of an engine with these networks."""

    def __init__(self, networks: tuple[str, ...], *, private: bool = True) -> None:
        self.api = self.client = self
        self.private = private
        self.rootless = False
        self.answer: BaseException | None = None
        """What the engine says instead of making a container."""
        self.there_at, self.removals = 0, 0
        """The removal that finds a container."""
        self._networks = networks

    def networks(self) -> list[dict[str, str]]:
        return [{"Name": name} for name in self._networks]

    def ping(self) -> None:
        pass

    def info(self) -> dict[str, Any]:
        return {"Runtimes": {"runc": {}}}

    def describe(self) -> dict[str, str]:
        return {"engine": "Docker 1"}

    def create_host_config(self, **settings: Any) -> dict[str, Any]:
        return settings

    def create_container(self, **_settings: Any) -> None:
        if self.answer is not None:
            raise self.answer

    def remove_container(self, _tag: str, **_how: Any) -> None:
        self.removals += 1
        if self.removals != self.there_at:
            raise NotFound("no such container")


def docker_target(
    options: dict[str, Value], kind: type[DockerTarget] = DockerTarget, *, networks: tuple[str, ...] = ("none", "host")
) -> DockerTarget:
    engines: Any = SimpleNamespace(docker=FakeDocker(networks))
    return kind(options, engines, accel="auto")


ORDER: Any = SimpleNamespace(
    tag="boxbench-c-t0001",
    cpus=(0,),
    resources=SimpleNamespace(memory=2**20),
    image=SimpleNamespace(ref="image", config=SimpleNamespace(user="", env=())),
)
CHANNEL: Any = SimpleNamespace(directory=Path("/ch"))


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "none"), ({"network": "none"}, "none"), ({"network": "host"}, "the host's: no network namespace")],
)
def test_the_network_is_said_and_asked_for(options: dict[str, Value], words: str) -> None:
    target, mode = docker_target(options), options.get("network", "none")
    assert target.describe()["network"] == words
    assert target.why_unavailable() is None
    box = target.make_box(ORDER, CHANNEL)
    assert isinstance(box, DockerBox)
    assert box._creation()["host_config"]["network_mode"] == mode
    assert box._creation()["healthcheck"] == {"test": ["NONE"]}, "the engine's checks would run beside ours"


@pytest.mark.parametrize("mode", ["none", "host", "bridge"])
def test_the_client_asks_for_the_same_network(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.targets.containers.docker_cli._client_argv", lambda _engine: ["docker"])
    image = SimpleNamespace(ref="image", config=SimpleNamespace(user="", env=("TOKEN=hush", "PEM=hush\nhush")))
    order: Any = SimpleNamespace(**{**vars(ORDER), "image": image, "directory": tmp_path})
    box = docker_target({"network": mode}, DockerCliTarget).make_box(order, CHANNEL)
    assert isinstance(box, _DockerCliBox)
    words = list(box._arguments())
    assert words[words.index("--network") + 1] == mode
    assert "--no-healthcheck" in words
    # Every user of the host can read it.
    assert "hush" not in "".join(words)
    assert {"max-size=256m", "max-file=2"} <= set(words), "the log is limited"


def test_podman_is_not_told_variables_on_its_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.targets.containers.podman._runtime_flags", lambda _runtime: ())
    config = SimpleNamespace(user="", env=("TOKEN=hush", "PEM=hush\nhush"), groups=())
    image = SimpleNamespace(id="sha256:0", config=config)
    order: Any = SimpleNamespace(**{**vars(ORDER), "image": image, "directory": tmp_path, "storage": tmp_path})
    engine: Any = SimpleNamespace(argv=lambda *words: words)
    words = _PodmanBox(order, CHANNEL, engine, Runtime("runc", "runc"))._argv
    assert "--env-file" in words
    assert "hush" not in "".join(words)
    assert f"path={tmp_path}/log" in words, "in the box's directory, where its size is limited"


def test_an_engine_without_a_bridge_is_found_out_before_the_request() -> None:
    reason = docker_target({"network": "bridge"}).why_unavailable()
    assert reason is not None
    assert reason.startswith("docker: the engine has no network 'bridge' (it has host, none); start Docker")
    assert docker_target({"network": "bridge"}, networks=("none", "host", "bridge")).why_unavailable() is None


def test_an_engine_of_somebody_elses_is_not_to_be_replaced() -> None:
    engines: Any = SimpleNamespace(docker=FakeDocker((), private=False))
    reason = DockerTarget({"network": "bridge"}, engines, accel="auto").why_unavailable()
    assert reason == "docker: the engine has no network 'bridge' (it has none at all)"


def started(answer: BaseException, there_at: int, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    """An engine that was asked for a container, and then to remove it."""
    monkeypatch.setattr("bench.targets.containers.retry.MonotonicClock", VirtualClock)
    engine = FakeDocker(())
    engine.answer, engine.there_at = answer, there_at
    engines: Any = SimpleNamespace(docker=engine)
    box = DockerTarget({}, engines, accel="auto").make_box(ORDER, CHANNEL)
    with pytest.raises((KeyboardInterrupt, LaunchError)):
        box.start()
    box.remove()
    return engine


@pytest.mark.parametrize("answer", [KeyboardInterrupt(), ReadTimeout()])
def test_a_container_that_nobody_waited_for_is_removed_when_it_comes(
    answer: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert started(answer, 4, monkeypatch).removals == 4
    assert 4 < started(answer, 0, monkeypatch).removals < 100, "it never comes"


def test_a_container_that_the_engine_refused_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started(APIError("no such image"), 0, monkeypatch).removals == 1


def test_a_client_that_was_called_off_may_leave_a_container_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: object, **_more: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.targets.containers.docker_cli._client_argv", lambda _engine: ["docker"])
    monkeypatch.setattr("bench.targets.containers.docker_cli.run_client", interrupted)
    order: Any = SimpleNamespace(**{**vars(ORDER), "directory": tmp_path})
    box = docker_target({}, DockerCliTarget).make_box(order, CHANNEL)
    with pytest.raises(KeyboardInterrupt):
        box.start()
    assert box.pending


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"network": "container:other"}, "option 'network' cannot be 'container:other'"),
        ({"network": "host", "runtime": "runsc"}, "network=host with runtime=runsc would not show"),
        ({"network": "bridge", "runtime": "runsc"}, "network=bridge with runtime=runsc would not show"),
    ],
)
def test_networks_that_cannot_be(options: dict[str, Value], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        docker_target(options)


def test_gvisor_keeps_the_network_it_always_had() -> None:
    box = docker_target({"runtime": "runsc", "network": "none"}).make_box(ORDER, CHANNEL)
    assert box.options.network == "none"


# ---- boxes that share one network ----


def crowded(target: str, options: dict[str, Value], **factors: Any) -> LoadedScenario:
    loaded = load_scenario(scenarios_dir() / "hello")
    spec = TargetSpec(target=target, options=options)
    changes = {"targets": (spec,), "baseline": spec.label, "ready": ReadyTcp(when="tcp", port=80)}
    factors = {"factors": Factors.model_validate(factors)}
    return loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update=changes | factors)})


@pytest.mark.parametrize("fleet", ["concurrency", "residents"])
@pytest.mark.parametrize(("target", "options"), HOST_NETWORK)
def test_one_port_for_all_boxes_is_refused(target: str, options: dict[str, Value], fleet: str) -> None:
    assert target_info(target).shares_network(options)
    label = TargetSpec(target=target, options=options).label
    with pytest.raises(UsageError) as caught:
        check_matrix([crowded(target, options, **{fleet: (2,)})])
    assert f"{label} with {fleet}=2: its boxes share the host's network" in caught.value.message
    check_matrix([crowded(target, options, **{fleet: (1,)})])


def test_health_checks_of_boxes_with_one_network_are_refused() -> None:
    """The check of one box would be answered by another one."""
    loaded = crowded("process", {}, residents=(2,))
    scenario = loaded.scenario.model_copy(update={"ready": ReadyHealthcheck(when="healthcheck")})
    with pytest.raises(UsageError, match="its boxes share the host's network"):
        check_matrix([loaded.model_copy(update={"scenario": scenario})])


@pytest.mark.parametrize(("target", "options"), OWN_NETWORK)
def test_a_port_for_each_box(target: str, options: dict[str, Value]) -> None:
    assert not target_info(target).shares_network(options)
    check_matrix([crowded(target, options, concurrency=(2,))])


# ---- containerd: the storage ----


class FakeContainerd(ContainerdApi):
    """Answers by method, and remembers what it was asked."""

    def __init__(self, **answers: bytes | int) -> None:
        self.socket = Path("/sock")
        self.asked: list[tuple[str, dict[int, list[int | bytes]]]] = []
        self._answers = answers
        self.answers: dict[str, bytes] = {}
        """By service and method."""

    def _call_for_all(self, method: str, request: bytes, **_limits: float) -> list[dict[int, list[int | bytes]]]:
        name = method.rpartition("/")[2]
        self.asked.append((method, parse(request)))
        answer = self.answers.get(method, self._answers.get(name, b""))
        if isinstance(answer, int):
            raise ContainerdError(f"containerd: {name}: status {answer}", hint="look", status=answer)
        return [parse(answer)]


def plugin(kind: str, name: str, *, broken: bool = False) -> bytes:
    fields: dict[int, Encodable] = {1: kind, 2: name, 7: message({2: "no such module"}) if broken else b""}
    return message(fields)


SNAPSHOTTERS = message(
    {
        1: [
            plugin("io.containerd.snapshotter.v1", "overlayfs"),
            plugin("io.containerd.snapshotter.v1", "devmapper", broken=True),
            plugin("io.containerd.gc.v1", "scheduler"),
            plugin("io.containerd.snapshotter.v1", "native"),
        ]
    }
)


def containerd_target(api: FakeContainerd, **options: Value) -> ContainerdTarget:
    engine = SimpleNamespace(api=api, describe=lambda: {"engine": "containerd 1"})
    engines: Any = SimpleNamespace(containerd=engine)
    return ContainerdTarget(options, engines, accel="auto")


def test_snapshotters_are_those_that_were_loaded() -> None:
    assert FakeContainerd(Plugins=SNAPSHOTTERS).snapshotters() == ["overlayfs", "native"]


def test_a_snapshotter_that_is_not_there_is_said() -> None:
    only = message({1: [plugin("io.containerd.snapshotter.v1", "overlayfs")]})
    assert containerd_target(FakeContainerd(Plugins=only)).why_unavailable() is None
    assert containerd_target(FakeContainerd(Plugins=SNAPSHOTTERS), snapshotter="native").why_unavailable() is None
    reason = containerd_target(FakeContainerd(Plugins=only), snapshotter="native").why_unavailable()
    assert reason == "containerd: containerd has no snapshotter 'native' (it has overlayfs)"
    with pytest.raises(UsageError, match="cannot be 'zfs'"):
        containerd_target(FakeContainerd(), snapshotter="zfs")


def test_the_storage_is_said() -> None:
    assert containerd_target(FakeContainerd()).describe()["storage"] == "overlayfs"
    assert "the whole tree copied" in containerd_target(FakeContainerd(), snapshotter="native").describe()["storage"]


@pytest.mark.parametrize(
    ("fields", "own"),
    [
        ({1: "overlay", 2: "overlay", 4: [b"workdir=/w", b"upperdir=/s/1/fs", b"lowerdir=/l"]}, Path("/s/1/fs")),
        ({1: "bind", 2: "/s/7", 4: [b"rbind", b"rw"]}, Path("/s/7")),
        ({1: "ext4", 2: "/dev/mapper/x", 4: [b"rw"]}, None),
    ],
)
def test_the_directory_that_is_the_containers_alone(fields: dict[int, Encodable], own: Path | None) -> None:
    mount = SnapshotMount.decoded(message(fields))
    assert mount.own == own
    assert mount.encoded == message(fields)


def test_a_snapshot_is_missing_only_when_containerd_says_so_by_status() -> None:
    assert FakeContainerd().has_snapshot("box")
    assert not FakeContainerd(Stat=NOT_FOUND).has_snapshot("box")
    with pytest.raises(ContainerdError, match="status 8"):
        FakeContainerd(Stat=RESOURCE_EXHAUSTED).has_snapshot("box")


def test_every_call_about_a_snapshot_names_its_snapshotter() -> None:
    api = FakeContainerd()
    api.prepare_snapshot("box", "chain", snapshotter="native")
    api.has_snapshot("box", snapshotter="native")
    api.remove_snapshot("box", snapshotter="native")
    assert [request[1] for _, request in api.asked] == [[b"native"]] * 3
    api.create_container("box", image="i", spec={}, labels={}, runc_state=None, snapshotter="native")
    (record,) = api.asked[-1][1][1]
    assert isinstance(record, bytes)
    assert parse(record)[6] == [b"native"]


def _record(name: str, *, label: str | None = None) -> bytes:
    return message({1: name, 2: {"boxbench.box": name if label is None else label}, 6: "native"})


DEAD, ALIVE, OWN = "boxbench-deadbeef", "boxbench-0a0b0c0d", "boxbench-1a2b3c4d"


def test_what_is_ours_in_containerd_is_found_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between two calls leaves a snapshot without a container, or a lease alone."""
    api = FakeContainerd(Plugins=SNAPSHOTTERS)
    records = [_record(f"{DEAD}-t0001"), _record("boxbench-debug"), _record(f"{OWN}-t0009", label="")]
    api.answers = {
        "containers.v1.Containers/List": message({1: records}),
        "snapshots.v1.Snapshots/List": message({1: [message({1: f"{DEAD}-t0002"}), message({1: "sha256:0"})]}),
        "leases.v1.Leases/List": message({1: [message({1: DEAD}), message({1: "boxbench-x"})]}),
    }
    assert [tag.text for tag in containerd.box_records(api)] == [DEAD, f"{DEAD}-t0001", f"{DEAD}-t0002"]
    assert api.containers()[f"{DEAD}-t0001"].snapshotter == "native"
    monkeypatch.setattr(containerd, "living_tags", lambda: (ALIVE,))
    containerd._remove_dead(api, OWN)
    removed = [request[2] for method, request in api.asked if method == "snapshots.v1.Snapshots/Remove"]
    assert {(key,) for key in (DEAD.encode(), f"{DEAD}-t0001".encode(), f"{DEAD}-t0002".encode())} == set(
        map(tuple, removed)
    )


def test_a_campaign_that_is_resumed_removes_its_own_snapshots_and_spares_the_living(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its run directory is locked again before the engine is opened, so it counts as living."""
    api = FakeContainerd(Plugins=SNAPSHOTTERS)
    keys = [message({1: f"{owner}-t0001"}) for owner in (OWN, ALIVE)]
    api.answers = {"snapshots.v1.Snapshots/List": message({1: keys})}
    monkeypatch.setattr(containerd, "living_tags", lambda: (OWN, ALIVE))
    containerd._remove_dead(api, OWN)
    removed = [request[2] for method, request in api.asked if method == "snapshots.v1.Snapshots/Remove"]
    assert set(map(tuple, removed)) == {(f"{OWN}-t0001".encode(),)}


def test_a_snapshot_that_stays_ends_the_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeContainerd(Plugins=SNAPSHOTTERS, Remove=RESOURCE_EXHAUSTED)
    api.answers = {"snapshots.v1.Snapshots/List": message({1: [message({1: f"{DEAD}-t0001"})]})}
    monkeypatch.setattr(containerd, "living_tags", lambda: ())
    with pytest.raises(TeardownError, match=f"{DEAD}-t0001 in containerd cannot be removed"):
        containerd._remove_dead(api, OWN)


def test_a_collection_that_was_cut_off_hinders_no_other() -> None:
    api = FakeContainerd(Create=ALREADY_EXISTS)
    api.collect_garbage("k")
    assert api.asked[-1] == ("leases.v1.Leases/Delete", {1: [b"k"], 2: [1]})
    with pytest.raises(ContainerdError, match="status 8"):
        FakeContainerd(Create=RESOURCE_EXHAUSTED).collect_garbage("k")


def test_a_snapshot_is_missing_by_the_status_of_the_answer() -> None:
    assert FakeContainerd().has_snapshot("box")
    assert not FakeContainerd(Stat=NOT_FOUND).has_snapshot("box")
    with pytest.raises(ContainerdError, match="status 8"):
        FakeContainerd(Stat=RESOURCE_EXHAUSTED).has_snapshot("box")


def _box(api: FakeContainerd, storage: Path) -> _ContainerdBox:
    order: Any = SimpleNamespace(tag="boxbench-c-t0001", storage=storage, image=SimpleNamespace(volumes=()))
    return _ContainerdBox(order, CHANNEL, SimpleNamespace(), api, _Layers("chain", "native"))  # type: ignore[arg-type]


def test_a_snapshot_that_stays_is_no_clean_removal(tmp_path: Path) -> None:
    api = FakeContainerd()
    _box(api, tmp_path).remove()
    # The collector last: nothing is left on the disk when the box is gone.
    assert [method.rpartition(".")[2] for method, _ in api.asked][-3:] == [
        "Snapshots/Remove",
        "Leases/Create",
        "Leases/Delete",
    ]
    assert api.asked[-1][1] == {1: [b"boxbench-c-t0001"], 2: [1]}
    _box(FakeContainerd(Remove=NOT_FOUND), tmp_path).remove()
    with pytest.raises(TeardownError, match=r"the snapshot of boxbench-c-t0001 stays: .*status 8"):
        _box(FakeContainerd(Remove=RESOURCE_EXHAUSTED), tmp_path).remove()


class Unanswering(FakeContainerd):
    """Ctrl-C comes while it makes a snapshot, which is there a moment later."""

    def __init__(self, there_at: int) -> None:
        super().__init__()
        self.there_at = there_at
        self.removals = 0

    def _call(self, method: str, request: bytes, **limits: float) -> dict[int, list[int | bytes]]:
        if method.endswith("Prepare"):
            raise KeyboardInterrupt
        if method.endswith("Snapshots/Remove"):
            self.removals += 1
            if self.removals < self.there_at:
                raise ContainerdError("snapshot: gone", hint="", status=NOT_FOUND)
        return super()._call(method, request, **limits)


def test_a_snapshot_that_nobody_waited_for_is_removed_when_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.targets.containers.retry.MonotonicClock", VirtualClock)
    monkeypatch.setattr("bench.targets.containers.containerd.contents_of", lambda *_args, **_more: None)
    monkeypatch.setattr("bench.targets.containers.containerd.oci_config", lambda _contents: {})
    api = Unanswering(there_at=4)
    box = _box(api, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        box.start()
    box.remove()
    assert api.removals == 4


def test_the_private_one_has_both_snapshotters() -> None:
    assert "snapshotter.v1.native" not in containerd.ENGINE_CONFIG
    assert f"snapshotter.v1.{containerdapi.SNAPSHOTTER}" not in containerd.ENGINE_CONFIG
