"""The probes against a program that uses up exactly what it is told to: the same boxes with and without it.

Whatever disagrees here is a bug in our probes: the numbers of reports are made by the code that these boots go through.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from bench.analysis.values import values_of
from bench.records.record import Record
from bench.scenario.model import Design, LoadedScenario, Resources
from bench.scenario.readiness import ReadyFirstLine
from bench.util import proc
from bench.util.errors import BoxbenchError
from tests.lab import Lab
from tests.needs import host_cannot, need

SOURCE: Final = Path(__file__).with_name("truth") / "truth.c"
DOCKERFILE: Final = 'FROM scratch\nCOPY truth /truth\nCMD ["/truth", "0", "0", "0"]\n'
CONTAINERS: Final = (
    "process", "namespaces", "bubblewrap", "runc", "crun", "containerd", "docker", "docker-cli", "podman",
)  # fmt: skip
MIB: Final = 2**20
SECOND: Final = 10**9
IDLE_NS: Final = 300 * 10**6
SYSTEM_MIB: Final = 5
"""Two boots of a whole distribution differ by more than those of a kernel and an agent."""

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


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container(boot: Boot, name: str) -> None:
    nothing, burnt, wrote = (boot(name, variant) for variant in (NOTHING, MEMORY_AND_CPU, DISK))
    # 64 MiB of its own memory: in the process that has it, and in the kernel's account, as anonymous.
    for column in ("pss.workload", "uss.workload", "cgroup.anon"):
        assert grown_mib(column, burnt, nothing) == pytest.approx(64, abs=1), column
    # The first boot of all reads the program itself into the page cache, and is charged for it.
    assert grown_mib("cgroup.file", burnt, nothing) == pytest.approx(0, abs=2)
    # 2.0 s of CPU time.
    assert burnt.cpu_ns["lifetime.workload"] / SECOND == pytest.approx(2.0, rel=0.03)
    # What a start spends itself varies by tens of milliseconds, so one pair of up to three.
    assert any(_burnt_two_s(boot(name, MEMORY_AND_CPU, nth), boot(name, NOTHING, nth)) for nth in range(3))
    assert burnt.cpu_ns["start.host_busy"] > 1.9 * SECOND
    _idles(nothing, most=0.1)
    _stored(wrote, nothing)
    assert grown_mib("cgroup.file", wrote, nothing) == pytest.approx(100, abs=2)


def test_gvisor_whose_kernel_has_its_own_books(boot: Boot) -> None:
    nothing, burnt, wrote = (boot("gvisor", variant) for variant in (NOTHING, MEMORY_AND_CPU, DISK))
    # The sentry keeps the box's memory in a file in memory, of which a process maps little.
    for column in ("cgroup.shmem", "pss.total"):
        assert grown_mib(column, burnt, nothing) == pytest.approx(64, abs=3), column
    assert grown_mib("cgroup.usage", burnt, nothing) == pytest.approx(64, abs=3)
    assert _told_two_s(burnt), burnt.cpu_ns
    assert burnt.cpu_ns["start.box"] > 0.4 * SECOND
    _stored(wrote, nothing)


@pytest.mark.parametrize("name", ["microvm", "libvirt"])
def test_a_virtual_machine(boot: Boot, name: str) -> None:
    nothing, burnt, wrote = (boot(name, variant) for variant in (NOTHING, MEMORY_AND_CPU, DISK))
    # Both at the same age: a guest that has just booted gives memory back to itself for some seconds more.
    _guest_has_64_mib_less(burnt, boot(name, CPU))
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


def test_the_classic_virtual_machine(boot: Boot) -> None:
    # In about one boot of thirty the udevd of Debian's initramfs does not end with it: it lives on, and holds
    # 20 to 25 MiB of the initramfs. So of each kind the boot that leaves most, of up to three.
    for boots in (1, 2, 3):
        touched, untouched = (
            max((boot("libvirt-full", variant, nth) for nth in range(boots)), key=_available)
            for variant in (MEMORY, NOTHING)
        )
        if grown_mib("guest.available", touched, untouched) == pytest.approx(-64, abs=SYSTEM_MIB):
            break
    _guest_has_64_mib_less(touched, untouched, within_mib=SYSTEM_MIB)


def test_a_disk_that_ignores_flushes_is_told(boot: Boot) -> None:
    # The default is `writeback`.
    kept, ignored = boot("libvirt", NOTHING).flush, boot("libvirt", NOTHING, disk_cache="unsafe").flush
    assert kept is not None
    assert ignored is not None
    if not kept.cached or kept.host is None:
        host_cannot("no disk here has a cache to flush, or the kernel counts no flushes")
    assert kept.honoured == "yes", kept
    assert ignored.vmm is not None
    assert ignored.vmm >= ignored.asked
    assert ignored.host is not None
    # Somebody else may sync, and the host's file system commits every few seconds: less than the guest asked for.
    assert ignored.host < ignored.asked or (ignored.background or 0) > 0, ignored


def _available(record: Record) -> int:
    return record.memory_bytes["guest.available"]


def _guest_has_64_mib_less(touched: Record, untouched: Record, *, within_mib: float = 3) -> None:
    assert grown_mib("guest.available", touched, untouched) == pytest.approx(-64, abs=within_mib)
    assert grown_mib("guest.total", touched, untouched) == pytest.approx(0, abs=0.5)
    # Of the host's memory it takes more only where it touches what it never had before: some it had while booting.
    assert 8 < grown_mib("pss.vmm", touched, untouched) < 64 + 16


def _told_apart(record: Record) -> None:
    """Guest and VMM, threads and their VMM: parts of one total."""
    values = values_of(record, ())
    vmm = values["cpu.start.vmm_ns"]
    assert values["cpu.start.guest_ns"] + values["cpu.start.vmm_overhead_ns"] == vmm
    assert 0 < values["cpu.start.vmm_overhead_ns"] < vmm
    roles = [values[f"cpu.start.threads.{role}_ns"] for role in ("vcpu", "main", "other")]
    assert sum(roles) + values.get("cpu.start.threads.io_ns", 0) == pytest.approx(vmm, rel=0.01)
    assert values["cpu.start.threads.vcpu_ns"] > 0.7 * vmm, "an emulated CPU is what most of the time goes to"
    assert values["cpu.stop.vmm_ns"] > 0


def _burnt_two_s(burnt: Record, nothing: Record) -> bool:
    """As the host counts, within 3 %: to ready, and in the whole life."""
    return all(
        used_s(column, burnt, nothing) == pytest.approx(2.0, rel=0.03) for column in ("start.box", "lifetime.box")
    )


def _told_two_s(burnt: Record, *, own: float = 0.0) -> bool:
    """As a kernel says whose clock runs on while its CPU waits for one of the host's: never less."""
    return 2.0 * 0.97 <= burnt.cpu_ns["lifetime.workload"] / SECOND <= 2.3 + own


def _idles(nothing: Record, *, most: float) -> None:
    """A box left alone uses at most this share of one CPU, and its time is told per minute."""
    window = nothing.cpu_ns["idle.window"]
    assert window >= IDLE_NS
    daemons = sum(spent for name, spent in nothing.cpu_ns.items() if name.startswith("idle.daemon."))
    assert nothing.cpu_ns["idle.total"] - daemons <= most * window
    # Whose language collects its garbage when it likes.
    assert daemons <= window
    per_minute = values_of(nothing, ())["cpu.idle.total_ns"]
    assert per_minute == pytest.approx(nothing.cpu_ns["idle.total"] * 60 * SECOND / window, abs=1)


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
