"""The probes against a program that uses up exactly what it is told to: the same boxes with and without it.

Whatever disagrees here is a bug in our probes: the numbers of reports are made by the code that these boots go through.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from bench.agent.boxconf import encode_word
from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.analysis.values import values_of
from bench.host.accounts import vmm_uids
from bench.host.processes import find_by_argument
from bench.host.run_directory import box_tag, campaign_dir
from bench.probes.memory import memory_of
from bench.probes.observer import PINGS, _guest_memory
from bench.records.record import Endpoint, Record
from bench.run.trial import run_trial
from bench.scenario.model import Design, LoadedScenario, Resources
from bench.scenario.readiness import ReadyFirstLine
from bench.targets.base import Box, BoxProxy, Order, TargetProxy
from bench.util import proc
from bench.util.errors import BoxbenchError, HostUnfitError
from tests.bench.engine_cpu import COLUMNS, TICK_NS, add_runtimes, alternate
from tests.lab import Lab, Trialed
from tests.needs import host_cannot, need
from tests.noise import TRIES, one_is_right
from tests.waiting import LIMIT_S

SOURCE: Final = Path(__file__).with_name("truth") / "truth.c"
DOCKERFILE: Final = 'FROM scratch\nCOPY truth /truth\nCMD ["/truth", "0", "0", "0"]\n'
CONTAINERS: Final = (
    "process", "namespaces", "bubblewrap", "runc", "crun", "containerd", "docker", "docker-cli", "podman",
)  # fmt: skip
MIB: Final = 2**20
SECOND: Final = 10**9
IDLE_NS: Final = 300 * 10**6
SYSTEM_MIB: Final = 5
"""The services of a whole distribution take and give memory by themselves."""
STOPS: Final = 12
BESIDE_S: Final = 0.1
QUIET: Final = 0.05
"""The share of one CPU that other programs may use on a quiet host."""

NOTHING: Final = (0, 0, 0)
MEMORY_AND_CPU: Final = (64, 2000, 0)
CPU: Final = (0, 2000, 0)
MEMORY: Final = (64, 0, 0)
"""MiB touched, ms of CPU time burnt, MiB written and synced."""
DISK: Final = (0, 0, 100)

Variant = tuple[int, int, int]
Boot = Callable[..., Record]


@pytest.fixture(scope="module")
def program(make_scenario: Callable[..., LoadedScenario]) -> LoadedScenario:
    """The program in an image with nothing else."""
    loaded = make_scenario(
        DOCKERFILE,
        name="truth",
        ready=ReadyFirstLine(when="first-line", timeout=240 * SECOND),
        resources=Resources(cpus=1, memory=256 * MIB, disk=256 * MIB),
    )
    try:
        compiler = proc.require_tool("gcc", package="gcc")
    except BoxbenchError as error:
        need(error.message)
        raise
    proc.run([compiler, "-O1", "-static", "-o", loaded.directory / "truth", SOURCE], timeout_s=60)
    return loaded


@pytest.fixture(scope="module")
def boot(lab: Lab, program: LoadedScenario) -> Boot:
    """The nth boot of a target with a variant of the program, which must go well and leave nothing; each only once."""

    seen: dict[tuple[object, ...], Record] = {}

    def run(name: str, variant: Variant, nth: int = 0, **options: str) -> Record:
        key = name, variant, nth, *options.items()
        if key not in seen:
            seen[key] = fresh(name, variant, **options)
        return seen[key]

    def fresh(name: str, variant: Variant, **options: str) -> Record:
        command = ("/truth", *map(str, variant))
        scenario = program.scenario.model_copy(
            update={
                "workload": program.scenario.workload.model_copy(update={"command": command}),
                "design": Design(blocks=1, warmups=0, settle=100 * 10**6, idle=IDLE_NS if not any(variant) else None),
            }
        )
        target = lab.make(name, **options) if options else lab.target(name)
        trialed = lab.run(target, program.model_copy(update={"scenario": scenario}))
        trialed.assert_gone()
        assert trialed.record.outcome == "ok", (trialed.record.failure, trialed.output)
        return trialed.record

    return run


def grown_mib(column: str, more: Record, less: Record) -> float:
    """By how much a column of memory or disk is larger, MiB."""
    one, other = (record.memory_bytes | record.disk_bytes for record in (more, less))
    return (one[column] - other[column]) / MIB


def used_s(column: str, more: Record, less: Record) -> float:
    """By how much a column of CPU time is larger, s."""
    return (more.cpu_ns[column] - less.cpu_ns[column]) / SECOND


def boots(boot: Boot, name: str, *variants: Variant) -> Iterator[tuple[Record, ...]]:
    """Boots of a target with these variants, again and again.

    The first that read a program have it in their page cache, an engine collects its garbage when it likes, and a guest
    whose CPU waits for one of the host's counts on: all that is in some boots. A probe that counts wrong does so in
    every boot. What no noise breaks is checked in each.
    """
    for nth in range(TRIES):
        those = tuple(boot(name, variant, nth) for variant in variants)
        for record in those:
            _adds_up(record)
        yield those


def _adds_up(record: Record) -> None:
    """What follows from numbers of one reading: idle time per minute, and guest and VMM as parts of one total."""
    values, window = values_of(record, ()), record.cpu_ns.get("idle.window")
    if window is not None:
        assert window >= IDLE_NS
    # A part that could not be read is missing, which the checks of noise do not accept.
    if window is not None and "idle.total" in record.cpu_ns:
        per_minute = record.cpu_ns["idle.total"] * 60 * SECOND / window
        assert values["cpu.idle.total_ns"] == pytest.approx(per_minute, abs=1)
    if {"cpu.start.guest_ns", "cpu.start.vmm_ns"} <= values.keys():
        assert values["cpu.start.guest_ns"] + values["cpu.start.vmm_overhead_ns"] == values["cpu.start.vmm_ns"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container(boot: Boot, name: str) -> None:
    one_is_right(boots(boot, name, NOTHING, MEMORY_AND_CPU, DISK), _is_a_container)


def _is_a_container(those: tuple[Record, ...]) -> None:
    nothing, burnt, wrote = those
    # 64 MiB of its own memory: in the process that has it, and in the kernel's account, as anonymous.
    for column in ("pss.workload", "uss.workload", "cgroup.anon"):
        assert grown_mib(column, burnt, nothing) == pytest.approx(64, abs=1), column
    # The first boot of all reads the program itself into the page cache, and is charged for it.
    assert grown_mib("cgroup.file", burnt, nothing) == pytest.approx(0, abs=2)
    # 2.0 s of CPU time.
    assert burnt.cpu_ns["lifetime.workload"] / SECOND == pytest.approx(2.0, rel=0.03)
    # As the host counts, to ready and in the whole life. What a start spends itself varies by tens of milliseconds.
    for column in ("start.box", "lifetime.box"):
        assert used_s(column, burnt, nothing) == pytest.approx(2.0, rel=0.03), column
    assert burnt.cpu_ns["start.host_busy"] > 1.9 * SECOND
    _idles(nothing, most=0.1)
    _stored(wrote, nothing)
    assert grown_mib("cgroup.file", wrote, nothing) == pytest.approx(100, abs=2)


def test_gvisor_whose_kernel_has_its_own_books(boot: Boot) -> None:
    one_is_right(boots(boot, "gvisor", NOTHING, MEMORY_AND_CPU, DISK), _is_gvisor)


def _is_gvisor(those: tuple[Record, ...]) -> None:
    nothing, burnt, wrote = those
    # The sentry keeps the box's memory in a file in memory, of which a process maps little.
    for column in ("cgroup.shmem", "pss.total"):
        assert grown_mib(column, burnt, nothing) == pytest.approx(64, abs=3), column
    assert grown_mib("cgroup.usage", burnt, nothing) == pytest.approx(64, abs=3)
    assert _told_two_s(burnt), burnt.cpu_ns
    assert burnt.cpu_ns["start.box"] > 0.4 * SECOND
    _stored(wrote, nothing)


@pytest.mark.parametrize("name", ["microvm", "libvirt"])
def test_a_virtual_machine(boot: Boot, name: str) -> None:
    one_is_right(boots(boot, name, NOTHING, MEMORY_AND_CPU, CPU, DISK), _is_a_virtual_machine)


def _is_a_virtual_machine(those: tuple[Record, ...]) -> None:
    nothing, burnt, as_old, wrote = those
    # Both at the same age: a guest that has just booted gives memory back to itself for some seconds more.
    _guest_has_64_mib_less(burnt, as_old)
    assert _told_two_s(burnt, own=nothing.cpu_ns["lifetime.workload"] / SECOND), burnt.cpu_ns
    for record in (nothing, burnt):
        _told_apart(record)
    _idles(nothing, most=1.0)
    # The VMM writes the guest's journal and the overlay's own tables beside the data.
    _stored(wrote, nothing, within_mib=4)
    # The guest's own account of it, which came over its virtual disk.
    assert grown_mib("guest.written", wrote, nothing) == pytest.approx(100, abs=4)
    assert wrote.flush is not None
    assert wrote.flush.vmm is not None
    assert wrote.flush.vmm >= wrote.flush.asked


def test_the_start_of_a_vm_is_its_vmm_and_libvirts_daemon_and_nothing_else(boot: Boot) -> None:
    """On a host with nothing else to do: what the host was busy with, less Boxbench itself.

    Others may work at any time, so one boot of up to ten. It cannot pass falsely: work of others only adds to what the
    host did, and what is missing or counted twice is so in every boot.
    """
    seen, quietest = [], 1.0
    for variant, nth in ((NOTHING, 0), (CPU, 0), (DISK, 0), *((NOTHING, nth) for nth in range(1, TRIES))):
        used = boot("libvirt", variant, nth).cpu_ns
        daemons = sum(spent for name, spent in used.items() if name.startswith("start.daemon."))
        assert daemons > 0
        assert used["start.total"] == used["start.vmm"] + daemons + used["start.runtime"]
        seen.append(used["start.total"] / (used["start.host_busy"] - used["start.harness"]))
        if seen[-1] == pytest.approx(1, abs=0.1):
            return
        quietest = min(quietest, beside_now())
    _may_rest(quietest)
    pytest.fail(f"shares of the host's work: {seen}")


@pytest.mark.parametrize("plant_ms", [500])
def test_what_a_runtime_uses_is_in_the_start_of_docker(
    lab: Lab, program: LoadedScenario, tmp_path: Path, plant_ms: int
) -> None:
    """The planted CPU time is far above what a start varies by: a column without it cannot pass.

    Two starts in docker differ by tens of ms of CPU time: its daemons collect garbage when they like. A stall of the
    machine may count as CPU time, but not in one start of every pair.
    """
    try:
        names = add_runtimes(lab.engines.docker, campaign_dir(lab.campaign), tmp_path, (0, plant_ms))
    except HostUnfitError as error:
        host_cannot(error.message)
    used: list[int] = []

    def pairs() -> Iterator[dict[int, Record]]:
        for _ in range(TRIES):
            yield from alternate(lab, names, lambda target: lab.run(target, program).record, 1)

    def check(pair: dict[int, Record]) -> None:
        used.extend(record.cpu_ns["start.runtime"] for record in pair.values())
        for column in COLUMNS:
            found_ms = (pair[plant_ms].cpu_ns[column] - pair[0].cpu_ns[column]) / 1e6
            assert found_ms == pytest.approx(plant_ms, abs=plant_ms / 2), column

    one_is_right(pairs(), check)
    assert any(value % TICK_NS for value in used), used


def test_the_classic_virtual_machine_with_other_parts(lab: Lab, program: LoadedScenario) -> None:
    """One boot, read before and after 64 MiB are touched in it.

    Two boots of a whole distribution differ by itself: in about one of thirty the udevd of Debian's initramfs lives on
    and holds 20 to 25 MiB. One boot has one udevd in both readings. Its services take and give memory at any time, so
    one boot of several must be right.

    Its default parts are booted by the contract, tests/contract/test_target_contract.py.
    """
    one_is_right((_touched_in_one_boot(lab, program) for _ in range(TRIES)), _has_touched_64_mib)


def _has_touched_64_mib(those: tuple[Record, dict[str, float], dict[str, float]]) -> None:
    record, before, after = those
    assert after["guest.total"] == before["guest.total"]
    # Of the host's memory it takes more only where it touches what it never had before: some it had while booting.
    assert 8 < after["pss.total"] - before["pss.total"] < 64 + 16
    assert before["guest.available"] - after["guest.available"] == pytest.approx(64, abs=SYSTEM_MIB)
    # The record has the same numbers.
    for column, other in (
        ("guest.total", "guest.total"),
        ("guest.available", "guest.available"),
        ("pss.vmm", "pss.total"),
    ):
        assert record.memory_bytes[column] / MIB == pytest.approx(before[other], abs=SYSTEM_MIB), column


def _touched_in_one_boot(lab: Lab, program: LoadedScenario) -> tuple[Record, dict[str, float], dict[str, float]]:
    """Boot the whole distribution once, and read its memory before and after 64 MiB are touched in it, MiB."""
    seen: list[dict[str, int]] = []

    def touch(channel: Channel, timeline: Timeline) -> None:
        seen.append(_memory_now(channel, timeline, trial_tag))
        channel.send(" ".join(("exercise", "240000", *map(encode_word, ("/truth", *map(str, MEMORY))))))
        assert timeline.wait_for(lambda: b"done" in timeline.exercise.output["stdout"], timeout_s=LIMIT_S)
        seen.append(_memory_now(channel, timeline, trial_tag))

    command = program.scenario.workload.model_copy(update={"command": ("/truth", *map(str, NOTHING))})
    design = Design(blocks=1, warmups=0, settle=100 * 10**6)
    scenario = program.scenario.model_copy(update={"workload": command, "design": design})
    target = lab.make("libvirt-full", firmware="ovmf", console="serial")
    setting = replace(lab.setting(target, program.model_copy(update={"scenario": scenario})), after_ready=touch)
    trial = lab.trial(setting)
    trial_tag = box_tag(lab.campaign, trial.id)
    trialed = Trialed(trial_tag, *run_trial(trial, setting), lab)
    _is_a_classic_life(trialed)
    record = trialed.record
    before, after = ({name: size / MIB for name, size in memory.items()} for memory in seen)
    return record, before, after


def _is_a_classic_life(trialed: Trialed) -> None:
    """From the request to gone, with another firmware and with a console, which shows the kernel's first output."""
    record = trialed.record
    assert record.outcome == "ok", (record.failure, trialed.output)
    trialed.assert_gone()
    wanted = ("requested", "created", "vmm", "init", "exec", "ready", "stopping", "stopped", "ended", "gone")
    stamps = [record.endpoints_ns[Endpoint(name)] for name in wanted]
    assert stamps == sorted(stamps), record.endpoints_ns
    assert Endpoint.KERNEL in record.endpoints_ns
    assert record.exit_code == 0
    assert len(record.channel_rtt_ns) == PINGS
    assert int(record.inside["pid"]) > 1, "systemd is the init"
    assert (record.inside["cgroup_version"], record.inside["cpus"]) == ("2", "1")


