"""What follows from several numbers of one record."""

from __future__ import annotations

from bench.analysis.metrics import Metric
from bench.analysis.values import cpu_used, disk_used, samples_of, values_of
from bench.records.component import parts_of_total
from bench.records.record import Flush, Samples
from bench.render.figures.samples import shares
from tests.factories import make_manifest, make_records

MIB = 2**20


def record(**changes: object):  # type: ignore[no-untyped-def]
    first = next(r for r in make_records(make_manifest()) if r.outcome == "ok")
    return first.model_copy(update=changes)


def test_idle_time_is_per_minute() -> None:
    assert cpu_used({"idle.vmm": 5, "idle.window": 10**9, "start.box": 7}) == {"idle.vmm": 300, "start.box": 7}
    assert cpu_used({"idle.vmm": 5}) == {}, "without its window it says nothing"


def test_the_rest_of_the_host_and_of_the_vmm() -> None:
    found = cpu_used(
        {"start.host_busy": 100, "start.total": 60, "start.harness": 15, "start.vmm": 60, "start.guest": 45}
    )
    assert (found["start.host_other"], found["start.vmm_overhead"]) == (25, 15)
    beside = {"start.host_busy": 100, "start.total": 60, "start.harness": 15, "start.helpers": 5}
    assert cpu_used(beside)["start.host_other"] == 20
    assert "start.host_other" not in cpu_used({"start.host_busy": 100, "start.total": 60})


def test_a_stack_adds_up_to_its_total() -> None:
    names = ["box", "shim", "daemon.dockerd", "runtime", "harness", "host_other", "host_busy", "workload"]
    assert parts_of_total(names) == ("box", "shim", "daemon.dockerd", "runtime")
    vm = ["vmm", "threads.vcpu", "threads.main", "guest", "vmm_overhead", "host_busy", "host_other"]
    assert parts_of_total(vm) == ("threads.vcpu", "threads.main")
    assert parts_of_total(["vmm", "daemon.libvirtd"]) == ("vmm", "daemon.libvirtd"), "of a record without threads"


def test_bytes_of_the_host_per_byte_of_the_guest() -> None:
    sizes = {"guest.written": 10 * MIB, "box.written": 11 * MIB, "host.written": 15 * MIB}
    assert disk_used(record(disk_bytes=sizes, flush=None)) == {"disk.write_amplification": 1.5}
    container = {"box.written": 5 * MIB, "host.written": 15 * MIB}
    assert disk_used(record(disk_bytes=container, flush=None)) == {"disk.write_amplification": 3.0}
    assert disk_used(record(disk_bytes=sizes | {"guest.written": 4096}, flush=None)) == {}, (
        "most of it would be somebody else's"
    )


def test_one_sync() -> None:
    assert disk_used(record(disk_bytes={}, flush=Flush(asked=3, took_ns=30)))["disk.flush.sync_ns"] == 10
    assert disk_used(record(disk_bytes={}, flush=Flush(asked=0, took_ns=0))) == {}


def test_every_metric_has_words() -> None:
    one = record(
        cpu_ns={"start.threads.vcpu": 1, "start.vmm": 2, "start.guest": 1, "idle.total": 1, "idle.window": 10**9},
        disk_bytes={"box.at_stop": 1, "host.written": 2 * MIB, "box.written": 2 * MIB},
        flush=Flush(asked=1, took_ns=1),
    )
    words = {Metric(metric).label for metric in values_of(one, ())}
    assert {
        "CPU time to ready, VMM threads, virtual CPUs",
        "CPU time to ready, VMM beyond the guest",
        "CPU time idle, per minute",
        "disk, flush, one sync",
        "disk, bytes to the host's disks per byte written",
        "disk, box, own, allocated before its stop",
        "disk, whole host, written",
    } <= words


def test_peak_and_mean_of_samples() -> None:
    samples = Samples(at_ns=(0, 1, 2), memory_bytes=(10, 40, 10), cpu_ns=(0, 1, 2))
    assert samples_of(record(samples=samples)) == {"memory.samples.peak_bytes": 40, "memory.samples.mean_bytes": 20}
    assert samples_of(record()) == {}


def test_a_share_of_a_cpu_over_several_samples() -> None:
    samples = Samples(
        at_ns=tuple(n * 10**9 for n in range(5)), memory_bytes=(1,) * 5, cpu_ns=(0, 5, 10**9, 10**9 + 7, 2 * 10**9)
    )
    assert shares(samples, window=2) == [(2.0, 0.5), (4.0, 0.5)]
