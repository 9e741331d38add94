"""Inspect idle boxes: the facts that the agent sees inside, and the digest of its file system tree.

An inspection boots the scenario's image once, with the agent's own idle workload instead of the real one: files that a
server writes after its start must not count as a difference of the image. Everything else is as in the trials. Only
root can read the whole tree, so where an engine starts the agent as another user, a second boot reads the tree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from bench.agent.compile import agent_binary
from bench.certificate.facts import canonical_env, canonical_words
from bench.certificate.judge import judge
from bench.host import fingerprint, host_facts
from bench.image.model import Image
from bench.plan.trials import Cell
from bench.records.certificate import Certificate
from bench.run.box import Setting
from bench.run.inspections import Inspections, Wanted
from bench.run.prepare import Prepared
from bench.scenario.allowed_differences import FactName
from bench.scenario.model import Scenario
from bench.scenario.secret_names import secret_values
from bench.scenario.target_table import has_own_kernel
from bench.targets.first_start.target import Arrives
from bench.util import cache
from bench.util.tree import remove_tree, walk_tree

RECIPE: Final = "2"
"""Part of the cache key: raise it when an inspection reads something else."""
# Trial numbers far above any plan's, so that no inspection is mistaken for a trial.
FIRST_NUMBER: Final = 900_000

Say = Callable[[str], None]


def certify(
    prepared: Prepared, scenarios: Sequence[Scenario], say: Say, *, fresh: bool = False
) -> dict[str, Certificate]:
    """Certify every prepared scenario; returns the certificates by scenario.

    Args:
        fresh: inspect every box now, also one whose inspection is in the cache.
        say: called with a sentence for each box that is inspected.

    Raises:
        NotReadyError: a box did not become ready, or its agent did not answer.
    """
    host = fingerprint(host_facts())
    numbers = iter(range(FIRST_NUMBER, FIRST_NUMBER + 2 * len(prepared.settings)))
    return {scenario.name: _certificate(prepared, scenario, host, numbers, say, fresh=fresh) for scenario in scenarios}


def _certificate(
    prepared: Prepared, scenario: Scenario, host: str, numbers: Iterator[int], say: Say, *, fresh: bool
) -> Certificate:
    settings = one_per_box(prepared.settings, scenario.name)
    # The boxes of a scenario have one image, and a look at each file of its tree takes seconds.
    kinds = {has_own_kernel(setting.target.name): setting.image for setting in settings.values()}
    states = {has_disk: _state(image, has_disk=has_disk) for has_disk, image in kinds.items()}
    wanted = []
    for cell, setting in settings.items():
        state = states[has_own_kernel(setting.target.name)]
        if isinstance(setting.target, Arrives):
            resources, ready = setting.scenario.resources, setting.scenario.ready
            state = cache.content_key(*setting.target.travels(setting.image, resources, ready))
        key = inspection_key(cell, setting, prepared.descriptions[cell.box], host, state)
        if fresh:
            remove_tree(cache.cache_dir() / "inspection" / key)
        wanted.append(Wanted(cell, setting, key))
    found = Inspections(wanted, numbers, say).all()
    inspections = [found[cell] for cell in settings]
    return judge(scenario.name, inspections, asked_of(next(iter(settings.values()))), scenario.allowed_differences)


def one_per_box(settings: Mapping[Cell, Setting], scenario: str) -> dict[Cell, Setting]:
    """The first cell of every box of a scenario: most levels of factors change how often boxes run, not what runs.

    A box of a first start boots what came over its link, so it counts as another box. The resources of other levels
    are checked by the facts of every trial.
    """
    found: dict[str, Cell] = {}
    for cell in settings:
        if cell.scenario == scenario:
            found.setdefault(cell.certified_as, cell)
    return {cell: settings[cell] for cell in found.values()}


def asked_of(setting: Setting) -> dict[FactName, str]:
    """What every box of a scenario should show, in the canonical forms of a certificate."""
    image, resources = setting.image, setting.scenario.resources
    config = image.config
    return {
        "digest": image.digest,
        "argv": canonical_words(config.argv, secret_values(config.env)),
        "env": canonical_env(config.env),
        "uid": str(config.uid),
        "gid": str(config.gid),
        "groups": " ".join(map(str, sorted(set(config.groups)))),
        "cwd": config.cwd,
        "cpus": str(resources.cpus),
        "memory": f"limit {resources.memory}",
    }


def inspection_key(cell: Cell, setting: Setting, description: dict[str, str], host: str, state: str) -> str:
    """A cache key from all that an inspection depends on: image, agent, target, accelerator, resources, host.

    Args:
        state: of the tree or the disks that the box runs from, see ``_state``, or of what travels for it.
    """
    image, scenario = setting.image, setting.scenario
    return cache.content_key(
        RECIPE,
        host,
        cell.box,
        json.dumps(description, sort_keys=True),
        image.digest,
        image.content,
        image.id,
        repr(image.config),
        # Inspections that older versions kept have secret values in other facts.
        *(["hidden"] if secret_values(image.config.env) else ()),
        agent_binary().name,
        scenario.resources.model_dump_json(),
        str("digest" in scenario.allowed_differences),
        state,
    )


def _state(image: Image, *, has_disk: bool) -> str:
    """When the tree that boxes run was last changed, so that no cached inspection outlives such a change.

    A change of content, mode or owner updates the change time (ctime), which no program can set back. For guests it is
    the change times of the disks they boot. 0 where there is no tree of ours: engines keep their own.
    """
    top = cache.cache_dir() / ("disk" if has_disk else f"tree/{image.content}")
    if has_disk:
        disks = sorted(disk for disk in top.glob("*/disk.raw") if not disk.parent.name.startswith("."))
        return cache.content_key(*(f"{disk.parent.name} {disk.stat().st_ctime_ns}" for disk in disks))
    return str(max((found.st_ctime_ns for found in walk_tree(top)), default=0) if top.is_dir() else 0)
