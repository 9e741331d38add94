"""Scripts of guests: the order of their directives, and containerd's calls."""

from __future__ import annotations

import pytest

from bench.agent.boxconf import BoxConfig
from bench.instructions.grpc import start_calls
from bench.instructions.model import STARTS
from bench.instructions.recipe import CountedImage
from bench.instructions.scripts import container_recipe, vm_recipe
from bench.instructions.variation import Variation

CONFIG = BoxConfig(("/bin/x",), ("PATH=/bin",), "/", 0, 0, (0,), "", 15)


@pytest.mark.parametrize("target", ["process", "namespaces", "runc", "containerd", "docker", "docker-cli"])
def test_a_box_is_requested_and_awaited_as_often_as_there_are_starts(target: str) -> None:
    recipe = container_recipe(target, CountedImage(CONFIG, 2**27, "sha256:0", Variation(1)))
    verbs = [line.partition(" ")[0] for line in recipe.lines]
    assert verbs.count("request") == verbs.count("ready") == verbs.count("stop") == len(STARTS)
    for start in STARTS:
        at = recipe.lines.index(f"request {start}")
        # The guest settles immediately before the request, and nothing but the start comes after it.
        assert verbs[at - 1] == "sleep"
        assert set(verbs[at + 1 : verbs.index("ready", at)]) <= {"mount", "call", "go", "grpc", "http"}
    assert verbs[-1] == "finish"


@pytest.mark.parametrize("target", ["process", "namespaces", "runc", "containerd", "docker", "docker-cli"])
def test_random_numbers_are_ready_before_a_program_needs_them(target: str) -> None:
    """Without it the first start of runc paid for the kernel's 1,000 million instructions, and docker's did not."""
    recipe = container_recipe(target, CountedImage(CONFIG, 2**27, "sha256:0", Variation(1)))
    verbs = [line.partition(" ")[0] for line in recipe.lines]
    assert set(verbs[: verbs.index("random")]).isdisjoint({"daemon", "call", "hold", "go", "request"})


@pytest.mark.parametrize(("target", "has"), [("docker", True), ("containerd", True), ("runc", False)])
def test_gos_collector_is_off_in_engines(target: str, has: bool) -> None:
    recipe = container_recipe(target, CountedImage(CONFIG, 2**27, "sha256:0", Variation(1)))
    before = recipe.lines[: next(i for i, line in enumerate(recipe.lines) if line.startswith(("daemon", "request")))]
    assert ("env GOGC%3Doff" in before or "env GOGC=off" in before) is has


def test_runs_differ_in_letters_and_random_numbers_only() -> None:
    scripts = [
        container_recipe("docker", CountedImage(CONFIG, 2**27, "sha256:0", Variation(1, n))).lines for n in (0, 1)
    ]
    changed = [pair for pair in zip(*scripts, strict=True) if pair[0] != pair[1]]
    assert [one.partition(" ")[0] for one, _ in changed] == ["random"]
    assert len({Variation(seed, n).letters for seed in (1, 2) for n in range(5)}) == 10
    assert {len(Variation(1, n).letters) for n in range(5)} == {64}
    assert Variation(1).padding == b""


def test_a_vm_is_requested_by_power_on() -> None:
    verbs = [line.partition(" ")[0] for line in vm_recipe().lines]
    assert verbs[-4:] == ["poweron", "daemon", "ready", "finish"]


def test_a_header_block_is_what_http2_reads() -> None:
    hpack = pytest.importorskip("hpack")
    calls = start_calls("first", image="i", parent="p", spec=b"{}", output="/out")
    assert [call.name for call in calls] == ["snapshot", "container", "task", "start"]
    decoded = dict(hpack.Decoder().decode(calls[0].head))
    assert decoded[":path"] == "/containerd.services.snapshots.v1.Snapshots/Prepare"
    assert decoded["containerd-namespace"] == "boxbench"
