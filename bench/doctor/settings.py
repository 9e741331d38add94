"""Checks of how the host is set up: what makes its numbers noisy, and what readers must know about it."""

from __future__ import annotations

from bench.doctor.check import Check, Host, Status
from bench.host.read import parse_sizes, read_text
from bench.util.units import format_bytes

# A box of 256 MiB beside a daemon, a browser for slides and this program.
_LITTLE_MEMORY_BYTES = 2 * 2**30
_GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")


def check_governor(host: Host) -> Check:
    """Frequency scaling makes the first milliseconds after idle slower."""
    governors = host.facts.get("governors")
    if governors is None:
        return Check("governor", "info", "the CPU frequency governor cannot be seen (usual inside a VM)")
    names = ", ".join(governors)
    if governors == ["performance"]:
        return Check("governor", "ok", "the CPU frequency governor is performance")
    return Check(
        "governor",
        "warn",
        f"the CPU frequency governor is {names}: short runs see a clock that is still rising",
        "run `cpupower frequency-set -g performance` before measuring",
    )


def check_turbo(host: Host) -> Check:
    """Turbo makes speed depend on temperature and neighbours."""
    turbo = host.facts.get("turbo")
    if turbo is None:
        return Check("turbo", "info", "turbo cannot be seen (usual inside a VM)")
    if turbo == "off":
        return Check("turbo", "ok", "turbo is off")
    return Check(
        "turbo",
        "warn",
        "turbo is on: the clock depends on temperature and on what the other cores do",
        "write 1 to /sys/devices/system/cpu/intel_pstate/no_turbo, or 0 to /sys/devices/system/cpu/cpufreq/boost",
    )


def check_smt(host: Host) -> Check:
    """Two hardware threads of a core slow each other down."""
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
    """A swapped box is a different box."""
    size = host.facts.get("swap_bytes")
    if size is None:
        return Check("swap", "info", "the size of swap cannot be read")
    if size == 0:
        return Check("swap", "ok", "no swap")
    return Check(
        "swap",
        "warn",
        f"{format_bytes(size)} of swap: memory of boxes may leave memory, and readings with it",
        "run `swapoff -a` before measuring; trials during which pages were swapped carry the mark `swap`",
    )


def check_load(host: Host) -> Check:
    """Somebody else's work is in every number."""
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
        f"load average {load:g} on {cpus} CPUs: something else is running",
        "stop it or wait, then measure",
    )


def check_sharing(host: Host) -> Check:
    """KSM merges pages between VMs, so that their memory cannot be told apart."""
    thp = host.facts.get("thp", "unknown")
    if host.facts.get("ksm") == "on":
        return Check(
            "memory sharing",
            "warn",
            f"KSM is on: equal pages of VMs are merged while we measure them (transparent huge pages: {thp})",
            "write 2 to /sys/kernel/mm/ksm/run to unmerge and stop it",
        )
    ksm = host.facts.get("ksm", "not there")
    return Check("memory sharing", "ok", f"KSM: {ksm}; transparent huge pages: {thp}")


def check_mitigations(host: Host) -> Check:
    """Mitigations cost system calls and VM exits differently."""
    states = host.facts.get("mitigations")
    if states is None:
        return Check("mitigations", "info", "the state of CPU mitigations cannot be read")
    open_ones = sorted(name for name, state in states.items() if state.startswith("Vulnerable"))
    tail = f"; open: {', '.join(open_ones)}" if open_ones else ""
    return Check("mitigations", "info", f"{len(states) - len(open_ones)} CPU mitigations are active{tail}")


def check_virtualised(host: Host) -> Check:
    """A VM in a VM pays for both."""
    container = host.facts.get("container", "none")
    if container != "none":
        return Check(
            "nested",
            "warn",
            f"this is inside a container ({container}): limits and views of the host are the container's",
            "run on the host itself",
        )
    if host.facts.get("virtualised"):
        name = host.facts.get("hypervisor", "hypervisor not named")
        return Check(
            "nested",
            "warn",
            f"this host is itself a VM ({name}): VMs here are nested or emulated, and neighbours can steal time",
            "measure on hardware of your own for numbers about hardware; here, compare only within this host",
        )
    if host.facts.get("virtualised") is None:
        return Check("nested", "info", "whether this host is itself a VM cannot be told")
    return Check("nested", "ok", "this host is hardware, not a VM")


def check_clocksource(host: Host) -> Check:
    """A slow clock is in every stamp."""
    clock = host.facts.get("clocksource")
    if clock is None:
        return Check("clock", "info", "the clock source cannot be read")
    if clock in _GOOD_CLOCKS:
        return Check("clock", "ok", f"the clock source is {clock}")
    return Check(
        "clock",
        "warn",
        f"the clock source is {clock}: reading it costs a microsecond or more",
        "see /sys/devices/system/clocksource/clocksource0/available_clocksource for a better one",
    )


def check_cgroup(host: Host) -> Check:
    """Limits and accounting of boxes come from control groups."""
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
        "v1": ("info", "control groups v1: accounting works, pressure per box is missing", ""),
        "hybrid": (
            "info",
            "control groups v1 with an empty v2 tree beside it (hybrid): accounting comes from v1; crun refuses this",
            "boot with systemd.unified_cgroup_hierarchy=1 for v2 alone",
        ),
    }
    return Check("cgroup", *notes[mode])


def check_memory(host: Host) -> Check:
    """Boxes must fit."""
    available = parse_sizes(read_text(host.root, "proc/meminfo") or "").get("MemAvailable")
    if available is None:
        return Check("memory", "info", "the available memory cannot be read")
    if available < _LITTLE_MEMORY_BYTES:
        return Check(
            "memory",
            "warn",
            f"{format_bytes(available)} of memory are available",
            f"free some: with less than {format_bytes(_LITTLE_MEMORY_BYTES)} larger scenarios do not fit",
        )
    return Check("memory", "ok", f"{format_bytes(available)} of memory are available")


def check_pressure(host: Host) -> Check:
    """Stall times tell a disturbed trial from a slow one."""
    if (host.root / "proc/pressure/cpu").exists():
        return Check("pressure", "ok", "pressure stall information is there")
    return Check(
        "pressure",
        "warn",
        "the kernel keeps no pressure stall information: disturbed trials are harder to tell",
        "boot with psi=1",
    )


def check_tracefs(host: Host) -> Check:
    """``boxbench anatomy`` reads the kernel's trace events."""
    known = (read_text(host.root, "proc/filesystems") or "").split()
    if "tracefs" not in known:
        return Check(
            "tracefs",
            "info",
            "the kernel has no tracefs: `boxbench anatomy` cannot run",
            "use a kernel with CONFIG_FTRACE (all distribution kernels have it)",
        )
    return Check("tracefs", "ok", "the kernel has trace events for `boxbench anatomy`")
