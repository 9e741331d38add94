"""``boxbench cache``: what a campaign leaves is pruned, and the next one makes it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from bench.util.errors import ExitCode
from tests.lab import write_scenario
from tests.live.command import Command, linked_cache
from tests.live.test_campaign import DOCKERFILE

_SLOW: Final = ("base", "agent")
"""Kinds that the session has, and whose making is tested elsewhere."""


def _own_cache(directory: Path) -> dict[str, str]:
    """Variables for runs with a cache of their own."""
    linked_cache(directory, *_SLOW)
    return {"DOCKER_HOST": "", "BOXBENCH_CACHE": str(directory)}


def _shown(boxbench: Command, env: dict[str, str]) -> dict[str, Any]:
    result = boxbench("cache", "show", "--json", env=env)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    shown = json.loads(result.text)
    assert shown["size_bytes"] == sum(kind["size_bytes"] for kind in shown["kinds"])
    return {"size_bytes": shown["size_bytes"]} | {kind["kind"]: kind for kind in shown["kinds"]}


def _ran(boxbench: Command, scenario: Path, out: str, env: dict[str, str]) -> str:
    result = boxbench("run", scenario, "-t", "docker", "-b", "1", "-o", out, env=env)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    lines = (boxbench.cwd / out / "records.jsonl").read_text().splitlines()
    assert {json.loads(line)["outcome"] for line in lines} == {"ok"}
    return result.stderr.decode()


def test_a_cache_is_brought_below_a_size_and_the_next_run_works(boxbench: Command, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "made", DOCKERFILE, name="made").parent
    env = _own_cache(tmp_path / "cache")
    said = _ran(boxbench, scenario, "first", env)
    assert "cache below" not in said
    full = _shown(boxbench, env)
    assert {"tar", "tree", "docker", "digest"} <= set(full)
    images = {entry["name"] for entry in full["docker"]["entries"]}
    assert {"boxbench/made:workload", "boxbench/base-busybox:latest"} <= images
    pruned = boxbench("cache", "prune", "--max-size", "1MiB", env=env)
    assert pruned.returncode == ExitCode.OK, pruned.stderr.decode()
    assert "removed docker boxbench/base-busybox:latest" in pruned.text
    left = _shown(boxbench, env)
    assert left["size_bytes"] <= 2**20 < full["size_bytes"]
    assert {"tar", "tree", "docker"}.isdisjoint(left), "layers that nothing needs were left"
    # Everything is made again. Nothing that this campaign needs goes, although the ceiling is lower.
    said = _ran(boxbench, scenario, "second", env | {"BOXBENCH_CACHE_MAX": "64KiB"})
    assert "above its ceiling of 64.0 KiB" in said
    assert {"tar", "tree", "docker"} <= set(_shown(boxbench, env))
