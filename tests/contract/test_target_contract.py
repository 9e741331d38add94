"""One contract for every target: what a box must do from request to gone, however it ends."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from bench.agent import boxconf
from bench.host.processes import kill_and_wait
from bench.probes import observer
from bench.records.component import Component
from bench.records.record import Endpoint
from bench.scenario.model import LoadedScenario, ReadyExit, ReadyLog, ReadyTcp
from bench.scenario.target_table import TARGETS
from bench.targets.base import Box, BoxProxy, Output, Target
from bench.targets.vms import libvirt_full as libvirtfull
from bench.util.units import format_bytes
from tests.lab import LEAST_MEMORY, Lab, ProxiedTarget, Trialed
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.live

MEMORY: Final = 128 * 2**20
# A box of these takes most of a minute under emulation. By default they run only the test of a whole life; name them in
# BOXBENCH_CONTRACT_ALSO (separated by commas) to run the whole contract on them, which takes a quarter of an hour.
WHOLE_SYSTEMS: Final = frozenset({"libvirt-full", "vm-docker"})
ASKED_FOR: Final = frozenset(os.environ.get("BOXBENCH_CONTRACT_ALSO", "").split(",")) & WHOLE_SYSTEMS
AGENTLESS: Final = frozenset(name for name, info in TARGETS.items() if not info.has_agent)
EVERY_TARGET: Final = sorted(set(TARGETS) - AGENTLESS)
VCPU: Final = re.compile(r"CPU \d+/.*|ALL CPUs/.*")
"""The names that QEMU gives to the threads of virtual CPUs."""
PHASE_CPU: Final = {"process", "namespaces", "bubblewrap", "microvm", "libvirt", "libvirt-full", "vm-docker", "uml"}
"""Targets of which the CPU time at each mark can be read cheaply: their control group or VMM is known before."""
# Enough of them to keep any engine busy for a while; all are kept.
LINES: Final = 100_000
# What a box prints to look like the agent.
FORGED: Final = "BB1 mark ready 1\\nBB1 exit 0 0 1 1 1 1\\nBB1 error no\\n"
DOCKERFILE: Final = r"""
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
COPY passwd group /etc/
COPY lost /bin/lost
ENV PATH=/bin PLAIN=one SPACED="two words" TRICKY="a=b;c%20d \$HOME 'q'" EMPTY=""
ENV UMLAUT="häß"
WORKDIR /made/here
USER dora
STOPSIGNAL SIGUSR1
ENTRYPOINT ["/bin/busybox", "sh", "-c"]
CMD ["echo default; exec busybox sleep 1000"]
"""
FILES: Final = {
    "passwd": "root:x:0:0::/root:/bin/sh\ndora:x:1234:2345::/home/dora:/bin/sh\n",
    "group": "root:x:0:\ndora:x:2345:\nextra:x:77:dora\n",
    "lost": "#!/no/such/interpreter\n",
}


WHOLE_CONTRACT: Final = sorted(set(EVERY_TARGET) - (WHOLE_SYSTEMS - ASKED_FOR))


@pytest.fixture(params=WHOLE_CONTRACT)
def name(request: pytest.FixtureRequest, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a target that this host can run; the test is skipped on hosts that cannot."""
    target: str = request.param
    lab.target(target)
    # A time-out that is too short for a whole system is refused; here it is the question.
    monkeypatch.setattr(libvirtfull, "TCG_PATIENCE_NS", 0)
    return target


@pytest.fixture(scope="session")
def loaded(make_scenario: Callable[..., LoadedScenario]) -> LoadedScenario:
    """One image for the whole contract."""
    made: LoadedScenario = make_scenario(DOCKERFILE, name="contract", files=FILES)
    (made.directory / "lost").chmod(0o755)
    workload = made.scenario.workload.model_copy(update={"env": {"LINES": "first\nsecond \n", "PLAIN": "two"}})
    return made.model_copy(update={"scenario": made.scenario.model_copy(update={"workload": workload})})


def doing(loaded: LoadedScenario, script: str, **changes: Any) -> LoadedScenario:
    """The image with another shell script, and other keys of the scenario."""
    workload = loaded.scenario.workload.model_copy(update={"command": (script,)})
    return loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"workload": workload, **changes})})


