"""Fixtures of the attacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.attack.verdict import Ground, Judge, open_ground
from tests.live.command import Command


@pytest.fixture
def ground() -> Iterator[Ground]:
    """What an attack must not touch, in a directory that every user can enter."""
    with open_ground() as made:
        yield made


@pytest.fixture
def judge(boxbench: Command, ground: Ground) -> Judge:
    """The three checks at the end of every attack; made before it. The commands' environment has the secret."""
    boxbench.env["BOXBENCH_ATTACK_SECRET"] = ground.secret
    return Judge(boxbench, ground, boxbench.on_host())
