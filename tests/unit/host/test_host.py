"""Host facts, fingerprint, counters and doubts, from made-up trees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.host import Counters, difference, doubts, fingerprint, host_facts, read_counters
from bench.host.counters import parse_cpu_line, parse_pressure
from bench.host.facts import bracketed, parse_cpuinfo, parse_os_release, speed_parameters
from bench.host.mounts import cgroup_mode, filesystem_of, hierarchies, parse_mounts, read_mounts
from bench.host.read import parse_cpu_list, parse_keyed, parse_sizes

Tree = Callable[[dict[str, str]], Path]

V1 = "30 20 0:27 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory"
V2 = "31 20 0:28 / /sys/fs/cgroup rw,nosuid shared:10 - cgroup2 cgroup2 rw"
ROOT_MOUNT = "20 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw,errors=remount-ro"

HARDWARE = {
    "proc/cpuinfo": "processor: 0\nmodel name\t: Fast CPU 9000\nmicrocode\t: 0x2b\nflags\t\t: fpu vme\n\nother: 1\n",
    "proc/meminfo": "MemTotal:       16384000 kB\nSwapTotal:             0 kB\nHugePages_Total:       0\n",
    "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=UUID=secret ro mitigations=off quiet isolcpus=2,3 -- init=arg nosmt",
    "proc/sys/kernel/osrelease": "6.12.48-amd64\n",
    "proc/sys/kernel/version": "#1 SMP\n",
    "proc/self/mountinfo": f"{ROOT_MOUNT}\n{V2}\n",
    "sys/devices/system/cpu/online": "0-3,6\n",
    "sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0,4\n",
    "sys/devices/system/cpu/smt/control": "on\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
    "sys/devices/system/cpu/vulnerabilities/mds": "Not affected\n",
    "sys/devices/system/cpu/vulnerabilities/spectre_v2": "Mitigation: IBRS\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/kernel/mm/ksm/run": "1\n",
    "sys/module/kvm/x": "",
    "sys/module/kvm_intel/parameters/nested": "Y\n",
    "sys/class/dmi/id/sys_vendor": "Some Maker\n",
    "dev/kvm": "",
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\nNAME="Debian"\n',
}


def test_facts_of_hardware(tree: Tree) -> None:
    facts = host_facts(tree(HARDWARE), cache_dir=Path("/var/cache/boxbench"))
    expected = {
        "cpu_model": "Fast CPU 9000",
        "cpu_microcode": "0x2b",
        "cpus_online": 5,
        "threads_per_core": 2,
        "smt": "on",
        "governors": ["performance", "powersave"],
        "turbo": "on",
        "mitigations": {"spectre_v2": "Mitigation: IBRS"},
        "virtualised": False,
        "container": "none",
        "kvm": {"device": "present", "modules": "kvm kvm_intel", "nested": "Y"},
        "memory_bytes": 16384000 * 1024,
        "swap_bytes": 0,
        "kernel_release": "6.12.48-amd64",
        "kernel_parameters": ["mitigations=off", "isolcpus=2,3"],
        "distribution": "debian 13",
        "cgroup": "v2",
        "clocksource": "tsc",
        "thp": "madvise",
        "ksm": "on",
        "cache_filesystem": "ext4",
    }
    assert {name: facts.get(name) for name in expected} == expected
    assert facts["unknown"] == ["hypervisor"]


def test_facts_are_json_and_nothing_is_guessed_on_an_empty_host(tmp_path: Path) -> None:
    facts = host_facts(tmp_path)
    assert json.loads(json.dumps(facts)) == facts
    assert not {"cpu_model", "memory_bytes", "swap_bytes", "turbo", "virtualised", "cgroup", "ksm"} & set(facts)
    assert {"cpu_model", "memory_bytes", "swap_bytes", "turbo", "virtualised", "cgroup", "ksm"} <= set(facts["unknown"])
    assert None not in facts.values()


def test_facts_hold_nothing_that_names_the_machine(tree: Tree) -> None:
    root = tree({**HARDWARE, "etc/hostname": "grace", "proc/sys/kernel/hostname": "grace"})
    text = json.dumps(host_facts(root))
    assert "grace" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"sys/class/dmi/id/sys_vendor": "QEMU"}, "QEMU"),
        ({"sys/class/dmi/id/sys_vendor": "Amazon EC2"}, "Amazon EC2"),
        (
            {
                "sys/class/dmi/id/sys_vendor": "Microsoft Corporation",
                "sys/class/dmi/id/product_name": "Virtual Machine",
            },
            "Virtual Machine",
        ),
        ({"sys/hypervisor/type": "xen"}, "Xen"),
    ],
)
def test_hypervisors_that_name_themselves(tree: Tree, files: dict[str, str], name: str) -> None:
    facts = host_facts(tree({"proc/cpuinfo": "flags : fpu hypervisor\n", **files}))
    assert (facts["virtualised"], facts["hypervisor"]) == (True, name)


def test_a_vm_without_a_name_is_still_a_vm(tree: Tree) -> None:
    facts = host_facts(tree({"proc/cpuinfo": "flags : fpu hypervisor\n"}))
    assert facts["virtualised"] is True
    assert "hypervisor" in facts["unknown"]


def test_a_cpu_without_flags_tells_nothing(tree: Tree) -> None:
    facts = host_facts(tree({"proc/cpuinfo": "CPU implementer : 0x41\nCPU part : 0xd0c\n"}))
    assert facts["cpu_model"] == "0x41 0xd0c"
    assert "virtualised" in facts["unknown"]


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"sys/devices/system/cpu/cpufreq/boost": "1"}, "on"),
        ({"sys/devices/system/cpu/cpufreq/boost": "0"}, "off"),
        ({"sys/devices/system/cpu/intel_pstate/no_turbo": "1"}, "off"),
    ],
)
def test_turbo_of_both_makers(tree: Tree, files: dict[str, str], turbo: str) -> None:
    assert host_facts(tree(files))["turbo"] == turbo


@pytest.mark.parametrize(("path", "name"), [(".dockerenv", "docker"), ("run/.containerenv", "podman")])
def test_inside_a_container(tree: Tree, path: str, name: str) -> None:
    assert host_facts(tree({path: ""}))["container"] == name


def test_fingerprint_is_short_and_stable(tree: Tree) -> None:
    facts = host_facts(tree(HARDWARE))
    assert fingerprint(facts) == fingerprint(json.loads(json.dumps(facts)))
    assert len(fingerprint(facts)) == 12
    assert set(fingerprint(facts)) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("cpu_model", "Slow CPU", False),
        ("cpus_online", 4, False),
        ("kernel_release", "6.12.49-amd64", False),
        ("virtualised", True, False),
        ("distribution", "ubuntu 24.04", False),
        ("memory_bytes", 16384000 * 1024 - 80_000, True),
        ("memory_bytes", 8192000 * 1024, False),
        ("governors", ["performance"], True),
        ("turbo", "off", True),
        ("python", "3.99", True),
    ],
)
def test_fingerprint_changes_with_what_matters_only(tree: Tree, key: str, value: object, same: bool) -> None:
    facts = host_facts(tree(HARDWARE))
    assert (fingerprint({**facts, key: value}) == fingerprint(facts)) is same


def test_speed_parameters_leave_private_words_out() -> None:
    line = (
        "root=/dev/sda1 ip=10.0.0.1 nosmt psi=1 intel_pstate=disable cgroup_no_v1=all rd.luks.uuid=x -- mitigations=off"
    )
    assert speed_parameters(line) == ["nosmt", "psi=1", "intel_pstate=disable", "cgroup_no_v1=all"]
    assert speed_parameters(None) is None
    assert speed_parameters("") == []


def test_small_parsers() -> None:
    assert parse_cpuinfo("a\t: 1\nb : x: y\nno colon\n\na : 2\n") == {"a": "1", "b": "x: y"}
    assert parse_os_release("ID=arch\n# comment\n") == "arch"
    assert parse_os_release("") is None
    assert bracketed("a [b-c] d") == "b-c"
    assert bracketed("none chosen") is None
    assert parse_keyed("a 1\nb x\nc 2 3\n\nd 4") == {"a": 1, "d": 4}
    assert parse_sizes("MemFree: 2 kB\nHugePages_Total: 3\nBad: x kB\n") == {"MemFree": 2048}


@pytest.mark.parametrize(("text", "count"), [("0", 1), ("0-3", 4), ("0-1,4-5,9", 5)])
def test_cpu_lists(text: str, count: int) -> None:
    assert parse_cpu_list(text) == count


def test_a_broken_cpu_list_is_no_number() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        parse_cpu_list("")


def test_hierarchies_in_the_root_of_a_box_are_not_the_hosts(tmp_path: Path) -> None:
    """A box in the host's mount namespace has its own, read-only, in the table that we read."""
    box = "/run/boxbench/boxbench-6e42e7f4/boxbench-6e42e7f4-t900005/root"
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(
        "30 20 0:27 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
        "31 20 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "32 20 0:29 / /tmp rw - tmpfs tmpfs rw\n"
        f"40 20 0:27 / {box}/sys/fs/cgroup/blkio ro - cgroup cgroup rw,blkio\n"
        f"41 20 0:28 / {box}/sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw\n"
    )
    found = [mount.point for mount in hierarchies(tmp_path)]
    assert found == ["/sys/fs/cgroup/blkio", "/sys/fs/cgroup/unified"]


