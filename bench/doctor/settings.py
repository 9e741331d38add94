"""Checks of the host's settings: those that make numbers noisy, and those that readers of the numbers should know."""

from __future__ import annotations

from bench.doctor.check import Check, Host, Status
from bench.host import read_counters
from bench.host.counters import unreadable
from bench.host.read import parse_sizes, read_text
from bench.util.units import format_bytes

# Enough for a box of 256 MiB, a daemon, a browser and Boxbench.
_LITTLE_MEMORY_BYTES = 2 * 2**30
_GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")


def check_governor(host: Host) -> Check:
    """Frequency scaling: the first milliseconds after idle are slower."""
    governors = host.facts.get("governors")
    if governors is None:
        return Check("governor", "info", "the CPU frequency governor is not visible (usual inside a VM)")
    names = ", ".join(governors)
    if governors == ["performance"]:
        return Check("governor", "ok", "the CPU frequency governor is performance")
    return Check(
        "governor",
        "warn",
        f"the CPU frequency governor is {names}: the clock is still rising during short runs",
        "run `cpupower frequency-set -g performance` before measuring",
    )


def check_turbo(host: Host) -> Check:
    """Turbo: speed depends on temperature and on the load of other cores."""
    turbo = host.facts.get("turbo")
    if turbo is None:
        return Check("turbo", "info", "the turbo setting is not visible (usual inside a VM)")
    if turbo == "off":
        return Check("turbo", "ok", "turbo is off")
    return Check(
        "turbo",
        "warn",
        "turbo is on: the clock depends on temperature and on the load of other cores",
        "write 1 to /sys/devices/system/cpu/intel_pstate/no_turbo, or 0 to /sys/devices/system/cpu/cpufreq/boost",
    )


def check_smt(host: Host) -> Check:
    """Simultaneous multithreading: two busy threads of a core slow each other down."""
    smt, threads = host.facts.get("smt"), host.facts.get("threads_per_core")
    if smt == "on" or (threads or 1) > 1:
        return Check(
            "smt",
            "info",
            f"SMT is on ({threads or 'several'} threads per core): two busy threads of one core slow each other down",
            "write off to /sys/devices/system/cpu/smt/control for the steadiest numbers",
        )
    return Check("smt", "ok", f"one thread per core (SMT: {smt or 'not reported'})")


def check_swap(host: Host) -> Check:
    """Swap: a box whose memory was swapped out is slower and shows less memory."""
    size = host.facts.get("swap_bytes")
    if size is None:
        return Check("swap", "info", "the size of swap cannot be read")
    if size == 0:
        return Check("swap", "ok", "no swap")
    return Check(
        "swap",
        "warn",
        f"{format_bytes(size)} of swap: memory of boxes may be swapped out and be missing from readings",
        "run `swapoff -a` before measuring; trials during which pages were swapped have the doubt `swap`",
    )


def check_counters(host: Host) -> Check:
    """Counters that show disturbances of trials: what cannot be read cannot mark a trial."""
    missing = unreadable(read_counters(host.root))
    if not missing:
        return Check("counters", "ok", "the counters of CPU time, swap, throttling and pressure can be read")
    return Check(
        "counters",
        "info",
        f"this host has no counter of {', '.join(missing)} (usual inside a VM), so such disturbances of a trial are "
        "not seen; reports do not repeat this",
    )


def check_load(host: Host) -> Check:
    """Load: other programs' work distorts every number."""
    words = (read_text(host.root, "proc/loadavg") or "").split()
    cpus = host.facts.get("cpus_online")
    if not words or not cpus:
        return Check("load", "info", "the load average cannot be read")
    load = float(words[0])
    if load <= 0.25 * cpus:
        return Check("load", "ok", f"load average {load:g} on {cpus} CPUs")
    return Check(
        "load",
        "warn",
        f"load average {load:g} on {cpus} CPUs: other programs are running",
        "stop them or wait, then measure",
    )


def check_sharing(host: Host) -> Check:
    """Memory sharing: KSM merges equal pages of VMs, so their memory cannot be measured separately."""
    thp = host.facts.get("thp", "unknown")
    if host.facts.get("ksm") == "on":
        return Check(
            "memory sharing",
            "warn",
            f"KSM is on: equal pages of VMs are merged during the measurement (transparent huge pages: {thp})",
            "write 2 to /sys/kernel/mm/ksm/run to stop KSM and unmerge its pages",
        )
    ksm = host.facts.get("ksm", "not available")
    return Check("memory sharing", "ok", f"KSM: {ksm}; transparent huge pages: {thp}")


