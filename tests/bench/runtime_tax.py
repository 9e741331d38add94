"""Times of Boxbench compared with times of hyperfine for the same command lines, in alternation.

runc: the time of `runc run --detach`, with the writable layer mounted before. On our side it is `start_returned` minus
`created` of a whole trial, with its channel, marks and probes.

bubblewrap: the life of a box whose workload ends at once, from just before the start of bwrap to its end. Both sides
run in equal control groups and on the same CPU. hyperfine stops its clock when it has reaped bwrap; Boxbench stops it
when bwrap's pidfd reports the end.

Run it on an otherwise idle machine: ``nox -s bench``. Ratios are ratios of medians within one run, with intervals.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host.campaign_lock import only_campaign_on_host
from bench.host.cgroup import own_cgroup
from bench.host.processes import wait_ended
from bench.host.run_directory import box_tag, boxes_root, campaign_dir, campaign_tag, owned_dir
from bench.plan.trials import Cell, Trial
from bench.records.manifest import new_campaign_id
from bench.records.record import Endpoint
from bench.run.box import Setting
from bench.run.cleanup import find_leftovers, remove_leftovers
from bench.run.interpreter import fast_thread_switch
from bench.run.prepare import Prepared, prepare
from bench.run.trial import run_trial
from bench.scenario.model import load_scenario, narrowed
from bench.targets.base import Order, no_mark
from bench.targets.containers.oci_runtime import OciBox
from bench.targets.launcher.bubblewrap import command
from bench.targets.rootfs_box import agent_user, rootfs_parts
from bench.util import proc
from bench.util.clock import MonotonicClock
from bench.util.package_data import find_scenario
from tests.bench.harness_tax import Pair, measure, show

CLOCK = MonotonicClock()
LIMIT_S = 30.0
TARGETS = ("runc", "bubblewrap")


@contextmanager
def order_for(setting: Setting, name: str) -> Iterator[Order]:
    """The directories and the order of one box."""
    tag = box_tag(setting.campaign, name)
    directory, storage = campaign_dir(setting.campaign) / tag, boxes_root() / tag
    with ExitStack() as stack:
        for path in (directory, storage):
            path.mkdir(parents=True)
            stack.callback(proc.run, ["rm", "-r", path], timeout_s=LIMIT_S)
        yield Order(
            tag=tag,
            directory=directory,
            storage=storage,
            image=setting.image,
            resources=setting.scenario.resources,
            ready=setting.scenario.ready,
            cpus=setting.cpus,
            mark=no_mark,
        )


def hyperfine(argv: Sequence[str], directory: Path, *, join: Sequence[Path] = (), cpus: Sequence[int] = ()) -> int:
    """The time of one run without a shell, ns. hyperfine itself runs in the groups ``join`` and on ``cpus``."""
    out = directory / "hyperfine.json"
    words = ["hyperfine", "-N", "--runs", "1", "--warmup", "0", "--style", "none", "--export-json", str(out)]
    if cpus:
        words = ["taskset", "--cpu-list", ",".join(map(str, cpus)), *words]
    joins = "".join(f"echo 0 >{shlex.quote(str(file))}; " for file in join)
    proc.run(["sh", "-c", f'{joins}exec "$@"', "sh", *words, shlex.join(argv)], timeout_s=LIMIT_S)
    seconds: float = json.loads(out.read_text(encoding="utf-8"))["results"][0]["times"][0]
    return round(seconds * 1e9)


def our_runc(setting: Setting, cell: Cell, number: int) -> int:
    """``start_returned`` minus ``created`` of a whole trial, ns."""
    record, _ = run_trial(Trial(number=number, block=number, cell=cell, warmup=False), setting)
    if record.failure is not None:
        raise RuntimeError(record.failure.message)
    return record.endpoints_ns[Endpoint.START_RETURNED] - record.endpoints_ns[Endpoint.CREATED]


def their_runc(setting: Setting, number: int) -> int:
    """The time of the same command line, on a bundle and a layer made in the same way, ns."""
    timeline = Timeline(CLOCK)
    with order_for(setting, f"bare{number}") as order, setting.target.provision(order) as box:
        if not isinstance(box, OciBox):
            raise TypeError(box)
        # Without a reader the agent would wait at its first mark and leave its CPU to runc.
        channel = Channel(box.channel, now_ns=CLOCK.now_ns, on_message=timeline.receive)
        try:
            box.overlay.mount(nodev=True)
            return hyperfine(box.run_argv(), order.directory)
        finally:
            channel.close()


def our_bubblewrap(setting: Setting, number: int) -> int:
    """The time from the request to the end of bwrap, ns."""
    with order_for(setting, f"ours{number}") as order, setting.target.provision(order) as box:
        channel = Channel(box.channel, now_ns=CLOCK.now_ns, on_message=lambda _message, _stamp: None)
        gc.disable()
        try:
            begun = CLOCK.now_ns()
            box.start()
            pid = box.main_pid()
            if pid is not None and not wait_ended(pid, timeout_s=LIMIT_S):
                raise RuntimeError("bwrap did not end")
            return CLOCK.now_ns() - begun
        finally:
            gc.enable()
            channel.close()


def their_bubblewrap(setting: Setting, number: int) -> int:
    """The time of the same command line in an equal control group, ns."""
    with order_for(setting, f"bare{number}") as order, rootfs_parts(order, agent=agent_user(order)) as (ends, overlay):
        memory = order.resources.memory
        with own_cgroup(order.tag, memory_bytes=memory) as group:
            argv = command(overlay, group, ends.directory)
            return hyperfine(argv, order.directory, join=group.join_files, cpus=order.cpus)


def pairs(prepared: Prepared) -> list[Pair]:
    """Those of the two targets that this host can run."""
    cells = {cell.target: cell for cell in prepared.settings}
    made = []
    if "runc" in cells:
        runc = prepared.settings[cells["runc"]]
        made.append(
            Pair(
                "runc run --detach",
                "hyperfine around the same command line",
                lambda number: our_runc(runc, cells["runc"], number),
                lambda number: their_runc(runc, number),
            )
        )
    if "bubblewrap" in cells:
        bwrap = ending_at_once(prepared.settings[cells["bubblewrap"]])
        made.append(
            Pair(
                "bwrap, its whole life",
                "hyperfine around the same command line",
                lambda number: our_bubblewrap(bwrap, number),
                lambda number: their_bubblewrap(bwrap, number),
            )
        )
    return made


def ending_at_once(setting: Setting) -> Setting:
    """The scenario with a command that does nothing."""
    config = replace(setting.image.config, argv=("/bin/busybox", "true"))
    return replace(setting, image=replace(setting.image, config=config))


def run(rounds: int, warmups: int, targets: Sequence[str] = TARGETS) -> list[dict[str, Any]]:
    """Measure the pairs of these targets."""
    loaded = narrowed(load_scenario(find_scenario("hello")), targets=targets)
    # Memory is not read here, so it need not settle.
    design = loaded.scenario.design.model_copy(update={"settle": 10**6})
    loaded = loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"design": design})})
    identity = new_campaign_id()
    with only_campaign_on_host(), owned_dir(campaign_dir(identity)):
        try:
            # As in a trial, the channel's thread must get the interpreter without delay.
            with (
                fast_thread_switch(),
                prepare(identity, [loaded], accel="auto", skip_unavailable=True, say=lambda _text: None) as prepared,
            ):
                return measure(pairs(prepared), rounds=rounds, warmups=warmups)
        finally:
            remove_leftovers(find_leftovers(campaign_tag(identity)))


def main() -> None:
    """Print a table and, with ``--json FILE``, store every value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--warmups", type=int, default=3)
    parser.add_argument("--only", choices=TARGETS)
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root: control groups and mounts")
    results = run(words.rounds, words.warmups, [words.only] if words.only else TARGETS)
    show(results)
    if words.json:
        words.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