def _memory_now(channel: Channel, timeline: Timeline, tag: str) -> dict[str, int]:
    """The guest's memory as its agent tells it, and the VMM's as the host does."""
    token = f"after-{len(timeline.facts)}-{timeline.clock.now_ns()}"
    channel.send("facts")
    # The agent answers one question after another.
    channel.send(f"ping {token}")
    assert timeline.wait_for(lambda: timeline.has_pong(token), timeout_s=LIMIT_S)
    vmm = find_by_argument(f"guest={tag},debug-threads=on", uids=vmm_uids())
    assert vmm is not None
    return {**_guest_memory(timeline.facts), **memory_of({"vmm": (vmm,)}, None)}


@dataclass(frozen=True)
class HostNow:
    """CPU time so far, ns."""

    host: int
    """Of all tasks of the host, as its scheduler counts in ns. /proc/stat counts in ticks of 10 ms."""
    ours: int

    @classmethod
    def read(cls) -> HostNow:
        host = next(
            (count(file.read_text(encoding="ascii")) for file, count in _COUNTERS.items() if file.exists()), None
        )
        if host is None:
            host_cannot("neither /proc/schedstat nor a root control group counts what its CPUs run")
        return cls(host or 0, time.process_time_ns())

    def others_since(self, before: HostNow) -> int:
        """What all but us have used."""
        return self.host - before.host - (self.ours - before.ours)