def check_mitigations(host: Host) -> Check:
    """CPU mitigations: they slow down system calls and VM exits, but not equally."""
    states = host.facts.get("mitigations")
    if states is None:
        return Check("mitigations", "info", "the state of CPU mitigations cannot be read")
    open_ones = sorted(name for name, state in states.items() if state.startswith("Vulnerable"))
    tail = f"; open: {', '.join(open_ones)}" if open_ones else ""
    return Check("mitigations", "info", f"{len(states) - len(open_ones)} CPU mitigations are active{tail}")


def check_virtualised(host: Host) -> Check:
    """Nesting: inside a VM or container, boxes also pay for the outer one."""
    container = host.facts.get("container", "none")
    if container != "none":
        return Check(
            "nested",
            "warn",
            f"Boxbench runs inside a container ({container}), and sees its limits and its view of the host",
            "run on the host itself",
        )
    if host.facts.get("virtualised"):
        name = host.facts.get("hypervisor", "hypervisor not named")
        return Check(
            "nested",
            "warn",
            f"this host is a VM ({name}): its own VMs are nested or emulated, and other VMs can take CPU time",
            "measure on physical hardware, or compare only numbers of this host",
        )
    if host.facts.get("virtualised") is None:
        return Check("nested", "info", "it is unknown whether this host is a VM")
    return Check("nested", "ok", "this host is not a VM")


def check_clocksource(host: Host) -> Check:
    """Clock source: a slow one delays every time stamp."""
    clock = host.facts.get("clocksource")
    if clock is None:
        return Check("clock", "info", "the clock source cannot be read")
    if clock in _GOOD_CLOCKS:
        return Check("clock", "ok", f"the clock source is {clock}")
    return Check(
        "clock",
        "warn",
        f"the clock source is {clock}: reading it costs a microsecond or more",
        "choose a better one from /sys/devices/system/clocksource/clocksource0/available_clocksource",
    )


def check_cgroup(host: Host) -> Check:
    """Control groups: they limit boxes and account their resources."""
    mode = host.facts.get("cgroup")
    if mode is None:
        return Check(
            "cgroup",
            "fail",
            "no control group hierarchy is mounted",
            "mount one: `mount -t cgroup2 none /sys/fs/cgroup`",
        )
    notes: dict[str, tuple[Status, str, str]] = {
        "v2": ("ok", "control groups v2", ""),
        "v1": ("info", "control groups v1: accounting works, but there is no pressure per box", ""),
        "hybrid": (
            "info",
            "control groups v1 and an empty v2 tree (hybrid): accounting comes from v1, and crun refuses to run",
            "boot with systemd.unified_cgroup_hierarchy=1 to use only v2",
        ),
    }
    return Check("cgroup", *notes[mode])


def check_memory(host: Host) -> Check:
    """Memory: boxes must fit into what is available."""
    available = parse_sizes(read_text(host.root, "proc/meminfo") or "").get("MemAvailable")
    if available is None:
        return Check("memory", "info", "the available memory cannot be read")
    if available < _LITTLE_MEMORY_BYTES:
        return Check(
            "memory",
            "warn",
            f"{format_bytes(available)} of memory is available",
            f"free some: larger scenarios need more than {format_bytes(_LITTLE_MEMORY_BYTES)}",
        )
    return Check("memory", "ok", f"{format_bytes(available)} of memory is available")


def check_pressure(host: Host) -> Check:
    """Pressure stall information: it distinguishes a disturbed trial from a slow one."""
    if (host.root / "proc/pressure/cpu").exists():
        return Check("pressure", "ok", "the kernel has pressure stall information")
    return Check(
        "pressure",
        "warn",
        "the kernel has no pressure stall information: disturbed trials are harder to recognise",
        "boot with psi=1",
    )


def check_tracefs(host: Host) -> Check:
    """Trace events: ``boxbench anatomy`` reads them."""
    known = (read_text(host.root, "proc/filesystems") or "").split()
    if "tracefs" not in known:
        return Check(
            "tracefs",
            "info",
            "the kernel has no tracefs: `boxbench anatomy` cannot run",
            "use a kernel with CONFIG_FTRACE, as all distributions do",
        )
    return Check("tracefs", "ok", "the kernel has trace events for `boxbench anatomy`")
