"""The cost of Boxbench itself: its starts compared with minimal programs that wait for the same endpoint.

docker: compared with plain docker-py (create, start, wait for the first byte of the workload's output).
libvirt: compared with a single createXML of the same domain, and with the QEMU command line that libvirt makes of it.
The first ratio is the cost of Boxbench. The second includes the work of libvirt, which its users pay too.

Starts of both sides alternate. Run it on an otherwise idle machine: ``nox -s bench``. Ratios are ratios of medians
within one run, with intervals.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from bench.analysis.estimates import RatioEstimate
from bench.analysis.exact import block_ratio
from bench.analysis.ratios import median_ratio
from bench.host.campaign_lock import only_campaign_on_host
from bench.host.run_directory import boxes_root, campaign_dir, campaign_tag
from bench.plan.trials import Cell, Trial
from bench.records.manifest import new_campaign_id
from bench.records.record import Endpoint
from bench.run.box import Setting
from bench.run.cleanup import find_leftovers, remove_leftovers
from bench.run.prepare import Prepared, prepare
from bench.run.trial import run_trial
from bench.scenario.model import load_scenario, narrowed
from bench.util.clock import MonotonicClock
from bench.util.package_data import find_scenario
from bench.util.units import format_ns
from tests.bench.bare_vm import BareVm

CLOCK = MonotonicClock()


@dataclass
class Pair:
    """Two ways to start a box and wait for the same endpoint."""

    name: str
    bare_words: str
    ours: Callable[[int], int]
    bare: Callable[[int], int]


def our_start(prepared: Prepared, cell: Cell, endpoint: Endpoint, number: int) -> int:
    """Run a trial and return the time to ``endpoint``, ns. Raises RuntimeError if the trial failed."""
    trial = Trial(number=number, block=number, cell=cell, warmup=False)
    record, _ = run_trial(trial, prepared.settings[cell])
    if record.failure is not None:
        raise RuntimeError(record.failure.message)
    return record.endpoints_ns[endpoint]


def bare_docker_start(setting: Setting, client: Any, number: int) -> int:
    """The time to the first byte of output with plain docker-py, without agent and channel, ns."""
    api = client.api
    name = f"{campaign_tag(setting.campaign)}-bare{number}"
    memory = setting.scenario.resources.memory
    begun = CLOCK.now_ns()
    try:
        api.create_container(
            image=setting.image.ref,
            name=name,
            command=list(setting.image.config.argv),
            labels={"boxbench": "1"},
            host_config=api.create_host_config(
                network_mode="none",
                mem_limit=memory,
                memswap_limit=memory,
                cpuset_cpus=",".join(map(str, setting.cpus)),
            ),
        )
        output = api.attach(name, stream=True, logs=False)
        api.start(name)
        next(iter(output))
        return CLOCK.now_ns() - begun
    finally:
        with suppress(NotFound):
            api.remove_container(name, force=True)


def measure(pairs: list[Pair], *, rounds: int, warmups: int) -> list[dict[str, Any]]:
    """In each round start both sides of every pair; their order alternates from round to round."""
    took: dict[tuple[str, str], list[int]] = {}
    for number in range(warmups + rounds):
        for pair in pairs:
            sides = [("ours", pair.ours), ("bare", pair.bare)]
            for side, start in sides if number % 2 else reversed(sides):
                value = start(number)
                if number >= warmups:
                    took.setdefault((pair.name, side), []).append(value)
        print(f"round {number + 1} of {warmups + rounds}", file=sys.stderr)
    return [_result(pair, took[pair.name, "ours"], took[pair.name, "bare"]) for pair in pairs]


def _result(pair: Pair, ours: list[int], bare: list[int]) -> dict[str, Any]:
    series = dict(enumerate(bare)), dict(enumerate(ours))
    # The ratio within rounds does not contain disturbances of whole rounds, so its interval is narrower.
    of_medians, within = median_ratio(*series), block_ratio(*series)
    return {
        "pair": pair.name,
        "bare": pair.bare_words,
        "n": len(ours),
        "ratio": of_medians.value,
        "interval": _limits(of_medians),
        "within": within.value,
        "within_interval": _limits(within),
        "ours_ns": ours,
        "bare_ns": bare,
    }


def _limits(ratio: RatioEstimate) -> list[float] | None:
    return None if ratio.interval is None else [ratio.interval.low, ratio.interval.high]


def main() -> None:
    """Print a table and, with ``--json FILE``, store every value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--warmups", type=int, default=2)
    parser.add_argument("--only", default="", metavar="WORD", help="only pairs whose name contains WORD")
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    loaded = narrowed(load_scenario(find_scenario("hello")), targets=["docker", "libvirt"])
    identity = new_campaign_id()
    scratch = boxes_root() / f"{campaign_tag(identity)}-bare"
    with only_campaign_on_host():
        for directory in (campaign_dir(identity), scratch):
            directory.mkdir(parents=True)
        try:
            with prepare(identity, [loaded], accel="auto", skip_unavailable=False, say=lambda _text: None) as prepared:
                pairs = [pair for pair in _pairs(prepared, scratch) if words.only in pair.name]
                results = measure(pairs, rounds=words.rounds, warmups=words.warmups)
        finally:
            remove_leftovers(find_leftovers(campaign_tag(identity)))
    show(results)
    if words.json:
        words.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _pairs(prepared: Prepared, scratch: Path) -> list[Pair]:
    cells = {cell.target: cell for cell in prepared.settings}
    docker, libvirt = cells["docker"], cells["libvirt"]
    client = prepared.engines.docker.client
    bare = BareVm(prepared.settings[libvirt], prepared.engines.libvirt, scratch, CLOCK)
    return [
        Pair(
            "docker, to the first output",
            "docker-py: create, attach, start, first byte",
            lambda number: our_start(prepared, docker, Endpoint.READY, 4 * number),
            lambda number: bare_docker_start(prepared.settings[docker], client, number),
        ),
        Pair(
            f"{libvirt.box}, to the first output",
            "bare libvirt: one createXML of the same domain",
            lambda number: our_start(prepared, libvirt, Endpoint.READY, 4 * number + 1),
            bare.by_libvirt,
        ),
        Pair(
            f"{libvirt.box} without libvirt",
            "the same QEMU command line; the difference is libvirt's own work",
            lambda number: our_start(prepared, libvirt, Endpoint.READY, 4 * number + 2),
            bare.by_qemu,
        ),
    ]


def show(results: list[dict[str, Any]]) -> None:
    """Print one line per pair."""
    for result in results:
        ours, bare = sorted(result["ours_ns"]), sorted(result["bare_ns"])
        print(
            f"{result['pair']}: ours / bare = {_words(result, 'ratio', 'interval')} of medians, "
            f"{_words(result, 'within', 'within_interval')} within rounds, n = {result['n']}; "
            f"medians {format_ns(ours[len(ours) // 2])} and {format_ns(bare[len(bare) // 2])} ({result['bare']})"
        )


def _words(result: dict[str, Any], value: str, interval: str) -> str:
    low, high = result[interval] or (float("nan"), float("nan"))
    return f"{result[value]:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
