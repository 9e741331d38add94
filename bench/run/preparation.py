"""How far preparation is, and what it took: a live line, a last line, and an entry of the manifest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from bench.cache.kinds import KINDS
from bench.records.manifest import PreparationEntry, PreparationPart, PreparationStep
from bench.util.clock import Clock, MonotonicClock
from bench.util.steps import Step, Steps, Use, Whom, done_bytes
from bench.util.threads import WatchedThread
from bench.util.units import format_bytes, format_ns

_EVERY_S: Final = 0.5
_SHOWN_FROM_NS: Final = 10**8
"""Shorter steps are left out of the last line."""
_SHOWN_FROM_BYTES: Final = 2**20
"""Fewer bytes tell nothing about a time: they are those of an answer, not of what was read for it."""
_WORDS: Final = {
    "tar": "export",
    "tree": "unpack",
    "saved": "archive",
    "layers": "layer sizes",
    "base": "base image",
    "kernel": "guest kernel",
    "system": "whole system",
    "engine-disk": "disk of an engine",
    "packed": "pack",
    "module": "guest modules",
    "vmlinux": "unpack the kernel",
    "initramfs-conf": "initramfs",
    "conf-disk": "disk of settings",
    "agent": "compile the agent",
    "accel": "check of the accelerator",
    "payload": "check of the accelerator",
    "smoke-test": "trial of the target",
}
"""Words for kinds of cache entries whose names are not plain."""
_ANSWERS: Final = frozenset(kind.name for kind in KINDS.values() if kind.small) - {"accel", "smoke-test"}
"""Kinds of entries that no box is made of: digests, sizes and the like. A check of the host is part of the wait."""

Say = Callable[[str], None]


class Preparation:
    """The time and the steps of one preparation."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or MonotonicClock()
        self.steps = Steps(self.clock)
        self._begun_ns = self.clock.now_ns()
        self._took_ns: int | None = None

    @contextmanager
    def shown(self, say: Say) -> Iterator[None]:
        """Note the steps of the block, and show how far those are whose bytes are known.

        Args:
            say: gets an indented line, which a log leaves out, twice a second and from another thread.
        """
        ended = threading.Event()

        def tell() -> None:
            while not ended.wait(_EVERY_S):
                lines = [_running(one, self.clock.now_ns()) for one in self.steps.running() if one.measure is not None]
                if lines:
                    say("  " + ", ".join(lines))

        teller = WatchedThread(tell, name="preparation")
        teller.start()
        try:
            with self.steps.noted():
                yield
        finally:
            ended.set()
            teller.join()
            self._took_ns = self.clock.now_ns() - self._begun_ns

    def entry(self) -> PreparationEntry:
        """The steps by name, in the order in which they began first, as the manifest stores them."""
        steps: dict[str, PreparationStep] = {}
        for one in self.steps.all:
            name = _WORDS.get(one.name, one.name)
            before = steps.get(name, PreparationStep(name=name, took_ns=0))
            steps[name] = PreparationStep(
                name=name, took_ns=before.took_ns + one.took_ns, bytes=_sum(before.bytes, one.done_bytes)
            )
        return PreparationEntry(took_ns=self._took_ns or 0, steps=tuple(steps.values()), parts=self._parts())

    def _parts(self) -> tuple[PreparationPart, ...]:
        """What each target needed: the steps done for it, and the entries of the cache that it used.

        Only the entries have bytes: what a step without one has read or written is not kept by Boxbench.
        """
        parts: dict[tuple[Whom, str], PreparationPart] = {}
        made = {one.entry: one for one in self.steps.all if one.entry}
        for one in self.steps.all:
            if one.whom is not None and not one.entry:
                _add(parts, one.whom, one.name, self.steps.own_ns(one), None)
        for use in _once(self.steps.uses.values()):
            kind, maker = use.entry.partition("/")[0], made.get(use.entry)
            if kind not in _ANSWERS:
                _add(parts, use.whom, kind, None if maker is None else self.steps.own_ns(maker), use.bytes)
        return tuple(parts.values())


def _once(uses: Iterable[Use]) -> Iterator[Use]:
    """Each use unless a wider one has the entry: what all targets of a scenario share is not one target's own."""
    found = tuple(uses)
    shared = {(use.whom[0], use.entry) for use in found if not use.whom[1]}
    everywhere = {use.entry for use in found if not use.whom[1]}
    of_target = {(use.whom[1], use.entry) for use in found if not use.whom[0]}
    for use in found:
        scenario, target = use.whom
        has_wider = (scenario, use.entry) in shared or (target, use.entry) in of_target
        if not target or (use.entry not in everywhere if not scenario else not has_wider):
            yield use


def _add(
    parts: dict[tuple[Whom, str], PreparationPart], whom: Whom, kind: str, took_ns: int | None, size: int | None
) -> None:
    """Add a step, or with ``took_ns`` None something that was in the cache."""
    name = _WORDS.get(kind, kind)
    scenario, target = whom
    before = parts.get((whom, name), PreparationPart(scenario=scenario, target=target, name=name))
    parts[whom, name] = before.model_copy(
        update={
            "took_ns": _sum(before.took_ns, took_ns),
            "cached": before.cached + (took_ns is None),
            "bytes": _sum(before.bytes, size),
        }
    )


def _sum(*values: int | None) -> int | None:
    """The sum of what is known; None: nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def summary(entry: PreparationEntry) -> str:
    """``prepared in 41 s: build 12 s, export 9.1 s (1.9 GiB)``."""
    parts = [
        f"{one.name} {format_ns(one.took_ns)}"
        + (f" ({format_bytes(one.bytes)})" if one.bytes is not None and one.bytes >= _SHOWN_FROM_BYTES else "")
        for one in entry.steps
        if one.took_ns >= _SHOWN_FROM_NS
    ]
    return f"prepared in {format_ns(entry.took_ns)}" + (f": {', '.join(parts)}" if parts else "")


def _running(one: Step, now_ns: int) -> str:
    """``export: 310 MiB of 1.90 GiB, 45.0 MiB/s``."""
    name, done = _WORDS.get(one.name, one.name), done_bytes(one)
    if not done:
        return name
    of = f" of {format_bytes(one.total_bytes)}" if one.total_bytes is not None and one.total_bytes >= done else ""
    elapsed_ns = max(now_ns - one.begun_ns, 1)
    return f"{name}: {format_bytes(done)}{of}, {format_bytes(done * 10**9 / elapsed_ns)}/s"