def _of_cpus(schedstat: str) -> int:
    return sum(int(line.split()[7]) for line in schedstat.splitlines() if line.startswith("cpu"))


_COUNTERS: Final[dict[Path, Callable[[str], int]]] = {
    Path("/sys/fs/cgroup/cpuacct/cpuacct.usage"): int,
    Path("/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage"): int,
    Path("/proc/schedstat"): _of_cpus,
}


def beside_now() -> float:
    """What all but us use for a while, as a share of one CPU."""
    begun, begun_ns = HostNow.read(), time.monotonic_ns()
    time.sleep(BESIDE_S)
    return HostNow.read().others_since(begun) / (time.monotonic_ns() - begun_ns)


def _may_rest(quietest: float) -> None:
    """Skip the test on a host whose other programs worked whenever ``beside_now`` looked."""
    if quietest > QUIET:
        host_cannot(f"its other programs never rest: they used {quietest:.0%} of a CPU at least")


class MeteredStop(TargetProxy):
    """Reads the host's CPU time when its box is asked to stop, when it is gone, and a while later."""

    others_ns = 0
    """What all but us have used from stopping to gone."""
    beside = 1.0
    """What others used after that, as a share of one CPU."""

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        with self.inner.provision(order) as box:
            metered = MeteredBox(box)
            yield metered
        gone = HostNow.read()
        self.others_ns = gone.others_since(metered.stopping or gone)
        self.beside = beside_now()


