"""While a box lives, no other user of the host reaches anything of it: no file, FIFO, socket, variable or device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host.run_directory import box_tag, boxes_root, campaign_dir, run_root
from bench.records.component import Component
from bench.run.trial import run_trial
from bench.scenario.model import LoadedScenario
from bench.util.cache import cache_dir
from tests.lab import Lab, ProxiedTarget
from tests.stranger import NOBODY, done_to, everything_below, processes_that_show

WORKLOAD: Final = 4321
SECRET: Final = "hush-3b1f9c"
# What an image can contain and no user of the host may use: a setuid program, and a device that everybody may read.
DOCKERFILE: Final = f"""
FROM boxbench/base-busybox:latest
RUN ["/usr/bin/busybox", "mknod", "-m", "666", "/node", "c", "1", "5"]
RUN ["/usr/bin/busybox", "cp", "/usr/bin/busybox", "/setuid"]
RUN ["/usr/bin/busybox", "chmod", "4755", "/setuid"]
USER {WORKLOAD}:{WORKLOAD}
CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]
"""
TARGETS: Final = (
    "process", "namespaces", "bubblewrap", "runc", "gvisor", "containerd", "docker", "docker-cli", "podman",
    "microvm", "libvirt",
)  # fmt: skip


def parts_of_the_cache() -> list[Path]:
    """The entries; what is inside them is below a directory that nobody else can enter."""
    return [path for kind in cache_dir().iterdir() for path in (kind, *(kind.iterdir() if kind.is_dir() else ()))]


@pytest.mark.parametrize("name", TARGETS)
def test_no_other_user_reaches_a_living_box(name: str, lab: Lab, make_scenario: Callable[..., LoadedScenario]) -> None:
    loaded = make_scenario(DOCKERFILE, name="strangers")
    workload = loaded.scenario.workload.model_copy(update={"env": {"PLAIN": SECRET, "LINES": f"a\n{SECRET}"}})
    loaded = loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"workload": workload})})
    target = ProxiedTarget(lab.target(name))
    setting = lab.setting(name, loaded, wrap=lambda _target: target)
    trial = lab.trial(setting)
    tag = box_tag(lab.campaign, trial.id)
    tried: list[Path] = []

    def attack(_channel: Channel, _timeline: Timeline) -> None:
        here = everything_below(campaign_dir(lab.campaign) / tag, boxes_root() / tag)
        tried.extend([*run_root().iterdir(), *campaign_dir(lab.campaign).iterdir(), *parts_of_the_cache(), *here])
        for uid in (NOBODY, WORKLOAD):
            assert done_to(tried, uid=uid) == []
        assert processes_that_show(SECRET) == []
        if name in ("namespaces", "runc"):
            # The workload's uid is also that of a user of the host, who enters the box through /proc.
            node = Path(f"/proc/{target.boxes[0].processes()[Component.WORKLOAD][0]}/root/node")
            assert done_to([node], uid=WORKLOAD) == [f"look at {node}"]

    record, output = run_trial(trial, replace(setting, after_ready=attack))
    assert record.outcome == "ok", (record.failure, output)
    assert tried
    if name not in ("microvm", "libvirt"):
        assert any(path.name == "commands" for path in tried)


def test_the_check_itself_finds_what_is_open() -> None:
    """A process that shows the text, and a file that everybody can read."""
    assert [line for line in done_to([Path("/etc/passwd")]) if line.startswith("read")] == ["read /etc/passwd"]
    assert processes_that_show("pytest")
