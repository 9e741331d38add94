"""What a storm used: CPU time of all boxes and of what serves them, and the memory and disk space of one box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.host.cgroup import engine_account
from bench.probes.cpu import CpuReading, children_cpu_ns, cpu_between, read_cpu
from bench.records.component import Component
from bench.run.box import Setting
from bench.run.many import mean_of
from bench.run.storm.box import StormBox


class StormUse:
    """Reads the counters of engine, daemons and host when it is made, just before the first request."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._account = engine_account(setting.daemons.values())
        self._before = self._read()
        self.cpu_ns: dict[str, int] = {}
        """Of the whole storm, as the record has it."""
        self.memory_bytes: dict[str, int] = {}
        """Of one box, the mean over all; so is ``disk_bytes``."""
        self.disk_bytes: dict[str, int] = {}

    def end(self, boxes: Sequence[StormBox]) -> None:
        """Read them again and what each box used, when all have settled; then let the boxes rest, as single ones do.

        The engine is asked for the boxes' processes, which is work for it, only after its counters were read. Memory
        and disk space are read after the rest. Nothing is kept unless every box was up: boxes that failed use less,
        and would make a storm look cheaper.
        """
        after = self._read()
        for box in boxes:
            box.read_use()
        self._setting.clock.sleep(self._setting.scenario.design.settle / 1e9)
        for box in boxes:
            box.read_space()
        if not all(box.values.cpu_ns for box in boxes):
            return
        shims = {str(pid): pid for box in boxes for pid in box.values.processes.get(Component.SHIM, ())}
        children = sum(children_cpu_ns(shims).values())
        after = replace(after, box=_sums(boxes), children={**after.children, Component.SHIM: children})
        used = cpu_between(self._before, after) | {"window": after.at_ns - self._before.at_ns}
        self.cpu_ns = {f"start.{name}": value for name, value in used.items()}
        self.memory_bytes = mean_of([box.values.memory_bytes for box in boxes])
        self.disk_bytes = mean_of([box.values.disk_bytes for box in boxes])

    def _read(self) -> CpuReading:
        now_ns = self._setting.clock.now_ns()
        return read_cpu(now_ns, box={}, daemons=self._setting.daemons, account=self._account)


def _sums(boxes: Sequence[StormBox]) -> dict[str, int]:
    """CPU time by component, ns, over all boxes, without their totals."""
    names = {name for box in boxes for name in box.values.cpu_ns} - {Component.TOTAL}
    return {name: sum(box.values.cpu_ns.get(name, 0) for box in boxes) for name in sorted(names)}