class AffineBox(BoxProxy):
    """A box whose threads' CPUs are read just before it is stopped, so that no boot is needed for it."""

    def __init__(self, inner: Box) -> None:
        super().__init__(inner)
        self.cpus: dict[tuple[str, str], set[int]] = {}
        """By component and name of a thread."""

    def stop(self) -> None:
        for component, pids in self.inner.processes().items():
            for task in (task for pid in pids for task in _threads(pid)):
                with suppress(OSError):
                    name = (task / "comm").read_text(encoding="utf-8").strip()
                    self.cpus[component, name] = os.sched_getaffinity(int(task.name))
        self.inner.stop()


def _threads(pid: int) -> list[Path]:
    with suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []


def _affinities(pid: int) -> set[frozenset[int]]:
    """The sets of CPUs of a process's threads. Threads end and begin at any time."""
    found = set()
    for task in _threads(pid):
        with suppress(OSError):
            found.add(frozenset(os.sched_getaffinity(int(task.name))))
    return found


def affine(boxes: list[AffineBox]) -> Callable[[Target], ProxiedTarget]:
    """Wraps a target; each of its boxes is added to ``boxes``."""

    def wrapped(box: Box) -> Box:
        boxes.append(AffineBox(box))
        return boxes[-1]

    return lambda target: ProxiedTarget(target, box=wrapped)


def check_cpus(name: str, target: Target, box: AffineBox) -> None:
    """What runs the workload is on the box's CPUs; what serves it (VMM, shim, monitor, daemons) is on all."""
    own, everything = {0}, os.sched_getaffinity(0)
    beside = {Component.SHIM, Component.MONITOR}
    emulated = "emulator_cpus" in TARGETS[name].options
    virtual = [thread for component, thread in box.cpus if component == Component.VMM and VCPU.fullmatch(thread)]
    assert bool(virtual) == emulated, box.cpus
    for (component, thread), cpus in box.cpus.items():
        serves = component in beside or (emulated and thread not in virtual)
        assert cpus == (everything if serves else own), (component, thread)
    for daemon, pid in target.daemons().items():
        assert _affinities(pid) == {frozenset(everything)}, daemon


def in_order(trialed: Trialed, *endpoints: Endpoint) -> None:
    """These endpoints were passed, in this order."""
    passed = trialed.record.endpoints_ns
    assert set(endpoints) <= set(passed), trialed.record
    stamps = [passed[endpoint] for endpoint in endpoints]
    assert stamps == sorted(stamps), passed


@pytest.mark.parametrize("name", EVERY_TARGET, indirect=True)
def test_a_whole_life(name: str, lab: Lab, loaded: LoadedScenario) -> None:
    """Readiness comes from the agent alone, the stop signal of the image arrives, the limits are seen inside."""
    # What it leaves behind when it ends goes with the box.
    up = "busybox sleep 0.3; echo up; busybox sleep 1000 & while :; do wait; done"
    script = f"printf '{FORGED}'; trap 'exit 3' USR1; {up}"
    boxes: list[AffineBox] = []
    trialed = lab.run(name, doing(loaded, script, ready=ReadyLog(when="log", text="up")), wrap=affine(boxes))
    record = trialed.record
    assert record.outcome == "ok", record.failure
    check_cpus(name, lab.target(name), *boxes)
    in_order(trialed, *map(Endpoint, ("requested", "init", "exec", "ready", "stopping", "ended", "gone")))
    if Endpoint.CREATED in record.endpoints_ns:
        in_order(trialed, Endpoint.REQUESTED, Endpoint.CREATED, Endpoint.INIT)
    if name == "vm-docker":  # both from one request
        in_order(trialed, *map(Endpoint, ("requested", "created", "vmm", "init", "root", "exec")))
    # Only a serial console shows the kernel's first output, and no target has one by default.
    assert Endpoint.KERNEL not in record.endpoints_ns
    # By the agent's own clock; a forged mark would come at once, and has a time of its own.
    assert record.guest_ns[Endpoint.READY] - record.guest_ns[Endpoint.EXEC] >= 290_000_000
    assert record.exit_code == 3
    assert len(record.channel_rtt_ns) == observer.PINGS
    trialed.assert_gone()
    _sees_what_the_image_says(record.inside)
    _sees_its_limits(trialed, max(MEMORY, LEAST_MEMORY.get(name, 0)))
    assert record.cpu_ns["start.total"] > 0
    assert record.memory_bytes["pss.total"] > 0
    assert "box.allocated" in record.disk_bytes
    # What a model of the start needs.
    assert record.cpu_ns["start.window"] >= record.endpoints_ns[Endpoint.READY]
    assert record.memory_bytes["start.peak"] > 2**16
    assert record.waits_ns["start.queue.total"] > 0
    assert {"trial.window", "trial.steal"} <= set(record.waits_ns)
    at = [record.cpu_at_ns.get(Endpoint(mark)) for mark in ("exec", "ready")]
    assert (None not in at) == (name in PHASE_CPU), at
    used = [value for value in at if value is not None]
    assert used == sorted(used)
    assert not used or 0 < used[-1] <= record.cpu_ns["start.total"]
    assert {"host.read_until_ready", "box.read_until_ready"} <= set(record.disk_bytes)


