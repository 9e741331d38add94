"""On which host a box starts: first fit by a tree over free memory, the other policies by an order of hosts."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers


@compiled
def update_room(m: Integers, host: int) -> None:
    """Call when a host's memory, boxes or state have changed."""
    row = m[c.HOST_AT] + host * c.HOST_COLUMNS
    free = -1
    if m[row + c.HOST_STATE] == c.ON and m[row + c.BOXES] < m[c.BOX_LIMIT]:
        free = m[row + c.FREE_PAGES]
    _set_leaf(m, m[c.ROOM_AT], host + m[c.LEAVES], free)
    update_reach(m, host)
    if m[c.POLICY] == c.BEST_FIT:
        _move(m, host, free)
    elif m[c.POLICY] != c.FIRST_FIT:
        _move(m, host, m[row + c.BOXES])


@compiled
def update_reach(m: Integers, host: int) -> None:
    """Call when the idle boxes of a host have changed: what it could have free without them."""
    row = m[c.HOST_AT] + host * c.HOST_COLUMNS
    reach = -1
    if m[row + c.HOST_STATE] == c.ON and (m[row + c.BOXES] < m[c.BOX_LIMIT] or m[row + c.IDLE_PAGES] > 0):
        reach = m[row + c.FREE_PAGES] + m[row + c.IDLE_PAGES]
    _set_leaf(m, m[c.REACH_AT], host + m[c.LEAVES], reach)


@compiled
def _set_leaf(m: Integers, tree: int, place: int, value: int) -> None:
    """Write a leaf of a tree of largest values, and what changes above it."""
    if m[tree + place] == value:
        return
    m[tree + place] = value
    while place > 1:
        place //= 2
        most = max(m[tree + 2 * place], m[tree + 2 * place + 1])
        if m[tree + place] == most:
            return
        m[tree + place] = most


@compiled
def find_host(m: Integers, pages: int) -> int:
    """The policy's host for a box of so many pages; NONE: no host has room."""
    if m[m[c.ROOM_AT] + 1] < pages:
        return c.NONE
    policy = m[c.POLICY]
    if policy == c.FIRST_FIT:
        return first_fit(m, pages)
    if policy == c.BEST_FIT:
        return _best_fit(m, pages)
    return _by_boxes(m, pages, policy == c.SPREAD)


@compiled
def first_fit(m: Integers, pages: int) -> int:
    """The first host with room, when there is one."""
    room, leaves = m[c.ROOM_AT], m[c.LEAVES]
    place = 1
    while place < leaves:
        place *= 2
        if m[room + place] < pages:
            place += 1
    return int(place - leaves)


@compiled
def _best_fit(m: Integers, pages: int) -> int:
    """The host with the least memory that is enough; the first of equal ones."""
    order, key = m[c.ORDER_AT], m[c.KEY_AT]
    low, high = 0, m[c.HOSTS]
    while low < high:
        middle = (low + high) // 2
        if m[key + m[order + middle]] < pages:
            low = middle + 1
        else:
            high = middle
    return int(m[order + low])


@compiled
def _by_boxes(m: Integers, pages: int, fewest: bool) -> int:
    """The host with the fewest, or the most, boxes among those with room; the first, or last, of equal ones."""
    order, hosts = m[c.ORDER_AT], m[c.HOSTS]
    leaf = m[c.ROOM_AT] + m[c.LEAVES]
    for step in range(hosts):
        host = m[order + (step if fewest else hosts - 1 - step)]
        if m[leaf + host] >= pages:
            return int(host)
    return c.NONE


@compiled
def _move(m: Integers, host: int, value: int) -> None:
    """Give a host its new key, and move it to its place in the order."""
    order, place = m[c.ORDER_AT], m[c.PLACE_AT]
    m[m[c.KEY_AT] + host] = value
    at = m[place + host]
    while at > 0 and _behind(m, m[order + at - 1], host):
        m[order + at] = m[order + at - 1]
        m[place + m[order + at]] = at
        at -= 1
    while at + 1 < m[c.HOSTS] and _behind(m, host, m[order + at + 1]):
        m[order + at] = m[order + at + 1]
        m[place + m[order + at]] = at
        at += 1
    m[order + at] = host
    m[place + host] = at


@compiled
def _behind(m: Integers, one: int, other: int) -> bool:
    """Whether one host comes after the other."""
    first, second = m[m[c.KEY_AT] + one], m[m[c.KEY_AT] + other]
    return bool(first > second or (first == second and one > other))