class MeteredBox(BoxProxy):
    stopping: HostNow | None = None

    def stop(self) -> None:
        self.stopping = HostNow.read()
        self.inner.stop()


@pytest.mark.parametrize("name", ["runc", "podman", "docker"])
def test_what_a_stop_costs(lab: Lab, program: LoadedScenario, name: str) -> None:
    """All that the host did from stopping to gone, less ourselves, is in the account of the box, within 10 %.

    It cannot pass falsely on a host that rests. Work of others only adds to what the host did, and its scheduler counts
    exactly. So a program that is missing in the account is missing in every boot, and the boot with the smallest gap
    still has it. A program that is counted twice makes the account larger than what the host did, in every boot, too. A
    stall between the two last readings, which are of the account and of the host, does so in one.
    """
    design = Design(blocks=1, warmups=0, settle=10**6)
    workload = program.scenario.workload.model_copy(update={"command": ("/truth", *map(str, NOTHING))})
    loaded = program.model_copy(
        update={"scenario": program.scenario.model_copy(update={"workload": workload, "design": design})}
    )
    target = MeteredStop(lab.target(name))
    gaps, quietest = [], 1.0
    for _ in range(STOPS):
        record = lab.run(target, loaded).record
        assert record.outcome == "ok", record.failure
        gaps.append(1 - record.cpu_ns["stop.total"] / (target.others_ns - record.cpu_ns["stop.helpers"]))
        if gaps[-1] == pytest.approx(0, abs=0.1):
            return
        quietest = min(quietest, target.beside)
    _may_rest(quietest)
    pytest.fail(f"shares of what the host did that the account of a stop lacks: {gaps}")


