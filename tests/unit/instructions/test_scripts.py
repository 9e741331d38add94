"""Scripts of guests: the order of their directives, and containerd's calls."""

from __future__ import annotations

import pytest

from bench.agent.boxconf import BoxConfig
from bench.instructions.grpc import start_calls
from bench.instructions.model import STARTS
from bench.instructions.recipe import CountedImage
from bench.instructions.scripts import container_recipe, vm_recipe

CONFIG = BoxConfig(("/bin/x",), ("PATH=/bin",), "/", 0, 0, (0,), "", 15)


@pytest.mark.parametrize("target", ["process", "namespaces", "runc", "containerd", "docker", "docker-cli"])
def test_a_box_is_requested_and_awaited_as_often_as_there_are_starts(target: str) -> None:
    recipe = container_recipe(target, CountedImage(CONFIG, 2**27, "sha256:0"))
    verbs = [line.partition(" ")[0] for line in recipe.lines]
    assert verbs.count("request") == verbs.count("ready") == verbs.count("stop") == len(STARTS)
    for start in STARTS:
        at = recipe.lines.index(f"request {start}")
        # The guest settles immediately before the request, and nothing but the start comes after it.
        assert verbs[at - 1] == "sleep"
        assert set(verbs[at + 1 : verbs.index("ready", at)]) <= {"mount", "call", "go", "grpc", "http"}
    assert verbs[-1] == "finish"


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
