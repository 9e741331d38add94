"""Our stop watch against somebody else's: hyperfine around the very same command lines, interleaved.

runc: from just before `runc run --detach` to its end; the writable layer is mounted before, on both sides. Ours is a
whole trial (channel, marks, probes around it), and the interval is `start_returned` less `created` of its record.

bubblewrap: the life of a box whose workload ends at once, from just before bwrap starts until it has ended. Both run in
a control group like the other's, on the same CPU. hyperfine's watch stops when it has reaped bwrap; ours when bwrap's
pidfd says that it has ended.

Run it with nothing else on the machine: ``nox -s bench``. Ratios are of medians within one run, with intervals.
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
from bench.host.cgroup import own_cgroup
from bench.host.processes import wait_ended
from bench.host.run_directory import box_tag, campaign_dir, campaign_tag, only_campaign_on_host, owned_dir
from bench.plan.trials import Cell, Trial
from bench.records.manifest import new_campaign_id
from bench.records.record import Endpoint
from bench.run.box import Setting
from bench.run.cleanup import boxes_root, find_leftovers, remove_leftovers
from bench.run.interpreter import fast_thread_switch
from bench.run.prepare import Prepared, prepare
from bench.run.trial import run_trial
from bench.scenario.model import load_scenario, narrowed
from bench.targets.base import Order
from bench.targets.containers.oci_runtime import OciBox
from bench.targets.launcher.bubblewrap import command
from bench.targets.rootfs_box import rootfs_parts
from bench.util import proc
from bench.util.clock import MonotonicClock
from bench.util.package_data import find_scenario
from tests.bench.harness_tax import Pair, measure, show

CLOCK = MonotonicClock()
LIMIT_S = 30.0
TARGETS = ("runc", "bubblewrap")


@contextmanager
def order_for(setting: Setting, name: str) -> Iterator[Order]:
    """A place for one box."""
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
            mark=lambda _endpoint: None,
        )


def hyperfine(argv: Sequence[str], directory: Path, *, join: Sequence[Path] = (), cpus: Sequence[int] = ()) -> int:
    """One run without a shell around it; ns. ``join`` and ``cpus`` are in force before hyperfine starts."""
    out = directory / "hyperfine.json"
    words = ["hyperfine", "-N", "--runs", "1", "--warmup", "0", "--style", "none", "--export-json", str(out)]
    if cpus:
        words = ["taskset", "--cpu-list", ",".join(map(str, cpus)), *words]
    joins = "".join(f"echo 0 >{shlex.quote(str(file))}; " for file in join)
    proc.run(["sh", "-c", f'{joins}exec "$@"', "sh", *words, shlex.join(argv)], timeout_s=LIMIT_S)
    seconds: float = json.loads(out.read_text(encoding="utf-8"))["results"][0]["times"][0]
    return round(seconds * 1e9)


def our_runc(setting: Setting, cell: Cell, number: int) -> int:
    """A whole trial's ``start_returned`` less ``created``, ns."""
    record, _ = run_trial(Trial(number=number, block=number, cell=cell, warmup=False), setting)
    if record.failure is not None:
        raise RuntimeError(record.failure.message)
    return record.endpoints_ns[Endpoint.START_RETURNED] - record.endpoints_ns[Endpoint.CREATED]


def their_runc(setting: Setting, number: int) -> int:
    """The same command line on a bundle and a layer made the same way, ns."""
    timeline = Timeline(CLOCK)
    with order_for(setting, f"bare{number}") as order, setting.target.provision(order) as box:
        if not isinstance(box, OciBox):
            raise TypeError(box)
        # Somebody has to listen, or the agent waits at its first mark and leaves its CPU to runc.
        channel = Channel(box.channel, now_ns=CLOCK.now_ns, on_message=timeline.receive)
        try:
            box.overlay.mount()
            return hyperfine(box.run_argv(), order.directory)
        finally:
            channel.close()


def our_bubblewrap(setting: Setting, number: int) -> int:
    """From the request until bwrap has ended, ns."""
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
    """The same command line in a control group like ours, ns."""
    with order_for(setting, f"bare{number}") as order, rootfs_parts(order) as (ends, overlay):
        memory = order.resources.memory
        with own_cgroup(order.tag, memory_bytes=memory) as group:
            argv = command(overlay, group, ends.directory)
            return hyperfine(argv, order.directory, join=group.join_files, cpus=order.cpus)


def pairs(prepared: Prepared) -> list[Pair]:
    """What this host can run of the two."""
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
    """The same image with a command that does nothing."""
    config = replace(setting.image.config, argv=("/bin/busybox", "true"))
    return replace(setting, image=replace(setting.image, config=config))


def run(rounds: int, warmups: int, targets: Sequence[str] = TARGETS) -> list[dict[str, Any]]:
    """The pairs of these targets, measured."""
    loaded = narrowed(load_scenario(find_scenario("hello")), targets=targets)
    # Nobody reads memory here, so nothing need settle; the time is better spent on rounds.
    design = loaded.scenario.design.model_copy(update={"settle": 10**6})
    loaded = loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"design": design})})
    identity = new_campaign_id()
    with only_campaign_on_host(), owned_dir(campaign_dir(identity)):
        try:
            # As in a trial: the channel's thread gets the interpreter at once, and gives it back at once.
            with (
                fast_thread_switch(),
                prepare(identity, [loaded], accel="auto", skip_unavailable=True, say=lambda _text: None) as prepared,
            ):
                return measure(pairs(prepared), rounds=rounds, warmups=warmups)
        finally:
            remove_leftovers(find_leftovers(campaign_tag(identity)))


def main() -> None:
    """Print a table and, with ``--json FILE``, keep every value."""
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
