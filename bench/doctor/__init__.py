"""Checks whether this host is fit for measuring. Each check reports a finding and, if needed, a fix."""

from bench.doctor.check import Check, Host, Status
from bench.doctor.diagnose import diagnose, unfit

__all__ = ["Check", "Host", "Status", "diagnose", "unfit"]
