"""Records a campaign that contains a slowdown of known size. The studies of the gate replay it.

    python -m tests.studies.planted OUT [BLOCKS] [PER_CENT] [SEED]

``hello`` runs as process, docker and runc, and ``hello-slow`` on docker. The latter is the same image whose entrypoint
first counts to a number in a busy loop. To choose the number, a campaign of its own (OUT-sizing) first measures on the
same host how long ``hello`` takes to be ready in docker, and how much longer a box takes that counts to 200000.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench.cli.progress import make_progress
from bench.records.campaign import read_records
from bench.records.record import Endpoint
from bench.run.campaign import start_campaign
from bench.run.session import Request
from bench.scenario.model import LoadedScenario, load_scenario, narrowed
from bench.util.package_data import scenarios_dir

SLOW: Final = "hello-slow"
TRIAL_COUNT: Final = 200_000
SIZING_BLOCKS: Final = 12
TARGET: Final = "docker"
_LOOP: Final = "i=0; while [ $i -lt {count} ]; do i=$((i+1)); done; echo"


def slowed(directory: Path, count: int) -> LoadedScenario:
    """Write a scenario directory: ``hello`` with a busy loop before its first line."""
    source = scenarios_dir() / "hello"
    directory.mkdir(parents=True, exist_ok=True)
    dockerfile = (source / "Dockerfile").read_text(encoding="utf-8")
    (directory / "Dockerfile").write_text(dockerfile.replace("echo", _LOOP.format(count=count)), encoding="utf-8")
    text = (source / "scenario.yaml").read_text(encoding="utf-8").replace("name: hello", f"name: {SLOW}")
    text = text.replace("targets: [process, docker, libvirt]", f"targets: [{TARGET}]")
    (directory / "scenario.yaml").write_text(text, encoding="utf-8")
    return load_scenario(directory)


def run(out: Path, scenarios: Sequence[LoadedScenario], *, blocks: int, seed: int) -> dict[str, list[float]]:
    """Run a campaign. Returns the ms until ready by cell."""
    request = Request(
        scenarios=tuple(narrowed(loaded, blocks=blocks) for loaded in scenarios),
        out=out,
        seed=seed,
        command=("python", "-m", "tests.studies.planted"),
    )
    from rich.console import Console

    with make_progress(Console(stderr=True)) as progress:
        start_campaign(request, progress)
    found: dict[str, list[float]] = {}
    for record in read_records(out):
        if record.outcome == "ok" and not record.trial.warmup:
            found.setdefault(record.trial.cell.key, []).append(record.endpoints_ns[Endpoint.READY] / 1e6)
    return found


def main(arguments: Sequence[str]) -> None:
    """Choose the size of the loop, record the campaign, and write ``planted.json`` into its directory."""
    out = Path(arguments[0])
    blocks, per_cent, seed = (int(word) for word in (*arguments[1:], *("60", "5", "7")[len(arguments) - 1 :]))
    hello = load_scenario(scenarios_dir() / "hello")
    sizing, slow_dir = out.with_name(out.name + "-sizing"), out.with_name(SLOW)
    quick = run(
        sizing, (narrowed(hello, targets=[TARGET]), slowed(slow_dir, TRIAL_COUNT)), blocks=SIZING_BLOCKS, seed=seed
    )
    plain, slow = median(quick[f"hello/{TARGET}"]), median(quick[f"{SLOW}/{TARGET}"])
    count = round(TRIAL_COUNT * plain * per_cent / 100 / (slow - plain))
    both = (narrowed(hello, targets=["process", "docker", "runc"]), slowed(slow_dir, count))
    times = run(out, both, blocks=blocks, seed=seed)
    ratio = median(times[f"{SLOW}/{TARGET}"]) / median(times[f"hello/{TARGET}"])
    facts = {
        "asked_per_cent": per_cent,
        "count": count,
        "sizing_ms": {"plain": plain, f"count {TRIAL_COUNT}": slow},
        "ratio_of_medians": ratio,
    }
    (out / "planted.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