def test_a_disk_that_ignores_flushes_is_told(boot: Boot) -> None:
    # The default is `writeback`.
    one_is_right((boot("libvirt", NOTHING, nth) for nth in range(TRIES)), _honours_flushes)
    one_is_right((boot("libvirt", NOTHING, nth, disk_cache="unsafe") for nth in range(TRIES)), _ignores_flushes)


def _honours_flushes(record: Record) -> None:
    kept = record.flush
    assert kept is not None
    if not kept.cached or kept.host is None:
        host_cannot("no disk here has a cache to flush, or the kernel counts no flushes")
    assert kept.honoured == "yes", kept


def _ignores_flushes(record: Record) -> None:
    ignored = record.flush
    assert ignored is not None
    assert ignored.vmm is not None
    assert ignored.vmm >= ignored.asked
    assert ignored.host is not None
    # Somebody else may sync, and the host's file system commits every few seconds: less than the guest asked for.
    assert ignored.host < ignored.asked or (ignored.background or 0) > 0, ignored


def _guest_has_64_mib_less(touched: Record, untouched: Record) -> None:
    assert grown_mib("guest.available", touched, untouched) == pytest.approx(-64, abs=3)
    assert grown_mib("guest.total", touched, untouched) == pytest.approx(0, abs=0.5)
    # Of the host's memory it takes more only where it touches what it never had before: some it had while booting.
    assert 8 < grown_mib("pss.vmm", touched, untouched) < 64 + 16


