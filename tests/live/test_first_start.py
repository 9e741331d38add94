"""First starts with real engines: nothing is there before the request, and the link is as wide as it says."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Literal

import pytest

from bench.engines.link import Link, limited_link
from bench.engines.link import check_tools as link_tools
from bench.engines.registry import Blob, Registry, registry
from bench.engines.registry import check_tools as registry_tools
from bench.host.read import HOST_ROOT, read_text
from bench.host.run_directory import box_tag, campaign_tag
from bench.records.record import Endpoint, Record
from bench.run.box import Setting
from bench.run.cleanup import find_leftovers
from bench.run.trial import run_trial
from bench.scenario.first_start import FirstStart
from bench.scenario.model import LoadedScenario, TargetSpec
from bench.targets.first_start.fetch import Parcel, fetch
from bench.targets.first_start.first_starts import FirstStarts
from bench.targets.first_start.target import FilesTarget, LayersTarget
from bench.util.clock import MonotonicClock
from bench.util.errors import HostUnfitError, LaunchError
from bench.util.threads import WatchedThread
from tests.lab import Lab
from tests.needs import need
from tests.noise import TRIES, one_is_right
from tests.waiting import wait_until

BITS_PER_S: Final = 10**8
PAYLOAD_SHARE: Final = 1448 / 1514
"""Of a full packet on the link: what is left without the headers of Ethernet, IP and TCP with its time stamps."""
ERROR: Final = 0.05
LINK_TRIES: Final = 30
SLOW_BITS_PER_S: Final = 4 * 10**6
"""The smallest image takes more than a second."""
MIDDLE_BYTES: Final = 100_000
IN_ORDER: Final = (Endpoint.FETCHED, Endpoint.UNPACKED, Endpoint.CREATED, Endpoint.READY)


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    try:
        link_tools()
        registry_tools()
    except HostUnfitError as error:
        need(error.message)


@pytest.fixture(scope="module")
def first(lab: Lab) -> Iterator[FirstStarts]:
    with ExitStack() as stack:
        yield FirstStarts(lab.engines, campaign_tag(lab.campaign), stack, accel="tcg")


@pytest.fixture
def start(lab: Lab, loaded: LoadedScenario, first: FirstStarts) -> Callable[..., Record]:
    """A first start of a target's box; afterwards nothing of it may be there."""

    def one(name: str, present: Literal["nothing", "base"] = "nothing") -> Record:
        wanted = FirstStart(bandwidth=BITS_PER_S, present=present)
        target = first.target(lab.target(name), TargetSpec(target=name), wanted)
        setting = lab.setting(target, loaded)
        trial = lab.trial(setting, cache="absent")
        record, _ = run_trial(trial, setting)
        assert (record.outcome, record.failure) == ("ok", None)
        assert [str(found) for found in find_leftovers(box_tag(lab.campaign, trial.id))] == []
        return record

    return one


