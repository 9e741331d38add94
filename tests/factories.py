"""Realistic invented campaigns from a seed, without host and engines, with everything that a report must survive."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.plan.trials import Cell, Trial, build_plan
from bench.records.campaign import RECORDS
from bench.records.manifest import MANIFEST, ImageEntry, Manifest, RequestEntry, ScenarioEntry
from bench.records.record import Endpoint, Failure, Flush, Record, Samples
from bench.scenario.model import Design, Scenario, TargetSpec
from bench.scenario.readiness import ReadyFirstLine, ReadyHttp

CAMPAIGN_ID: Final = "c0ffee42"
HOSTILE: Final = "<script>alert('box')</script>\x1b[31mred\x1b[0m [bold]markup[/bold] | `code` \u202egnp.exe"
"""Text that a guest may send: HTML, an ANSI escape, rich markup, Markdown and a right-to-left override."""

_MS: Final = 10**6
_MIB: Final = 2**20


@dataclass(frozen=True)
class Box:
    """The behaviour of one box: instants in ms, memory in MiB, CPU in ms; ``spread`` is the sigma of a log-normal."""

    target: str
    accel: str = "native"
    instants_ms: Mapping[Endpoint, float] = field(default_factory=dict)
    pss_mib: Mapping[str, float] = field(default_factory=dict)
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    own_disk_mib: float = 0.0
    daemons_mib: Mapping[str, float] = field(default_factory=dict)
    guest_mib: tuple[float, float] | None = None
    """Total and available memory as the guest sees them; None for a box without a guest."""
    kernel: str = "6.18.5"
    spread: float = 0.04


PROCESS: Final = Box(
    "process",
    instants_ms={Endpoint.START_RETURNED: 1.1, Endpoint.INIT: 2.0, Endpoint.EXEC: 3.1, Endpoint.READY: 8.2},
    pss_mib={"workload": 1.4, "agent": 0.3},
    cpu_ms={"box": 6.1},
)
RUNC: Final = Box(
    "runc",
    instants_ms={
        Endpoint.CREATED: 6.0,
        Endpoint.INIT: 31.0,
        Endpoint.START_RETURNED: 34.0,
        Endpoint.EXEC: 35.5,
        Endpoint.READY: 41.0,
    },
    pss_mib={"workload": 1.4, "agent": 0.3},
    cpu_ms={"box": 8.0, "runtime": 24.0},
    own_disk_mib=0.1,
)
DOCKER: Final = Box(
    "docker",
    instants_ms={
        Endpoint.CREATED: 14.0,
        Endpoint.INIT: 168.0,
        Endpoint.EXEC: 171.0,
        Endpoint.START_RETURNED: 182.0,
        Endpoint.READY: 229.0,
    },
    pss_mib={"workload": 1.5, "agent": 0.3, "shim": 6.9},
    daemons_mib={"dockerd": 92.0, "containerd": 41.0},
    cpu_ms={"box": 9.0, "shim": 31.0, "daemon.dockerd": 44.0, "daemon.containerd": 21.0},
    own_disk_mib=0.2,
    spread=0.07,
)
GVISOR: Final = Box(
    "gvisor",
    instants_ms={Endpoint.CREATED: 60.0, Endpoint.INIT: 240.0, Endpoint.EXEC: 246.0, Endpoint.READY: 262.0},
    pss_mib={"workload": 2.1, "sentry": 31.0, "gofer": 9.0},
    cpu_ms={"box": 20.0, "sentry": 180.0},
    own_disk_mib=0.1,
    spread=0.12,
)
MICROVM: Final = Box(
    "microvm",
    "tcg",
    instants_ms={
        Endpoint.CREATED: 9.0,
        Endpoint.VMM: 90.0,
        Endpoint.START_RETURNED: 96.0,
        Endpoint.KERNEL: 210.0,
        Endpoint.INIT: 1710.0,
        Endpoint.ROOT: 1790.0,
        Endpoint.EXEC: 1830.0,
        Endpoint.READY: 1905.0,
    },
    pss_mib={"vmm": 121.0},
    cpu_ms={"vmm": 1960.0},
    own_disk_mib=1.2,
    guest_mib=(231.0, 205.0),
    kernel="6.12.48",
)
LIBVIRT: Final = Box(
    "libvirt",
    "tcg",
    instants_ms={
        Endpoint.CREATED: 22.0,
        Endpoint.VMM: 301.0,
        Endpoint.START_RETURNED: 478.0,
        Endpoint.KERNEL: 910.0,
        Endpoint.INIT: 3790.0,
        Endpoint.ROOT: 3960.0,
        Endpoint.EXEC: 4030.0,
        Endpoint.READY: 4190.0,
    },
    pss_mib={"vmm": 163.0},
    cpu_ms={"vmm": 4230.0, "daemon.libvirtd": 61.0},
    own_disk_mib=2.4,
    guest_mib=(223.0, 196.0),
    kernel="6.12.48",
    spread=0.03,
)
THREE: Final = (PROCESS, DOCKER, LIBVIRT)
SIX: Final = (PROCESS, RUNC, DOCKER, GVISOR, MICROVM, LIBVIRT)

_DESCRIPTIONS: Final[dict[str, dict[str, str]]] = {
    "process": {"how": "fork and exec on the host, no isolation"},
    "docker": {
        "engine": "Docker Engine 26.1.5",
        "storage driver": "overlay2",
        "runtime": "runc 1.1.15",
        "network": "none",
    },
    "libvirt/tcg": {
        "libvirt": "11.3.0",
        "QEMU": "10.0.2",
        "machine type": "q35",
        "CPU model": "qemu64",
        "boot": "direct kernel, no firmware boot loader",
        "guest kernel": "6.12.48-cloud-amd64",
        "disk": "qcow2 overlay on ext4, cache=none",
        "console": "virtio",
        "network": "none",
    },
}

_HOST: Final[dict[str, Any]] = {
    "architecture": "x86_64",
    "cgroup": "hybrid",
    "clocksource": "tsc",
    "cpu_model": "AMD EPYC 9R14",
    "cpus_online": 2,
    "distribution": "debian 13",
    "fingerprint": "5f1d0c2ab877",
    "governors": ["performance"],
    "hypervisor": "KVM",
    "kernel_release": "6.18.5",
    "memory_bytes": 8_326_316_032,
    "mitigations": {"spectre_v2": "Mitigation: Enhanced IBRS", "mds": "Not vulnerable"},
    "threads_per_core": 2,
    "unknown": ["turbo"],
    "virtualised": True,
}


def make_scenario(name: str = "hello", boxes: Sequence[Box] = THREE, *, blocks: int = 7, warmups: int = 1) -> Scenario:
    """A scenario over ``boxes``. ``web`` waits for an HTTP reply, every other name for the first line."""
    web = name == "web"
    return Scenario(
        question=f"What does a {'web server' if web else 'first line'} cost in each box?",
        name=name,
        ready=ReadyHttp(when="http", port=8080) if web else ReadyFirstLine(when="first-line"),
        targets=tuple(TargetSpec(target=name) for name in dict.fromkeys(box.target for box in boxes)),
        baseline="docker" if any(box.target == "docker" for box in boxes) else boxes[0].target,
        design=Design(blocks=blocks, warmups=warmups),
    )


def make_manifest(
    names: Sequence[str] = ("hello", "web"),
    boxes: Sequence[Box] = THREE,
    *,
    blocks: int = 7,
    warmups: int = 1,
    seed: int = 1,
    notes: Sequence[str] = ("microvm left out: /dev/kvm opens, but no kernel booted under it within 10 s",),
) -> Manifest:
    """A manifest whose plan covers every scenario and box."""
    scenarios = {name: make_scenario(name, boxes, blocks=blocks, warmups=warmups) for name in names}
    cells = [Cell(scenario=name, target=box.target, accel=box.accel) for name in names for box in boxes]
    counts = dict.fromkeys(names, blocks), dict.fromkeys(names, warmups)
    sizes = {"layers": 6 * _MIB, "unpacked": 14 * _MIB, "disk_logical": 2**31, "disk_allocated": 19 * _MIB}
    return Manifest(
        id=CAMPAIGN_ID,
        created_at="2031-02-03T04:05:06+00:00",
        boxbench="0.1.0",
        command=("boxbench", "run", *names, "--seed", str(seed)),
        seed=seed,
        request=RequestEntry(accel="auto", skip_unavailable=False),
        scenarios={
            name: ScenarioEntry(scenario=scenario, directory=f"scenarios/{name}", text=f"name: {name}\n")
            for name, scenario in scenarios.items()
        },
        images={name: ImageEntry(id=f"sha256:{name:0>8}", digest="ab" * 32, sizes_bytes=sizes) for name in names},
        targets={cell.box: _DESCRIPTIONS.get(cell.box, {"how": f"made up for {cell.box}"}) for cell in cells},
        plan=build_plan(cells, blocks=counts[0], warmups=counts[1], seed=seed),
        host=_HOST,
        notes=tuple(notes),
    )


def make_records(
    manifest: Manifest, boxes: Sequence[Box] = THREE, *, seed: int = 1, troubles: bool = True
) -> tuple[Record, ...]:
    """One record per planned trial; with ``troubles`` one time-out, one failure, doubts and hostile text."""
    rng = random.Random(seed)
    by_name = {Cell(scenario="x", target=box.target, accel=box.accel).box: box for box in boxes}
    return tuple(
        make_record(trial, by_name[trial.cell.box], rng, trouble=_trouble(trial, manifest) if troubles else "")
        for trial in manifest.plan
    )


def _trouble(trial: Trial, manifest: Manifest) -> str:
    """The trouble of a trial, chosen by block so that it is the same in every plan order; empty for none."""
    first = next(iter(manifest.scenarios))
    where = (trial.cell.scenario == first, trial.cell.target.split("[")[0], trial.block)
    return {
        (True, "libvirt", 3): "timeout",
        (False, "libvirt", 5): "failed",
        (True, "docker", 2): "doubt",
        (False, "docker", 6): "doubt",
        (True, "libvirt", 4): "hostile",
    }.get(where, "")


def make_record(trial: Trial, box: Box, rng: random.Random, *, trouble: str = "") -> Record:
    """The record of one trial: ``trouble`` is empty, timeout, failed, doubt or hostile."""
    endpoints = _endpoints(trial, box, rng)
    ok = trouble not in ("timeout", "failed")
    if not ok:
        endpoints = {name: at for name, at in endpoints.items() if name in (Endpoint.REQUESTED, Endpoint.CREATED)}
    doubts = ("steal:3.2%", "swap", "unknown:throttle") if trouble == "doubt" else ("unknown:throttle",)
    return Record(
        campaign=CAMPAIGN_ID,
        trial=trial,
        started_at=f"2031-02-03T04:{trial.number % 60:02d}:00+00:00",
        outcome="ok" if ok else ("timeout" if trouble == "timeout" else "failed"),
        failure=None if ok else _failure(trouble),
        endpoints_ns=endpoints,
        channel_rtt_ns=(180_000, 210_000) if ok else (),
        memory_bytes=_memory(box, rng) if ok else {},
        cpu_ns=_cpu(box, rng) if ok else {},
        disk_bytes=_disk(box) if ok else {},
        samples=_samples(box) if ok and trial.cell.scenario == "web" else None,
        flush=Flush(asked=3, took_ns=6 * _MS, host=4, background=0, cached=True) if ok else None,
        inside=_inside(box, trouble) if ok else {},
        doubts=doubts,
    )


def _failure(trouble: str) -> Failure:
    if trouble == "timeout":
        return Failure(code="NotReadyError", message="not ready within 120 s", hint="look at the console output")
    return Failure(code="LaunchError", message=f"the domain died: {HOSTILE}", hint="look at the QEMU log")


def _endpoints(trial: Trial, box: Box, rng: random.Random) -> dict[Endpoint, int]:
    pace = rng.lognormvariate(0, box.spread) * (1.25 if trial.warmup else 1.0)
    instants = {Endpoint.REQUESTED: 0.0, **box.instants_ms}
    if trial.cell.scenario == "web":
        # The server needs longer than the first line, and twelve times that when the CPU is emulated.
        entered, extra = instants[Endpoint.EXEC], 60.0 if box.accel == "native" else 720.0
        instants[Endpoint.LISTENING] = entered + extra * 0.8
        instants[Endpoint.READY] = entered + extra
        instants[Endpoint.REPLIED] = entered + extra + 2
    ready = max(instants.values())
    instants |= {Endpoint.STOPPING: ready + 900, Endpoint.STOPPED: ready + 930, Endpoint.GONE: ready + 1050}
    jitter = {name: rng.lognormvariate(0, 0.005) for name in instants}
    return {name: round(at * pace * jitter[name] * _MS) for name, at in instants.items()}


def _memory(box: Box, rng: random.Random) -> dict[str, int]:
    pss = {name: round(size * rng.lognormvariate(0, 0.01) * _MIB) for name, size in box.pss_mib.items()}
    sizes = {f"pss.{name}": size for name, size in pss.items()}
    sizes |= {f"uss.{name}": round(size * 0.86) for name, size in pss.items()}
    sizes["pss.total"] = sum(pss.values())
    sizes["cgroup.usage"] = round(sizes["pss.total"] * 1.08)
    sizes |= {f"daemon.{name}": round(size * _MIB) for name, size in box.daemons_mib.items()}
    if box.guest_mib:
        sizes["guest.total"], sizes["guest.available"] = (round(size * _MIB) for size in box.guest_mib)
    return sizes


def _cpu(box: Box, rng: random.Random) -> dict[str, int]:
    used = {f"start.{name}": round(ms * rng.lognormvariate(0, 0.04) * _MS) for name, ms in box.cpu_ms.items()}
    total = sum(used.values())
    used |= {"start.total": total, "start.host_busy": round(total * 1.15), "start.harness": round(total * 0.05)}
    if "start.vmm" in used:
        vmm = used["start.vmm"]
        shares = {"threads.vcpu": 0.93, "threads.main": 0.05, "threads.other": 0.02, "guest": 0.8}
        used |= {f"start.{name}": round(vmm * share) for name, share in shares.items()}
    idle = {"idle.total": round(total * 0.01), "idle.window": 2 * 10**9}
    return used | idle | {"stop.total": round(total * 0.1)}


def _samples(box: Box) -> Samples:
    pss = sum(box.pss_mib.values()) * _MIB
    return Samples(
        at_ns=tuple(number * 100 * _MS for number in range(30)),
        memory_bytes=tuple(round(pss * (1 + number / 40)) for number in range(30)),
        cpu_ns=tuple(number * 100 * _MS // (8 if box.accel == "native" else 3) for number in range(30)),
    )


def _disk(box: Box) -> dict[str, int]:
    own = round(box.own_disk_mib * _MIB)
    sizes = {"box.allocated": own, "box.at_stop": own + 64 * _MIB, "box.written": 65 * _MIB, "host.written": 70 * _MIB}
    return sizes | ({"guest.written": 64 * _MIB} if box.guest_mib else {})


def _inside(box: Box, trouble: str) -> dict[str, str]:
    total = box.guest_mib[0] if box.guest_mib else 7940
    return {
        "cpus": "1",
        "mem_total_bytes": str(round(total * _MIB)),
        "memory_limit_bytes": str(256 * _MIB),
        "kernel": box.kernel,
        "machine": "x86_64",
        "uid": "0",
        "gid": "0",
        "cwd": "/srv",
        "clocksource": "tsc",
        "hostname": HOSTILE if trouble == "hostile" else "box",
    }


def write_campaign(path: Path, manifest: Manifest, records: Sequence[Record]) -> Path:
    """Write a campaign directory without locks and syncs; returns ``path``."""
    path.mkdir(parents=True, exist_ok=True)
    (path / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (path / RECORDS).write_text("".join(record.line() for record in records), encoding="utf-8")
    return path


def write_flood(file: Path) -> Path:
    """Write a file of 4 GB that is nearly all hole, with a first and a last line. Returns its path."""
    with file.open("wb") as stream:
        stream.write(b"first\n")
        stream.seek(4 * 2**30 - 5)
        stream.write(b"last\n")
    return file
