"""On which host a box starts: first fit by a tree over free memory, the other policies by an order of hosts."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers, State


@compiled
def update_room(state: State, host: int) -> None:
    """Call when a host's memory, boxes or state have changed."""
    row, setting, room = state.host[host], state.setting, state.room
    open_to_boxes = row[c.HOST_STATE] == c.ON and row[c.BOXES] < setting[c.BOX_LIMIT]
    free = row[c.FREE_PAGES] if open_to_boxes else -1
    place = host + len(room) // 2
    if room[place] != free:
        room[place] = free
        while place > 1:
            place //= 2
            room[place] = max(room[2 * place], room[2 * place + 1])
    if setting[c.POLICY] == c.BEST_FIT:
        _move(state, host, free)
    elif setting[c.POLICY] != c.FIRST_FIT:
        _move(state, host, row[c.BOXES])


@compiled
def find_host(state: State, pages: int) -> int:
    """The policy's host for a box of so many pages; NONE: no host has room."""
    if state.room[1] < pages:
        return c.NONE
    policy = state.setting[c.POLICY]
    if policy == c.FIRST_FIT:
        return first_fit(state.room, pages)
    if policy == c.BEST_FIT:
        return _best_fit(state, pages)
    return _by_boxes(state, pages, fewest=policy == c.SPREAD)


@compiled
def first_fit(room: Integers, pages: int) -> int:
    """The first host with room, when there is one."""
    leaves = len(room) // 2
    place = 1
    while place < leaves:
        place *= 2
        if room[place] < pages:
            place += 1
    return place - leaves


@compiled
def _best_fit(state: State, pages: int) -> int:
    """The host with the least memory that is enough; the first of equal ones."""
    order, key = state.order, state.key
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        if key[order[middle]] < pages:
            low = middle + 1
        else:
            high = middle
    return int(order[low])


@compiled
def _by_boxes(state: State, pages: int, fewest: bool) -> int:
    """The host with the fewest, or the most, boxes among those with room; the first, or last, of equal ones."""
    order, room = state.order, state.room
    leaves, hosts = len(room) // 2, len(order)
    for step in range(hosts):
        host = order[step if fewest else hosts - 1 - step]
        if room[leaves + host] >= pages:
            return int(host)
    return c.NONE


@compiled
def _move(state: State, host: int, value: int) -> None:
    """Give a host its new key, and move it to its place in the order."""
    order, place, key = state.order, state.place, state.key
    key[host] = value
    at = place[host]
    while at > 0 and _behind(key, order[at - 1], host):
        order[at] = order[at - 1]
        place[order[at]] = at
        at -= 1
    while at + 1 < len(order) and _behind(key, host, order[at + 1]):
        order[at] = order[at + 1]
        place[order[at]] = at
        at += 1
    order[at] = host
    place[host] = at


@compiled
def _behind(key: Integers, one: int, other: int) -> bool:
    """Whether one host comes after the other."""
    return bool(key[one] > key[other] or (key[one] == key[other] and one > other))
