"""Hostile workloads: they flood, lie, hide, mount, nest, and print what consoles and CI runners obey."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from bench.agent.boxconf import encode_word
from bench.util.errors import ExitCode
from tests.lab import write_scenario
from tests.live.attack.verdict import Judge

BASE: Final = "FROM boxbench/base-busybox:latest\n"
START: Final = 'COPY attack /attack\nCMD ["/usr/bin/busybox", "sh", "/attack"]\n'
CALM: Final = "echo up; exec busybox sleep 1000\n"
EVENTS: Final = "/.boxbench/ch/events"


@dataclass(frozen=True)
class Attack:
    """A workload."""

    script: str
    """For busybox sh. ``VICTIM`` is the host's path of a directory of root."""
    says: str = ""
    """What its record says if the trial failed; empty: it must not fail."""
    dockerfile: str = ""
    """Instructions of its image."""
    targets: str = "process, docker"
    ready: str = "first-line"


FLOODS: Final = {
    "messages": Attack(f"echo up; while :; do echo 'BB1 pong x'; done > {EVENTS}\n", says="messages", targets="docker"),
    "nonsense": Attack(f"echo up; busybox yes '::error::forged' > {EVENTS}\n", says="not a message", targets="process"),
    "facts": Attack(
        "v=0123456789; v=$v$v$v$v$v$v$v$v$v$v; v=$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v\n"
        f'i=0; while [ $i -lt 9000 ]; do echo "BB1 fact k$i $v"; i=$((i+1)); done > {EVENTS}\n' + CALM,
        says="facts",
    ),
    "output": Attack("echo up; busybox yes & busybox yes >&2\n", says="output"),
    # A sparse file of a TiB: its size is no reason to read it.
    "files": Attack(
        "busybox truncate -s 1T /sparse; busybox dd if=/dev/zero of=/.boxbench/ch/fill bs=1M count=64 2>/dev/null\n"
        + CALM,
        says=".boxbench/ch",
    ),
}
LIES: Final = {
    "marks": Attack(
        f'for mark in replied ready exec init ready listening exec; do echo "BB1 mark $mark 1"; done > {EVENTS}\n'
        f"echo 'BB1 mark ready 18446744073709551615' > {EVENTS}; echo 'BB1 mark gone 1' > {EVENTS}\n" + CALM,
        says="mark gone",
    ),
    "exit": Attack(f"echo 'BB1 exit 0 0 1 1 1 1' > {EVENTS}\n" + CALM, says="status 0"),
    # It takes the agent's commands, so each of them is waited for in vain.
    "thief": Attack("busybox cat /.boxbench/ch/commands & " + CALM, targets="process"),
    "replaced": Attack(
        "cd /.boxbench/ch; busybox rm -f events box.conf; busybox ln -s VICTIM/precious events\n"
        "busybox ln -s VICTIM box.conf; busybox ln -s VICTIM link; busybox chmod 0 .\n" + CALM,
    ),
    "spy": Attack("busybox cat /proc/$PPID/environ /proc/self/environ; " + CALM),
}
NEST: Final = (
    "p=d; i=0; while [ $i -lt 999 ]; do p=$p/d; i=$((i+1)); done\n"
    "busybox mkdir -p $p; cd $p; busybox mkdir -p $p; cd $p; echo x > file; cd /\n"
)
HIDING: Final[dict[str, Attack]] = {
    # On a slow host the limit of files in the run directory is noticed before the box is ready.
    "nest": Attack(f"cd /; {NEST}cd /.boxbench/ch; {NEST}" + CALM, says="to its run directory"),
    # Every process starts its successor in a session of its own, and ends; none obeys a signal.
    "hydra": Attack(
        "if [ \"$1\" ]; then trap '' TERM INT HUP QUIT; busybox setsid busybox sh /attack head & exit; fi\n"
        "i=0; while [ $i -lt 40 ]; do busybox setsid busybox sh /attack head & i=$((i+1)); done\n" + CALM,
        dockerfile="STOPSIGNAL SIGKILL\n",
    ),
    "deaf": Attack("trap '' TERM INT HUP QUIT; echo up; while :; do busybox sleep 1000; done\n", targets="process"),
}
# A process of the host that every box of `process` can see: the launcher is the parent of its agent.
HOST: Final = "host=/proc/$(busybox awk '/^PPid/ { print $2 }' /proc/$PPID/status)/root\n"
HIDING["mounts"] = Attack(
    HOST + "busybox mkdir -p /m /v /w\n"
    "busybox mount -t tmpfs none /m; busybox mkdir /m/inner; busybox mount -t tmpfs none /m/inner\n"
    "busybox mount -o bind ${host}VICTIM /v; busybox mount -o bind /v /w; busybox mount -t tmpfs over /w\n"
    # Processes that have left the control group keep the mounts busy.
    "for group in $host/sys/fs/cgroup $host/sys/fs/cgroup/*; do echo $$ > $group/cgroup.procs; done 2>/dev/null\n"
    "(cd /v; exec busybox setsid busybox sleep 1000) & (cd /m/inner; exec busybox setsid busybox sleep 1000) &\n"
    + CALM,
    # Where the box shares the host's mount namespace.
    targets="process, {target: namespaces, options: {mount: false}}",
)
# Lines that a CI runner obeys, and sequences that a terminal obeys.
SPELLS: Final = (
    "::error file=x.py,line=1::forged", "  ::set-output name=a::b", "::stop-commands::x", "text ##[error]forged",
    "##[group]x", "\x1b]0;title\x07text", "\x1b[2J\x1b[1;1H", "\x9b31m", "a\rb", "\u202eabc",
)  # fmt: skip
_OBEYED: Final = re.compile(r"^\s*::[a-z-]+.*::|##\[|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", re.MULTILINE)
SPELLING: Final = Attack(
    f"echo up; busybox cat /spells; busybox cat /spells >&2\n"
    f"echo 'BB1 error {encode_word(chr(10).join(SPELLS))}' > {EVENTS}; exit 3\n",
    says="the agent reported",
    dockerfile="COPY spells /spells\n",
    targets="process, docker",
    ready="log, text: never said",
)