def test_mounts_with_odd_names() -> None:
    (mount,) = parse_mounts(
        r"36 35 98:0 /a\040b /mnt/c\134d\011e rw,noatime - ext3 /dev/root rw,errors=continue" + "\nrubbish\n"
    )
    assert (mount.root, mount.point, mount.kind, mount.options) == (
        "/a b",
        "/mnt/c\\d\te",
        "ext3",
        ("rw", "errors=continue"),
    )


ODD: Final = os.fsdecode("a\x0cb\u2028\x85\x1b[31m".encode() + b"\xff")


UNMOUNTING: Final = """
import subprocess, sys
from pathlib import Path
from bench.host.mounts import read_mounts, unmount
(point,) = Path(sys.argv[1]).iterdir()
subprocess.run(["mount", "-t", "tmpfs", "boxbench-test", point], check=True)
(found,) = [mount.point for mount in read_mounts() if mount.source == "boxbench-test"]
unmount(found)
assert not point.is_mount()
"""


def test_no_name_hides_a_mount(tmp_path: Path) -> None:
    """A box may choose the name of what it mounts, and the kernel escapes only white space and backslashes."""
    (tmp_path / "proc/self").mkdir(parents=True)
    lines = [f"36 35 98:0 / /run/{name} rw - tmpfs tmpfs rw\n" for name in (ODD, "next")]
    (tmp_path / "proc/self/mountinfo").write_bytes(os.fsencode("".join(lines)))
    assert [mount.point for mount in read_mounts(tmp_path)] == [f"/run/{ODD}", "/run/next"]


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_mount_with_any_name_is_unmounted(tmp_path: Path) -> None:
    (tmp_path / ODD).mkdir()
    # In a mount namespace of its own, so that no other program of this host has to bear the name.
    apart = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", UNMOUNTING, str(tmp_path)]
    subprocess.run(apart, check=True)


