"""What the host is (facts, fingerprint), and what disturbed it during a trial (counters, doubts)."""

from bench.host.counters import Counters, Disturbance, difference, doubts, read_counters
from bench.host.facts import fingerprint, host_facts

__all__ = ["Counters", "Disturbance", "difference", "doubts", "fingerprint", "host_facts", "read_counters"]