def written(directory: Path, name: str, attack: Attack, victim: Path) -> Path:
    """The scenario of an attack."""
    files = {"attack": attack.script.replace("VICTIM", str(victim)), "spells": "\n".join(SPELLS) + "\n"}
    scenario = write_scenario(directory / name, BASE + attack.dockerfile + START, name=name, files=files)
    text = scenario.read_text().replace("targets: [process]", f"targets: [{attack.targets}]")
    text = text.replace("baseline: process", f"baseline: {attack.targets.partition(',')[0]}")
    # Without a control beside the targets that are named.
    text = text.replace("settle: 20ms", "settle: 200ms, root_control: false")
    scenario.write_text(text.replace("first-line", attack.ready))
    return scenario


# Some of these boxes never answer, and some never stop. Boxbench waits for them as it does for others, less long.
IMPATIENT: Final = """\
from bench.agent import boxconf
from bench.probes import flush, observer
flush._PATIENCE_S = observer.AGENT_PATIENCE_S = 2.0
boxconf.STOP_TIMEOUT_MS = 2000
"""


@pytest.fixture
def impatient(tmp_path: Path) -> dict[str, str]:
    """Variables for a run that gives up on a silent box soon."""
    place = tmp_path / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(IMPATIENT, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(place), os.environ.get("PYTHONPATH"))))}


@pytest.mark.parametrize("attacks", [FLOODS, LIES, HIDING], ids=["floods", "lies", "hiding"])
def test_a_hostile_workload_harms_no_other_trial(
    judge: Judge, tmp_path: Path, impatient: dict[str, str], attacks: dict[str, Attack]
) -> None:
    calm = {"calm": Attack(CALM, targets="process, docker")}
    scenarios = [written(tmp_path, name, attack, judge.ground.victim) for name, attack in (calm | attacks).items()]
    result = judge.boxbench("run", *scenarios, "-o", "out", env=impatient)
    said = result.text + result.stderr.decode()
    assert result.returncode in (ExitCode.OK, ExitCode.PARTIAL), said
    judge.campaign(judge.boxbench.cwd / "out", said, {name: attack.says for name, attack in attacks.items()})


def test_what_a_box_says_is_no_command(judge: Judge, tmp_path: Path) -> None:
    """Neither to the runner of a CI job nor to a terminal, on the console and in every text that is made of it."""
    scenario = written(tmp_path, "spelling", SPELLING, judge.ground.victim)
    out = judge.boxbench.cwd / "out"
    result = judge.boxbench("run", scenario, "-o", out, env={"GITHUB_ACTIONS": "true", "CI": "true"})
    said = result.text + result.stderr.decode()
    assert result.returncode == ExitCode.PARTIAL, said
    assert "forged" in said
    again = judge.boxbench("report", out, env={"GITHUB_ACTIONS": "true"})
    for name, text in (("console", said), ("report", again.text + again.stderr.decode())):
        assert [found[0] for found in _OBEYED.finditer(text)] == [], name
    judge.campaign(out, said, {"spelling": SPELLING.says})