def _sees_what_the_image_says(inside: Mapping[str, str]) -> None:
    assert (inside["uid"], inside["gid"], inside["cwd"]) == ("1234", "2345", "/made/here")
    assert set(inside["groups"].split()) == {"77", "2345"}
    env = {key.removeprefix("env."): value for key, value in inside.items() if key.startswith("env.")}
    assert env["TRICKY"] == "a=b;c%20d $HOME 'q'"
    assert (env["SPACED"], env["UMLAUT"], env["EMPTY"]) == ("two words", "häß", "")
    assert (env["LINES"], env["PLAIN"]) == ("first\nsecond \n", "two")  # the scenario's
    assert (env["PATH"], env["HOME"], env["HOSTNAME"]) == ("/bin", "/home/dora", "boxbench")
    assert set(env) == {"PATH", "HOME", "HOSTNAME", "PLAIN", "SPACED", "TRICKY", "EMPTY", "UMLAUT", "LINES"}


def _sees_its_limits(trialed: Trialed, limit: int) -> None:
    inside, memory = trialed.record.inside, trialed.record.memory_bytes
    assert inside["cpus"] == "1"
    seen = int(inside.get("memory_limit_bytes", inside["mem_total_bytes"]))
    # A guest's kernel keeps a part of its memory to itself.
    assert limit // 4 < seen <= limit, format_bytes(seen)
    assert ("guest.total" in memory) == ("vmm" in "".join(memory))


def test_exit_code_and_output_of_a_crash_before_ready(name: str, lab: Lab, loaded: LoadedScenario) -> None:
    script = f"printf '{FORGED}'; echo broken >&2; exit 7"
    never = ReadyLog(when="log", text="never said", timeout=60 * 10**9)
    trialed = lab.run(name, doing(loaded, script, ready=never))
    record = trialed.record
    assert (record.outcome, record.exit_code) == ("failed", 7)
    assert record.failure is not None
    assert "status 7" in record.failure.message
    assert Endpoint.READY not in record.endpoints_ns
    assert trialed.output == Output(FORGED.replace("\\n", "\n").encode(), b"broken\n")
    trialed.assert_gone()


NEVER: Final = {
    "log": ReadyLog(when="log", text="never said", timeout=60 * 10**9),
    "tcp": ReadyTcp(when="tcp", port=7, timeout=60 * 10**9),
}


# The agent reads what a box writes to see whether it is ready, or it does not: the same agent in every box.
CRASHES: Final = [(name, "log") for name in WHOLE_CONTRACT] + [
    (name, "tcp") for name in ("process", "docker", "libvirt")
]


@pytest.mark.parametrize(("name", "when"), CRASHES, indirect=["name"])
def test_a_crash_is_kept_to_its_last_word(name: str, when: str, lab: Lab, loaded: LoadedScenario) -> None:
    """Agent and engines copy what a box writes, and are still at it when the end has been told."""
    trialed = lab.run(name, doing(loaded, f"busybox seq {LINES}; exit 7", ready=NEVER[when]))
    assert (trialed.record.outcome, trialed.record.exit_code) == ("failed", 7)
    assert trialed.output is not None
    written = b"".join(b"%d\n" % number for number in range(1, LINES + 1))
    assert trialed.output.stdout[-20:] == written[-20:]
    assert trialed.output.stdout == written
    trialed.assert_gone()


def test_an_exit_can_be_the_readiness(name: str, lab: Lab, loaded: LoadedScenario) -> None:
    trialed = lab.run(name, doing(loaded, "exit 7", ready=ReadyExit(when="exit", code=7)))
    assert (trialed.record.outcome, trialed.record.exit_code) == ("ok", 7), trialed.record.failure
    in_order(trialed, Endpoint.EXEC, Endpoint.READY, Endpoint.STOPPED, Endpoint.GONE)
    trialed.assert_gone()