@pytest.mark.parametrize(
    ("lines", "mode"), [([], None), ([V1], "v1"), ([V2], "v2"), ([V1, V2], "hybrid"), ([V2, V1], "hybrid")]
)
def test_cgroup_modes(lines: list[str], mode: str | None) -> None:
    assert cgroup_mode(parse_mounts("\n".join(lines))) == mode


def test_the_deepest_and_latest_mount_holds_a_path(tmp_path: Path) -> None:
    text = "\n".join(
        [
            ROOT_MOUNT,
            "21 20 0:1 / /var rw - xfs x rw",
            "22 20 0:2 / /var/lib rw - tmpfs x rw",
            "23 22 0:3 / /var/lib rw - overlay x rw",
            "24 20 0:4 / /variant rw - btrfs x rw",
        ]
    )
    mounts = parse_mounts(text)
    kinds = {path: filesystem_of(mounts, Path(path)) for path in ("/etc", "/var/x", "/var/lib/docker", "/variants")}
    assert kinds == {"/etc": "ext4", "/var/x": "xfs", "/var/lib/docker": "overlay", "/variants": "ext4"}
    assert filesystem_of((), Path("/")) is None


STAT = "cpu  100 10 50 800 20 5 5 10 7 0\ncpu0 1 2 3 4 5 6 7 8 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\nprocs_running 4\n"
COUNTER_FILES = {
    "proc/stat": STAT,
    "proc/vmstat": "pswpin 3\npswpout 4\n",
    "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\nfull avg10=0.00 total=99\n",
    "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=22\n",
    "proc/pressure/io": "some avg10=0.00 avg60=0.00 avg300=0.00 total=33\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "1\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "2\n",
    "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4\n",
}


