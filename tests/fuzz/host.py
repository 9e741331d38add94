"""Files of the host: /proc, /sys and control groups below a root of our own, and configuration of APT and modules.

The first line of an input is the path of one file below that root, the rest its content. All other files are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from bench.host.cgroup.find import box_level, cgroup_of, parse_membership
from bench.host.counters import difference, doubts, read_counters
from bench.host.facts import fingerprint, host_facts
from bench.host.memory import read_memory
from bench.host.mounts import cgroup_mode, filesystem_of, parse_mounts, read_mounts
from bench.host.processes import living_pid, parent_of
from bench.image.apt_sources import trusted_sources
from bench.image.vm.modules import parse_modinfo
from bench.probes.cpu import ended_children_ns, guest_ns, read_cpu, thread_cpu_ns
from bench.probes.disk import disks_are_cached, host_disks, written_by
from bench.probes.memory import memory_of
from tests.fuzz import mutate
from tests.fuzz.reader import Reader

FILES: Final = {
    "proc/self/mountinfo": "22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
    "30 22 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 22 0:27 /a\\040b /mnt\\011x rw master:1 - cgroup2 cgroup2 rw,nsdelegate\n",
    "proc/77/cgroup": "4:memory:/box\n3:cpu,cpuacct:/box/vcpu0\n0::/machine/box (deleted)\n",
    "proc/77/stat": "77 (a) b) S 1 77 77 0 -1 4194560 100 0 0 0 5 6 7 8 20 0 1 0 9 10 11 " + "0 " * 20 + "9 0\n",
    "proc/77/smaps_rollup": "00-ff ---p 0 0:0 0 [rollup]\nPss:  12 kB\nPrivate_Clean: 4 kB\nPrivate_Dirty: 8 kB\n",
    "proc/77/io": "rchar: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n",
    "proc/77/task/77/schedstat": "123 4 5\n",
    "proc/77/task/78/comm": "CPU 0/KVM\n",
    "proc/77/task/78/schedstat": "77 8 9\n",
    "proc/stat": "cpu  10 20 30 40 50 60 70 80 0 0\ncpu0 10 20 30 40 50 60 70 80 0 0\nintr 5\nprocs_running 2\n",
    "proc/vmstat": "pswpin 1\npswpout 2\noom_kill 0\n",
    "proc/meminfo": "MemTotal: 8000000 kB\nMemFree: 4000000 kB\nCached: 5 kB\nBuffers: 1 kB\nShmem: 2 kB\n",
    "proc/zoneinfo": "Node 0, zone DMA\n  pagesets\n    cpu: 0\n              count: 40\n              high: 5\n",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n\nprocessor\t: 1\n",
    "proc/cmdline": "BOOT_IMAGE=/x mitigations=off quiet -- single\n",
    "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0.00 total=5\n",
    "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "proc/pressure/io": "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
    "proc/diskstats": " 254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n 7 0 loop0 1 2 3 4 5 6 7 8 9 10 11\n",
    "proc/sys/kernel/osrelease": "6.18.5\n",
    "sys/devices/system/cpu/online": "0-3,8\n",
    "sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0-1\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "0\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1\n",
    "sys/devices/system/cpu/vulnerabilities/mds": "Not affected\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/kernel/mm/ksm/run": "0\n",
    "sys/block/vda/device/x": "",
    "sys/block/vda/queue/write_cache": "write back\n",
    "sys/fs/cgroup/memory/box/memory.usage_in_bytes": "4096\n",
    "sys/fs/cgroup/memory/box/memory.stat": "cache 1\nrss 2\ntotal_cache 3\ntotal_rss 4\n",
    "sys/fs/cgroup/memory/box/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
    "sys/fs/cgroup/memory/box/cgroup.procs": "77\n78\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\n',
    "etc/apt/sources.list": "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://x trixie main\n",
    "etc/apt/sources.list.d/more.sources": "Types: deb\nURIs: http://x\nSuites: trixie\nComponents: main\n\n# note\n",
    "run/pid": "77\n",
    "modinfo": "\0license=GPL\0depends=virtio,virtio_ring\0softdep=pre: crc32c post: y\0name=x\0",
}


@cache
def _seeds() -> tuple[bytes, ...]:
    return tuple(f"{name}\n{content}".encode() for name, content in FILES.items())


def _damaged(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """The file's name stays."""
    name, _, content = rng.choice(seeds).partition(b"\n")
    way = mutate.lines if rng.random() < 0.3 else mutate.text
    return name + b"\n" + way(rng, [content])


def _check(data: bytes, scratch: Path) -> None:
    name, _, content = data.partition(b"\n")
    chosen = name.decode("ascii", "replace")
    root = scratch / "root"
    if not root.exists():
        for path, text in FILES.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    if chosen not in FILES:
        return
    (root / chosen).write_bytes(content)
    try:
        _read_everything(root)
        if chosen == "modinfo":
            parse_modinfo(content)
    finally:
        (root / chosen).write_text(FILES[chosen], encoding="utf-8")


def _read_everything(root: Path) -> None:
    facts = host_facts(root, cache_dir=root)
    fingerprint(facts)
    counters = read_counters(root)
    difference(counters, counters)
    doubts(counters, counters, interval_ns=10**9)
    read_memory(root)
    mounts = read_mounts(root)
    cgroup_mode(mounts)
    filesystem_of(mounts, root)
    _read_process(root)
    read_cpu(1, box={}, daemons={}, root=root)
    host_disks(root=root)
    disks_are_cached(root=root)
    trusted_sources(root / "etc/apt", root / "etc/os-release")


def _read_process(root: Path) -> None:
    group = cgroup_of(77, root=root, ours=1)
    if group is not None:
        group.cpu_ns(), group.throttled_ns(), group.oom_kills(), group.pids(), group.usage_bytes()
    memory_of({"vmm": [77]}, group, root=root / "proc")
    parent_of(77, root=root)
    thread_cpu_ns(77, root=root / "proc")
    ended_children_ns(77, root=root / "proc")
    guest_ns(77, root=root / "proc")
    written_by([77], root=root)
    living_pid(root / "run/pid")


def _check_table(data: bytes, _scratch: Path) -> None:
    """The tables that a process in a box can influence: its mounts and its groups' names."""
    text = data.decode("utf-8", "replace")
    parse_mounts(text)
    for path in parse_membership(text).values():
        box_level(path)


READERS: Final = (
    Reader("host.files", _seeds, _damaged, _check, share=15),
    Reader(
        "host.tables",
        lambda: tuple(FILES[name].encode() for name in ("proc/self/mountinfo", "proc/77/cgroup")),
        mutate.mixed(mutate.text, mutate.lines),
        _check_table,
        share=200,
    ),
)