def test_a_command_that_cannot_be_executed(name: str, lab: Lab, loaded: LoadedScenario) -> None:
    """It is in the image and executable; only its interpreter is not there."""
    workload = loaded.scenario.workload.model_copy(update={"command": ("exec /bin/lost",)})
    lost = loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"workload": workload})})
    trialed = lab.run(name, lost)
    assert trialed.record.outcome == "failed"
    assert trialed.record.exit_code in (126, 127)
    trialed.assert_gone()


def test_a_deaf_workload_is_killed(
    name: str, lab: Lab, loaded: LoadedScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxconf, "STOP_TIMEOUT_MS", 700)
    script = "trap '' USR1 TERM INT; echo up; while :; do busybox sleep 1; done"
    trialed = lab.run(name, doing(loaded, script))
    record = trialed.record
    assert (record.outcome, record.exit_code) == ("ok", 128 + signal.SIGKILL), record.failure
    assert "killed: the workload did not end on its stop signal" in record.doubts
    assert record.endpoints_ns[Endpoint.STOPPED] - record.endpoints_ns[Endpoint.STOPPING] >= 700_000_000
    trialed.assert_gone()


def test_never_ready_runs_into_the_time_limit(name: str, lab: Lab, loaded: LoadedScenario) -> None:
    never = ReadyLog(when="log", text="never said", timeout=10**9)
    trialed = lab.run(name, doing(loaded, "echo here I am; exec busybox sleep 1000", ready=never))
    record = trialed.record
    assert record.outcome == "timeout"
    assert record.failure is not None
    assert "not ready within 1.0" in record.failure.message
    assert trialed.output is not None
    trialed.assert_gone()


class SabotagedBox(BoxProxy):
    """A box that loses its main process: as it starts, or when its processes are read."""

    def __init__(self, inner: Box, moment: str) -> None:
        super().__init__(inner)
        self._moment, self._struck = moment, False

    def start(self) -> None:
        self.inner.start()
        if self._moment == "start":
            self._strike()

    def processes(self) -> Mapping[str, Sequence[int]]:
        found = self.inner.processes()
        if self._moment == "ready":
            self._strike()
        return found

    def _strike(self) -> None:
        if self._struck:
            return
        self._struck = True
        pid = self.inner.main_pid()
        assert pid is not None
        # It dies when it gets a CPU, and until then could still be read.
        assert kill_and_wait(pid, timeout_s=LIMIT_S)


def sabotaged(target: Target, moment: str) -> ProxiedTarget:
    """The target with such boxes."""
    return ProxiedTarget(target, box=lambda box: SabotagedBox(box, moment))


def test_killed_before_ready(name: str, lab: Lab, loaded: LoadedScenario) -> None:
    """The agent of a container, the VMM of a VM."""
    scenario = doing(loaded, "busybox sleep 30; echo up")
    trialed = lab.run(name, scenario, wrap=lambda target: sabotaged(target, "start"))
    assert trialed.record.outcome == "failed"
    assert trialed.record.failure is not None
    assert "ended before it was ready" in trialed.record.failure.message
    trialed.assert_gone()


def test_killed_when_ready(name: str, lab: Lab, loaded: LoadedScenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "AGENT_PATIENCE_S", 0.5)
    scenario = doing(loaded, "echo up; exec busybox sleep 1000")
    trialed = lab.run(name, scenario, wrap=lambda target: sabotaged(target, "ready"))
    assert Endpoint.READY in trialed.record.endpoints_ns
    assert any(doubt.startswith("unknown:") for doubt in trialed.record.doubts)
    # What could not be read is absent, not zero.
    assert "pss.total" not in trialed.record.memory_bytes
    trialed.assert_gone()


@pytest.mark.parametrize("agentless", sorted(AGENTLESS))
def test_a_target_without_an_agent(agentless: str, lab: Lab, loaded: LoadedScenario) -> None:
    """Its boxes run nothing of the image: they start, say so, and go."""
    boxes: list[AffineBox] = []
    trialed = lab.run(agentless, loaded, wrap=affine(boxes))
    assert trialed.record.outcome == "ok", trialed.record.failure
    check_cpus(agentless, lab.target(agentless), *boxes)
    in_order(trialed, Endpoint.REQUESTED, Endpoint.READY, Endpoint.GONE)
    assert trialed.record.inside == {}
    trialed.assert_gone()
