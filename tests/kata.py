"""A file of limits as kata-containers writes them."""

from __future__ import annotations

from typing import Final

KATA: Final = """\
[[metric]]
name = "boot-times"
type = "json"
description = "measure container lifecycle timings"
checkvar = ".\\"boot-times\\".Results | .[] | .\\"to-workload\\".Result"
checktype = "mean"
midval = 0.6
minpercent = 15.0
maxpercent = 20.0

[[metric]]
name = "memory-footprint"
type = "json"
checkvar = ".\\"memory-footprint\\".Results | .[] | .average.Result"
minval = 1000.0
maxval = 2000.0

[[metric]]
name = "blogbench"
checkvar = ".\\"blogbench\\".Results | .[] | .write.Result"
midval = 600.0
minpercent = 15.0
maxpercent = 15.0
"""
"""Limits in kata's format. Boxbench measures nothing like the last one."""
