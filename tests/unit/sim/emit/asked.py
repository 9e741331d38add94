"""Small scenarios, requests and a display, for tests of campaigns for which no box runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.scenario.model import LoadedScenario, load_scenario
from bench.sim.emit.emission import EmitRequest


def scenario_file(directory: Path, *lines: str, name: str = "made", blocks: int = 5, timeout: str = "60s") -> Path:
    """A scenario without an image that could be built; ``lines`` are further lines of its file."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Dockerfile").write_text("FROM scratch\n")
    text = [
        "question: How long until a made up box is ready?",
        f"name: {name}",
        f"ready: {{when: first-line, timeout: {timeout}}}",
        "targets: [process, docker, libvirt]",
        f"design: {{blocks: {blocks}, warmups: 1}}",
        *lines,
    ]
    file = directory / "scenario.yaml"
    file.write_text("\n".join(text) + "\n")
    return file


def load_small(directory: Path, *lines: str, **more: Any) -> LoadedScenario:
    """The scenario of ``scenario_file``."""
    return load_scenario(scenario_file(directory, *lines, **more))


def make_request(out: Path, *scenarios: LoadedScenario, seed: int = 7, given: str = "model.json") -> EmitRequest:
    """A request for a campaign in ``out``."""
    return EmitRequest(scenarios=scenarios, out=out, seed=seed, given=given, command=("boxbench", "run"))


class Unwatched:
    """A display that shows nothing."""

    def plan(self, trials: object, total: int) -> None:
        """Nothing."""

    def begin(self, trial: object) -> None:
        """Nothing."""

    def end(self, record: object) -> None:
        """Nothing."""
