"""Is this host fit for measuring? One check per question, each with what was found and what to do about it."""

from bench.doctor.check import Check, Host, Status
from bench.doctor.diagnose import diagnose, unfit

__all__ = ["Check", "Host", "Status", "diagnose", "unfit"]
