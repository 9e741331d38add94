"""Which tests run in the same worker, where tests run in several."""

from __future__ import annotations

from typing import Any, Final

from xdist.scheduler import LoadFileScheduling

FLEET: Final = (
    "tests/unit/cli/test_docs_fleet.py",
    "tests/unit/cli/test_simulate_fleet.py",
    "tests/unit/sim/fleet/",
    "tests/unit/sim/test_theory_pool.py",
)
"""Tests that call the compiled kernels of fleets. These take half a minute to compile, which one worker does once."""


SLOW: Final = (
    "fleets",
    "tests/unit/sim/sweep/test_cluster.py",
    "tests/unit/render/test_page_script.py",
    "tests/unit/render/test_pages_in_browser.py",
    "tests/unit/deck/test_deck_in_browser.py",
    "tests/unit/gallery/",
    "tests/contract/test_toy_target.py",
    "tests/unit/project/",
    "tests/unit/sim/fit/",
    "tests/unit/agent/",
)
"""Scopes with few tests that take long, by how they begin. Handed out last, one of them would run alone at the end."""


def scope(nodeid: str) -> str:
    """What runs together with a test: its file, whose fixtures it shares, or all tests of fleets."""
    return "fleets" if nodeid.startswith(FLEET) else nodeid.partition("::")[0]


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """Hands out tests by their scope."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        slow = next((name for name in self.workqueue if name.startswith(SLOW)), None)
        if slow is not None:
            self.workqueue.move_to_end(slow, last=False)
        super()._assign_work_unit(node)