def check_arrival(record: Record) -> None:
    # podman does not say when it has created the container.
    order = [name for name in IN_ORDER if name != Endpoint.CREATED or record.trial.cell.target != "podman"]
    passed = [record.endpoints_ns[name] for name in order]
    assert passed == sorted(passed)
    came, kept = record.disk_bytes["arrival.travelled"], record.disk_bytes["arrival.kept"]
    # busybox and the agent do not fit in less, packed or not.
    assert came > 500_000
    assert kept > 1_500_000
    # Nothing comes faster than the link: only what its bucket holds passes at once.
    assert passed[0] >= (came - BITS_PER_S // 8 // 100) * 8 * 10**9 / BITS_PER_S
    assert record.disk_bytes["arrival.written"] >= kept // 2
    assert record.cpu_ns["start.total"] > 0


@pytest.mark.parametrize("name", ["runc", "libvirt"])
def test_what_a_box_needs_comes_after_its_request(start: Callable[..., Record], name: str) -> None:
    check_arrival(start(name))


@pytest.mark.parametrize("name", ["podman", "containerd"])
def test_an_engine_pulls_again_what_it_has_pulled_before(start: Callable[..., Record], name: str) -> None:
    for record in (start(name), start(name)):
        check_arrival(record)


def test_docker_pulls_only_what_is_above_the_base(start: Callable[..., Record]) -> None:
    first, second = start("docker"), start("docker")
    check_arrival(first)
    check_arrival(second)
    with_base = start("docker", "base").disk_bytes
    # Without its lowest layer, busybox, only the agent travels.
    for name in ("arrival.travelled", "arrival.kept"):
        assert 2 * with_base[name] < second.disk_bytes[name]


@contextmanager
def killed_when(served: Registry, came_bytes: int) -> Iterator[None]:
    """Kill the registry by its pid when so much more has come over its link; at the end it has been killed."""
    before, pid = served.link.received_bytes(), served.pid

    def kill() -> None:
        wait_until(lambda: served.link.received_bytes() > before + came_bytes, "a part of the image")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    thread = WatchedThread(kill, name="killer")
    thread.start()
    yield
    thread.join()
    thread.check()


def test_a_registry_that_dies_in_the_middle_fails_one_start(lab: Lab, loaded: LoadedScenario) -> None:
    """Of every form in which an image comes. The next start has a registry again; then nothing of it all is left."""
    tag = campaign_tag(lab.campaign)
    with ExitStack() as stack:
        slow = FirstStarts(lab.engines, f"{tag}-slow", stack, accel="tcg")
        wanted = FirstStart(bandwidth=SLOW_BITS_PER_S)
        for name in ("docker", "podman", "containerd", "runc"):
            target = slow.target(lab.target(name), TargetSpec(target=name), wanted)
            assert isinstance(target, FilesTarget | LayersTarget)
            served = target.registry
            setting = lab.setting(target, loaded)
            record = _without_its_registry(lab, setting, served)
            assert record.failure is not None
            assert "the registry at the far end of the link has ended" in record.failure.message
        record, _ = run_trial(lab.trial(setting, cache="absent"), setting)
        assert (record.outcome, record.failure) == ("ok", None)
        pids = served.pid, served.link.server_pid, served.link.fetcher_pid
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert [str(found) for found in find_leftovers(f"{tag}-slow-first0")] == []


def _without_its_registry(lab: Lab, setting: Setting, served: Registry) -> Record:
    """A start whose registry is killed half way. A host may stall the killer until all has come: then another start."""
    for _ in range(TRIES):
        trial = lab.trial(setting, cache="absent")
        with killed_when(served, MIDDLE_BYTES):
            record, _ = run_trial(trial, setting)
        assert [str(found) for found in find_leftovers(box_tag(lab.campaign, trial.id))] == []
        if record.failure is not None:
            break
    return record


@pytest.fixture
def link() -> Iterator[Link]:
    with limited_link(BITS_PER_S) as made:
        yield made


@pytest.fixture
def served(link: Link, tmp_path: Path) -> Iterator[Registry]:
    with registry(link, tmp_path, tmp_path) as found:
        yield found


def test_a_known_size_takes_as_long_as_the_link_says(served: Registry, tmp_path: Path) -> None:
    """The difference of two sizes, so that starting the programs does not count, and the best of many tries."""
    clock = MonotonicClock()
    parcels = []
    for number, size in enumerate((500_000, 8_000_000)):
        file = tmp_path / f"blob{number}"
        file.write_bytes(secrets.token_bytes(size))
        parcels.append(Parcel(served.push_file(file), tmp_path / f"came{number}", "plain"))

    def took_ns(parcel: Parcel) -> int:
        begin = clock.now_ns()
        fetch([parcel], served.link, tmp_path / "log", arrived=lambda: None)
        return clock.now_ns() - begin

    more = parcels[1].blob.size_bytes - parcels[0].blob.size_bytes
    expected_ns = more * 8 * 10**9 / BITS_PER_S / PAYLOAD_SHARE
    best = [2**63, 2**63]
    for _ in range(LINK_TRIES):
        best = [min(known, took_ns(parcel)) for known, parcel in zip(best, parcels, strict=True)]
        if abs((best[1] - best[0]) / expected_ns - 1) < ERROR:
            break
    assert (best[1] - best[0]) / expected_ns == pytest.approx(1, abs=ERROR)

    def counted() -> int:
        before = served.link.sent_bytes()
        took_ns(parcels[1])
        return served.link.sent_bytes() - before

    def check(sent: int) -> None:
        assert sent / (parcels[1].blob.size_bytes / PAYLOAD_SHARE) == pytest.approx(1, abs=0.01)

    # Every packet has its headers, and the registry's answer has some of its own. After a stall packets are sent again.
    one_is_right((counted() for _ in range(TRIES)), check)
    for parcel in parcels:
        assert parcel.place.stat().st_size == parcel.blob.size_bytes


def test_what_the_registry_does_not_have_is_an_error_of_the_box(served: Registry, tmp_path: Path) -> None:
    parcel = Parcel(Blob.of(b"elsewhere"), tmp_path / "came", "zstd")
    with pytest.raises(LaunchError, match="404"):
        fetch([parcel], served.link, tmp_path / "log", arrived=lambda: pytest.fail("nothing has come"))


def test_nothing_of_a_link_is_in_this_host_s_network(link: Link) -> None:
    names = {line.partition(":")[0].strip() for line in (read_text(HOST_ROOT, "proc/net/dev") or "").splitlines()}
    assert not [name for name in names if name.startswith("boxbench")]
    assert link.sent_bytes() >= 0
