"""Policies of placement against plain searches, and first fit's tree against a loop."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bench.sim.engine.jit import pure
from bench.sim.fleet.build import new_state
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.hosts import open_host
from bench.sim.fleet.kernel.placement import find_host, first_fit, update_room
from bench.sim.fleet.spec import POLICIES, FleetSpec, Policy
from tests.fleets import INSTANT, PAGE


@pytest.mark.parametrize("hosts", [1, 2, 3, 17, 64])
def test_first_fit_by_the_tree_is_the_first_that_fits(hosts: int) -> None:
    chance = random.Random(hosts)
    leaves = 1 << max(0, hosts - 1).bit_length()
    for _ in range(100):
        free = [chance.randrange(-1, 20) for _ in range(hosts)]
        m = np.zeros(c.SCALARS + 2 * leaves, dtype=np.int64)
        m[c.ROOM_AT], m[c.LEAVES] = c.SCALARS, leaves
        room = m[c.SCALARS :]
        room[leaves:] = -1
        room[leaves : leaves + hosts] = free
        for place in range(leaves - 1, 0, -1):
            room[place] = max(room[2 * place], room[2 * place + 1])
        for pages in (1, 5, 19, 20):
            naive = next((at for at, room_of in enumerate(free) if room_of >= pages), None)
            if naive is None:
                assert room[1] < pages
            else:
                assert pure(first_fit)(m.tolist(), pages) == naive


def _naive(policy: Policy, free: list[int], boxes: list[int], pages: int) -> int:
    fitting = [at for at, room in enumerate(free) if room >= pages]
    if not fitting:
        return c.NONE
    if policy == "first-fit":
        return fitting[0]
    if policy == "best-fit":
        return min(fitting, key=lambda at: (free[at], at))
    if policy == "spread":
        return min(fitting, key=lambda at: (boxes[at], at))
    return max(fitting, key=lambda at: (boxes[at], at))


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_finds_what_a_plain_search_finds(policy: Policy) -> None:
    chance = random.Random(9)
    hosts, capacity, most = 13, 40, 6
    spec = FleetSpec(hosts=hosts, cpus=1, memory_bytes=capacity * PAGE, policy=policy, box_limit=most)
    state = new_state(
        spec, INSTANT, np.array([1]), length_ns=1, seed=1, noise=False, label="docker", invocations=lambda: 1
    )
    m = state.m.tolist()
    while m[c.OPEN_AT_FIRST]:
        pure(open_host)(m)
    free, boxes, up = [capacity] * hosts, [0] * hosts, [True] * hosts
    lives: list[tuple[int, int]] = []
    for _ in range(600):
        pages = chance.randrange(1, 16)
        room = [free[at] if up[at] and boxes[at] < most else -1 for at in range(hosts)]
        found = pure(find_host)(m, pages)
        assert found == _naive(policy, room, boxes, pages)
        action = chance.random()
        if found != c.NONE and action < 0.6:
            lives.append((found, pages))
            changed, by, count = found, -pages, 1
        elif lives and action < 0.95:
            changed, by = lives.pop(chance.randrange(len(lives)))
            count = -1
        else:
            changed, by, count = chance.randrange(hosts), 0, 0
            up[changed] = not up[changed]
            m[m[c.HOST_AT] + changed * c.HOST_COLUMNS + c.HOST_STATE] = c.ON if up[changed] else c.DOWN
        free[changed] += by
        boxes[changed] += count
        m[m[c.HOST_AT] + changed * c.HOST_COLUMNS + c.FREE_PAGES] += by
        m[m[c.HOST_AT] + changed * c.HOST_COLUMNS + c.BOXES] += count
        pure(update_room)(m, changed)
