"""What every metric means, by families of names, for the reference: name, meaning, and the chapter of METHOD."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from bench.analysis.metrics import EXERCISE_OWN, bigger_is_better
from bench.records.record import Endpoint


class Family(NamedTuple):
    """Metrics whose names differ in one part alone."""

    name: str
    """A name, with words in capitals for the parts that differ: those of PARTS."""
    meaning: str
    chapter: int
    """Of METHOD."""

    @property
    def better(self) -> str:
        """``less``, ``more``, or ``neither``: which way is better."""
        if self.name in _NEITHER:
            return "neither"
        return "more" if bigger_is_better(self.name) else "less"

    @property
    def pattern(self) -> str:
        """A regular expression that the names match."""
        return re.sub("[A-Z]+", lambda match: PARTS[match[0]], re.escape(self.name))


PARTS: Final = {
    "ENDPOINT": f"(?:{'|'.join(Endpoint)})",
    "FROM": f"(?:{'|'.join(Endpoint)})",
    "TO": f"(?:{'|'.join(Endpoint)})",
    "COMPONENT": r"(?:daemon\.[\w-]+|threads\.\w+|[\w-]+)",
    "SHARE": r"(?:first|all|p\d+)",
    "FIELD": r"\w+",
    "DAEMON": r"[\w-]+",
    "VALUE": r"[\w.-]+",
}
"""By placeholder, what may stand in its place."""
_NEITHER: Final = {*EXERCISE_OWN, "exercise.own_FIELD_ns", "exercise.VALUE"}
"""They describe a run, and are neither good nor bad."""

FAMILIES: Final = (
    Family("endpoint.ENDPOINT_ns", "from the request to this instant; of a storm: for half of its boxes", 3),
    Family("phase.FROM-TO_ns", "from one endpoint to the next one of the cell", 3),
    Family("storm.ENDPOINT.SHARE_ns", "the time by which this share of a storm's boxes had passed the endpoint", 12),
    Family("storm.lateness_ns", "how much later than scheduled the latest request of a storm left", 12),
    Family("arrival.fetch_ns", "first start on a fresh host: until the last byte of the image has come", 6),
    Family("arrival.unpack_ns", "from there until the image is unpacked", 6),
    Family("arrival.start_ns", "from there until ready, or the first reply", 6),
    Family("memory.pss.COMPONENT_bytes", "proportional set size: a shared page is divided among those that map it", 4),
    Family("memory.uss.COMPONENT_bytes", "unique set size: what would be freed if the process ended", 4),
    Family("memory.cgroup.FIELD_bytes", "the kernel's own account of the box's control group", 4),
    Family("memory.daemon.DAEMON_bytes", "PSS of an engine's daemon: once per host, not per box", 4),
    Family("memory.guest.total_bytes", "memory that the guest's kernel has", 4),
    Family("memory.guest.available_bytes", "memory that the guest has left for programs", 4),
    Family("memory.start.peak_bytes", "the largest memory from the request to ready", 8),
    Family("memory.samples.peak_bytes", "the largest memory from ready to stop, sampled", 8),
    Family("memory.samples.mean_bytes", "the mean memory from ready to stop, sampled", 8),
    Family("ledger.added_bytes", "what the host used more with all boxes of the trial, without what others took", 5),
    Family("ledger.reclaimable_bytes", "the part of it that the kernel gives back when it needs memory", 5),
    Family("ledger.unreclaimable_bytes", "the rest: what the boxes hold", 5),
    Family("ledger.anon.COMPONENT_bytes", "what is held by this component of the boxes", 5),
    Family("ledger.daemon.DAEMON_bytes", "what is held by this daemon, beyond what it had before the first box", 5),
    Family("ledger.harness_bytes", "what is held by Boxbench itself", 5),
    Family("ledger.kernel_bytes", "what is held by the kernel: slab, page tables, stacks, per-CPU memory, vmalloc", 5),
    Family("ledger.shmem_bytes", "what is held as shared memory", 5),
    Family("ledger.unexplained_bytes", "what is held by none of these: the ledger's error", 5),
    Family("ledger.not_released_bytes", "what the host still used after all boxes were gone, page cache included", 5),
    Family("ledger.others_bytes", "what other programs took meanwhile, or gave back", 5),
    Family("ledger.available_bytes", "what the kernel believes new programs lost", 5),
    Family("ledger.fixed.DAEMON_bytes", "PSS of a daemon before the first box; of a simulated trial `once`", 5),
    Family("cpu.start.COMPONENT_ns", "CPU time of the host from the request to ready", 7),
    Family("cpu.stop.COMPONENT_ns", "CPU time of the host from the request to stop until the box is gone", 7),
    Family("cpu.lifetime.COMPONENT_ns", "CPU time of the host from the request until the box is gone", 7),
    Family("cpu.idle.COMPONENT_ns", "CPU time of the host per minute in which the ready box is left alone", 7),
    Family("cpu.exercise.COMPONENT_ns", "CPU time of the host during the exercise", 10),
    Family("cpu.until.ENDPOINT_ns", "CPU time of the box's own processes until this mark of its agent", 7),
    Family("wait.start.throttled_ns", "time until ready in which the box waited for its own CPU limit", 11),
    Family("wait.start.queue.COMPONENT_ns", "time until ready in which threads were ready to run and had no CPU", 11),
    Family("disk.box.allocated_bytes", "disk blocks that belong to this box alone when it is ready", 9),
    Family("disk.box.at_stop_bytes", "the same just before the box is asked to stop", 9),
    Family("disk.box.written_bytes", "what its processes wrote to files; it may still be in memory", 9),
    Family("disk.box.read_bytes", "what the host's disks read for its processes until the stop", 9),
    Family("disk.box.read_until_ready_bytes", "what the host's disks read for its processes until ready", 9),
    Family("disk.guest.written_bytes", "what the guest wrote to its virtual disk", 9),
    Family("disk.guest.read_bytes", "what the guest read from its virtual disk", 9),
    Family("disk.host.written_bytes", "what all disks of the host wrote, whoever asked", 9),
    Family("disk.host.read_bytes", "what all disks of the host read, whoever asked", 9),
    Family("disk.host.read_until_ready_bytes", "what all disks of the host read until ready", 9),
    Family("disk.write_amplification", "bytes to the host's disks per byte that the box wrote", 9),
    Family("disk.flush.sync_ns", "how long one sync of a page took in the box", 9),
    Family("disk.arrival.travelled_bytes", "first start on a fresh host: what came over the link", 6),
    Family("disk.arrival.written_bytes", "what all that brings the image wrote to files", 6),
    Family("disk.arrival.kept_bytes", "disk blocks that the image takes afterwards", 6),
    Family("exercise.wall_ns", "how long the exercise took on the host's clock", 10),
    Family("exercise.guest_wall_ns", "the same on the box's clock", 10),
    Family("exercise.own_FIELD_ns", "CPU time of the exercise's own processes, as their kernel counted it", 10),
    Family("exercise.own_max_rss_bytes", "the largest resident set of the exercise's own processes", 10),
    Family("exercise.operations", "how many operations it did", 10),
    Family("exercise.cpu_per_operation_ns", "CPU time of the host per operation", 10),
    Family("exercise.VALUE_ns", "a time that the exercise's tool printed", 10),
    Family("exercise.VALUE_bytes", "a size that the exercise's tool printed", 10),
    Family("exercise.VALUE_bytes_per_s", "a rate that the exercise's tool printed", 10),
    Family("exercise.VALUE_per_s", "a rate that the exercise's tool printed", 10),
    Family("exercise.VALUE", "a number without a unit that the exercise's tool printed", 10),
    Family("instructions", "instructions that a start executes under the instruction clock; no time", 16),
)
"""Every family. A metric is of the first one that its name fits."""


def family_of(name: str, families: Iterable[Family] = FAMILIES) -> Family | None:
    """The family of a metric; None when it has none, as of another version."""
    return next((family for family in families if re.fullmatch(family.pattern, name)), None)
