"""Is CPU time that is planted in Docker's start found in its column? Boots with it and without, in alternation.

    python -m tests.bench.engine_cpu [--rounds 60] [--plant-ms 3]

The private dockerd gets two more runtimes. Both are runc, behind a program that first uses so much CPU time, or none,
when a container is created. The program ends with the start, as runc does: it is in no process that could be read.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.analysis.estimates import Estimate
from bench.analysis.order_statistics import within_blocks
from bench.engines.dockerd import SOCKET, DockerEngine
from bench.engines.lazy import open_engines
from bench.engines.runtimes import engine_settings
from bench.host.campaign_lock import only_campaign_on_host
from bench.host.run_directory import campaign_dir, owned_dir
from bench.records.manifest import new_campaign_id
from bench.records.record import Record
from bench.scenario.model import load_scenario
from bench.targets.containers.docker import DockerTarget
from bench.util import proc
from bench.util.errors import HostUnfitError
from bench.util.package_data import find_scenario
from tests.lab import Lab
from tests.waiting import wait_until

SOURCE: Final = Path(__file__).with_name("planted_runtime.c")
TICK_NS: Final = 10**7
COLUMNS: Final = ("start.runtime", "start.total")


def add_runtimes(engine: DockerEngine, run_dir: Path, folder: Path, plants_ms: tuple[int, ...]) -> dict[int, str]:
    """Give a private engine a runtime for each number of ms of CPU time. Returns their names by the number.

    Raises:
        HostUnfitError: the engine is not ours, or gcc is missing.
    """
    if not engine.private:
        raise HostUnfitError("a Docker that runs keeps its own runtimes", hint="stop it for this measurement")
    runc, compiler = proc.require_tool("runc", package="runc"), proc.require_tool("gcc", package="gcc")
    names = {plant_ms: f"runc-plus-{plant_ms}" for plant_ms in plants_ms}
    for name in names.values():
        proc.run([compiler, "-O1", "-static", f'-DRUNC="{runc}"', "-o", folder / name, SOURCE], timeout_s=60)
    settings = engine_settings()
    runtimes = {**settings.get("runtimes", {}), **{name: {"path": str(folder / name)} for name in names.values()}}
    (run_dir / SOCKET).with_name("daemon.json").write_text(json.dumps(settings | {"runtimes": runtimes}))
    os.kill(engine.daemon_pids["dockerd"], signal.SIGHUP)
    wait_until(lambda: set(names.values()) <= set(engine.client.info()["Runtimes"]), "dockerd has the runtimes")
    return names


def target_with(lab: Lab, runtime: str) -> DockerTarget:
    """The docker target with a runtime that no scenario can name."""
    target = DockerTarget({}, lab.engines, accel="native")
    target._options = replace(target._options, runtime=runtime)
    return target


def alternate(
    lab: Lab, names: Mapping[int, str], run: Callable[[DockerTarget], Record], rounds: int
) -> list[dict[int, Record]]:
    """Boot with each runtime once a round; their order alternates. Raises RuntimeError if a boot failed."""
    found = []
    targets = {plant_ms: target_with(lab, name) for plant_ms, name in names.items()}
    for turn in range(rounds):
        order = sorted(targets, reverse=bool(turn % 2))
        found.append({plant_ms: run(targets[plant_ms]) for plant_ms in order})
        for record in found[-1].values():
            if record.failure is not None:
                raise RuntimeError(record.failure.message)
    return found


def surplus(pairs: list[dict[int, Record]], column: str, plant_ms: int) -> Estimate:
    """By how much a column is larger with the planted time, ms: median of the pairs, with its interval."""
    return within_blocks([(pair[plant_ms].cpu_ns[column] - pair[0].cpu_ns[column]) / 1e6 for pair in pairs])


def main() -> None:
    """Print what was found. Returns 1 if the interval misses the planted time or contains 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--plant-ms", type=int, default=3)
    words = parser.parse_args()
    identity = new_campaign_id()
    run_dir = campaign_dir(identity)
    with ExitStack() as stack:
        stack.enter_context(only_campaign_on_host())
        stack.enter_context(owned_dir(run_dir))
        lab = Lab(identity, stack.enter_context(open_engines(run_dir)))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        names = add_runtimes(lab.engines.docker, run_dir, folder, (0, words.plant_ms))
        loaded = load_scenario(find_scenario("hello"))
        pairs = alternate(lab, names, lambda target: lab.run(target, loaded).record, words.rounds)
    missed = [show(pairs, column, words.plant_ms) for column in COLUMNS]
    every = [record.cpu_ns["start.runtime"] for pair in pairs for record in pair.values()]
    print(
        f"start.runtime is a multiple of 10 ms in {sum(not value % TICK_NS for value in every)} of {len(every)} boots"
    )
    sys.exit(missed[0])


def show(pairs: list[dict[int, Record]], column: str, plant_ms: int) -> bool:
    """Print one column. Returns whether it does not show the planted time."""
    found = surplus(pairs, column, plant_ms)
    low, high = (found.interval.low, found.interval.high) if found.interval else (float("nan"), float("nan"))
    print(f"{column}: {plant_ms} ms planted, {found.value:.2f} ms [{low:.2f}, {high:.2f}] found, {len(pairs)} pairs")
    return not (0 < low <= plant_ms <= high)


if __name__ == "__main__":
    main()
