"""The host: its facts and fingerprint, its counters, memory, mounts, processes, control groups and kernel trace."""

from bench.host.counters import Counters, Disturbance, difference, doubts, read_counters
from bench.host.facts import boot_mark, fingerprint, host_facts

__all__ = [
    "Counters",
    "Disturbance",
    "boot_mark",
    "difference",
    "doubts",
    "fingerprint",
    "host_facts",
    "read_counters",
]
