"""Whether a sync in the box reaches the host's disk. The host's counters are read before and after the agent syncs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.probes.disk import disks_are_cached, host_disks
from bench.records.record import Flush
from bench.util.units import decode_number

SYNCS: Final = 3
_PATIENCE_S: Final = 30.0
_BACKGROUND_S: Final = (0.01, 0.25)
"""The shortest and the longest time for which the host's own flushes are counted."""


def probe_flush(channel: Channel, timeline: Timeline, guest_disk: Callable[[], Mapping[str, int]]) -> Flush | None:
    """Let the agent write and sync a file. None when it does not answer.

    Args:
        guest_disk: reads the VMM's counters, see ``bench.targets.base.Box.guest_disk``.
    """
    before, host_before, begun_ns = guest_disk(), host_disks(), timeline.clock.now_ns()
    channel.send(f"flush {SYNCS}")

    def answered() -> bool:
        return "flushes" in timeline.facts or timeline.exit is not None

    timeline.wait_for(answered, timeout_s=_PATIENCE_S)
    took_s = (timeline.clock.now_ns() - begun_ns) / 1e9
    after, host_after = guest_disk(), host_disks()
    # Watch for the same time without a sync of ours, to count the flushes of other programs.
    least, most = _BACKGROUND_S
    timeline.clock.sleep(min(max(took_s, least), most))
    asked, took_ns = (decode_number(timeline.facts.get(key, "")) for key in ("flushes", "flush_ns"))
    if asked is None or took_ns is None:
        return None
    return Flush(
        asked=asked,
        took_ns=took_ns,
        vmm=_more(before, after),
        host=_more(host_before, host_after),
        background=_more(host_after, host_disks()),
        cached=disks_are_cached(),
    )


def _more(before: Mapping[str, int], after: Mapping[str, int]) -> int | None:
    return after["flushes"] - before["flushes"] if "flushes" in before and "flushes" in after else None