def _told_apart(record: Record) -> None:
    """Guest and VMM, threads and their VMM: parts of one total. See ``_adds_up``."""
    values = values_of(record, ())
    vmm = values["cpu.start.vmm_ns"]
    assert values["cpu.start.guest_ns"] > 0
    assert 0 < values["cpu.start.vmm_overhead_ns"] < vmm
    roles = [values[f"cpu.start.threads.{role}_ns"] for role in ("vcpu", "main", "other")]
    assert sum(roles) + values.get("cpu.start.threads.io_ns", 0) == pytest.approx(vmm, rel=0.01)
    assert values["cpu.start.threads.vcpu_ns"] > 0.7 * vmm, "an emulated CPU is what most of the time goes to"
    assert values["cpu.stop.vmm_ns"] > 0


def _told_two_s(burnt: Record, *, own: float = 0.0) -> bool:
    """As a kernel says whose clock runs on while its CPU waits for one of the host's: never less."""
    return 2.0 * 0.97 <= burnt.cpu_ns["lifetime.workload"] / SECOND <= 2.3 + own


def _idles(nothing: Record, *, most: float) -> None:
    """A box left alone uses at most this share of one CPU. See ``_adds_up``."""
    window = nothing.cpu_ns["idle.window"]
    daemons = sum(spent for name, spent in nothing.cpu_ns.items() if name.startswith("idle.daemon."))
    assert nothing.cpu_ns["idle.total"] - daemons <= most * window
    # Whose language collects its garbage when it likes.
    assert daemons <= window


def _stored(wrote: Record, nothing: Record, *, within_mib: float = 2) -> None:
    """100 MiB that only this box has, that it wrote, and that reached the host's disk."""
    for column in ("box.allocated", "box.at_stop", "box.written"):
        assert grown_mib(column, wrote, nothing) == pytest.approx(100, abs=within_mib), column
    assert nothing.disk_bytes["box.allocated"] < 2 * MIB
    if "host.written" in wrote.disk_bytes:
        assert wrote.disk_bytes["host.written"] > 99 * MIB
    assert wrote.flush is not None
    assert wrote.flush.asked == 3
    assert wrote.flush.honoured != "no", wrote.flush
