"""What a counting guest writes to its console about one start."""

from __future__ import annotations

from typing import Final

REPORT: Final = """\
mark init 1000
clock 1100 100
request first
mark requested 5000
mark start_returned 7000
waited 40
agent BB1 mark init 4500
agent BB1 fact env.PATH /bin
agent BB1 mark ready 5500
clock 9000 8010
ready
finished
"""