def test_counters_are_read(tree: Tree) -> None:
    counters = read_counters(tree(COUNTER_FILES))
    assert counters.total_ns is not None
    assert counters.busy_ns is not None
    assert counters.steal_ns is not None
    # 1000 ticks in all; guest time is part of user and not counted twice.
    assert (counters.busy_ns / counters.total_ns, counters.steal_ns / counters.total_ns) == (0.17, 0.01)
    assert (counters.running, counters.cpus) == (4, 2)
    assert (counters.swap_pages, counters.throttle_events) == (7, 7)
    assert counters.pressure_ns == {"cpu": 11_000, "memory": 22_000, "io": 33_000}


def test_counters_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    assert read_counters(tmp_path) == Counters()


def test_ticks_become_nanoseconds() -> None:
    assert parse_cpu_line(STAT, tick_ns=10**7) == {"busy_ns": 170 * 10**7, "steal_ns": 10**8, "total_ns": 10**10}


@pytest.mark.parametrize("text", ["", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8"])
def test_a_stat_of_another_form_is_unknown(text: str) -> None:
    assert parse_cpu_line(text, tick_ns=1) == {}


@pytest.mark.parametrize("text", ["", "full total=3", "some avg10=0.1"])
def test_pressure_of_another_form_is_unknown(text: str) -> None:
    assert parse_pressure(text) is None


SECOND = 10**9
CALM = Counters(
    busy_ns=0,
    steal_ns=0,
    total_ns=0,
    running=1,
    swap_pages=0,
    throttle_events=0,
    pressure_ns={"cpu": 0, "memory": 0, "io": 0},
    cpus=2,
)
LATER = replace(CALM, total_ns=2 * SECOND, busy_ns=SECOND)


def test_a_quiet_trial_has_no_doubts() -> None:
    assert doubts(CALM, LATER, interval_ns=SECOND) == ()


@pytest.mark.parametrize(
    ("before", "after", "mark"),
    [
        (CALM, replace(LATER, steal_ns=64_000_000), "steal:3.2%"),
        (CALM, replace(LATER, swap_pages=1), "swap"),
        (CALM, replace(LATER, throttle_events=1), "throttled"),
        (CALM, replace(LATER, pressure_ns={"cpu": 0, "memory": 40_000_000, "io": 0}), "pressure:memory:4.0%"),
        (CALM, replace(LATER, pressure_ns={"cpu": SECOND // 2, "memory": 0, "io": 0}), "pressure:cpu:50.0%"),
        (replace(CALM, running=4), LATER, "busy:3"),
        (CALM, replace(LATER, throttle_events=None), "unknown:throttle"),
        (replace(CALM, swap_pages=None), LATER, "unknown:swap"),
        (CALM, replace(LATER, total_ns=None, steal_ns=None), "unknown:cpu"),
        (CALM, replace(LATER, pressure_ns={"cpu": 0}), "unknown:psi"),
    ],
)
def test_each_disturbance_has_its_mark(before: Counters, after: Counters, mark: str) -> None:
    assert doubts(before, after, interval_ns=SECOND) == (mark,)


def test_a_little_steal_and_pressure_are_normal() -> None:
    after = replace(
        LATER, steal_ns=19_000_000, pressure_ns={"cpu": SECOND // 5, "memory": 9_000_000, "io": SECOND // 5}
    )
    assert doubts(CALM, after, interval_ns=SECOND) == ()


def test_a_host_that_tells_nothing_is_all_doubt() -> None:
    marks = doubts(Counters(), Counters(), interval_ns=SECOND)
    assert marks == ("unknown:cpu", "unknown:swap", "unknown:throttle", "unknown:psi")


def test_an_interval_without_length_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="0 ns"):
        doubts(CALM, LATER, interval_ns=0)


@given(busy=st.integers(0, 10**12), idle=st.integers(0, 10**12), steal=st.integers(0, 10**12))
def test_differences_do_not_depend_on_the_origin(busy: int, idle: int, steal: int) -> None:
    start = replace(CALM, busy_ns=busy, total_ns=busy + idle, steal_ns=steal)
    end = replace(start, busy_ns=busy + 5, total_ns=busy + idle + 9, steal_ns=steal + 1)
    change = difference(start, end)
    assert (change.busy_ns, change.total_ns, change.steal_ns) == (5, 9, 1)


@pytest.mark.host
def test_this_host_can_be_read() -> None:
    facts = host_facts(cache_dir=Path("/"))
    assert facts["cpus_online"] >= 1
    assert facts["memory_bytes"] > 2**26
    assert facts["cgroup"] in ("v1", "hybrid", "v2")
    counters = read_counters()
    assert counters.total_ns
    assert counters.cpus == facts["cpus_online"]
