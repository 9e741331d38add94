"""The scenario hello, prepared for measuring what Boxbench itself costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.host.campaign_lock import only_campaign_on_host
from bench.host.run_directory import campaign_dir, campaign_tag
from bench.plan.trials import Cell
from bench.records.manifest import new_campaign_id
from bench.run.box import Setting
from bench.run.cleanup import find_leftovers, remove_leftovers
from bench.run.prepare import prepare
from bench.scenario.model import load_scenario, narrowed
from bench.util.package_data import find_scenario


@contextmanager
def hello_cells(targets: Sequence[str]) -> Iterator[dict[Cell, Setting]]:
    """The setting of each target's cell. At the end nothing of the boxes is left."""
    loaded = narrowed(load_scenario(find_scenario("hello")), targets=list(targets))
    identity = new_campaign_id()
    with only_campaign_on_host():
        campaign_dir(identity).mkdir(parents=True)
        try:
            with prepare(identity, [loaded], accel="auto", skip_unavailable=False, say=lambda _text: None) as prepared:
                wanted = {spec.label for spec in loaded.scenario.targets}
                yield {cell: setting for cell, setting in prepared.settings.items() if cell.target in wanted}
        finally:
            remove_leftovers(find_leftovers(campaign_tag(identity)))
