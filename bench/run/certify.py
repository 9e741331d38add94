"""Inspect idle boxes: the facts that the agent sees inside, and the digest of its file system tree.

An inspection boots the scenario's image once, with the agent's own idle workload instead of the real one: files that a
server writes after its start must not count as a difference of the image. Everything else is as in the trials. Only
root can read the whole tree, so where an engine starts the agent as another user, a second boot reads the tree.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.agent.boxconf import encode_word
from bench.agent.channel import Channel
from bench.agent.compile import agent_binary
from bench.agent.timeline import Timeline
from bench.certificate.facts import IDLE, canonical_env, canonical_words
from bench.certificate.judge import judge
from bench.host import fingerprint, host_facts
from bench.image.archive import digest_exclusions
from bench.image.model import Image
from bench.plan.trials import Cell, Trial
from bench.records.certificate import Certificate, Inspection
from bench.records.record import Record
from bench.run.box import Setting
from bench.run.frame import TRACEBACK
from bench.run.prepare import Prepared
from bench.run.trial import run_trial
from bench.scenario.allowed_differences import FactName
from bench.scenario.model import ReadyFirstLine, Scenario
from bench.scenario.secret_names import secret_values
from bench.scenario.target_table import has_agent, has_own_kernel, target_info
from bench.util import cache
from bench.util.errors import NotReadyError
from bench.util.tree import remove_tree, walk_tree

RECIPE: Final = "2"
"""Part of the cache key: raise it when an inspection reads something else."""
NO_AGENT: Final = "no agent inside: nothing to compare"
# Trial numbers far above any plan's, so that no inspection is mistaken for a trial.
FIRST_NUMBER: Final = 900_000
# An emulated CPU hashes about 20 MB/s. A tenth of that allows for an overloaded host.
DIGEST_BYTES_PER_S: Final = 2_000_000
DIGEST_LEAST_S: Final = 60.0

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
    inspections = []
    settings = _one_per_box(prepared, scenario)
    # The boxes of a scenario have one image, and a look at each file of its tree takes seconds.
    kinds = {has_own_kernel(setting.target.name): setting.image for setting in settings.values()}
    states = {has_disk: _state(image, has_disk=has_disk) for has_disk, image in kinds.items()}
    for cell, setting in settings.items():
        state = states[has_own_kernel(setting.target.name)]
        key = inspection_key(cell, setting, prepared.descriptions[cell.box], host, state)
        if fresh:
            remove_tree(cache.cache_dir() / "inspection" / key)
        inspections.append(_cached(key, cell, setting, numbers, say))
    return judge(scenario.name, inspections, asked_of(next(iter(settings.values()))), scenario.allowed_differences)


def _one_per_box(prepared: Prepared, scenario: Scenario) -> dict[Cell, Setting]:
    """The first cell of every box: the levels of factors change how often boxes run and how large, not what runs.

    The resources of other levels are checked by the facts of every trial.
    """
    found: dict[str, Cell] = {}
    for cell in prepared.settings:
        if cell.scenario == scenario.name:
            found.setdefault(cell.box, cell)
    return {cell: prepared.settings[cell] for cell in found.values()}


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
        state: of the tree or the disks that the box runs from, see ``_state``.
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


def _cached(key: str, cell: Cell, setting: Setting, numbers: Iterator[int], say: Say) -> Inspection:
    def make(path: Path) -> None:
        say(f"inspecting {cell.box} of {cell.scenario}")
        path.write_text(inspect_box(cell, setting, numbers).model_dump_json(), encoding="utf-8")

    return Inspection.model_validate_json(cache.ensure("inspection", key, make).read_text(encoding="utf-8"))


def inspect_box(cell: Cell, setting: Setting, numbers: Iterator[int]) -> Inspection:
    """Boot one idle box and ask its agent.

    Args:
        numbers: of the trials that this takes, at most two.

    Raises:
        NotReadyError: the box did not become ready, or its agent did not answer in time.
    """
    kind = target_info(setting.target.name).kind
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if not has_agent(setting.target.name):
        return Inspection(box=cell.box, kind=kind, inspected_at=now, silent=NO_AGENT)
    wanted = "digest" not in setting.scenario.allowed_differences
    digests: list[str] = []

    def ask(channel: Channel, timeline: Timeline) -> None:
        if wanted and timeline.facts.get("agent_uid") == "0":
            digests.append(_ask_digest(channel, timeline, setting.image))

    record = _boot(cell, replace(_idle(setting), after_ready=ask), next(numbers))
    if wanted and not digests:
        _boot(cell, replace(_as_root(_idle(setting)), after_ready=ask), next(numbers))
    if wanted and not digests:
        raise _cannot_inspect(cell, "the agent is not root, so it cannot read the whole tree")
    return Inspection(
        box=cell.box, kind=kind, inspected_at=now, facts=record.inside, digest=digests[0] if digests else None
    )


def _idle(setting: Setting) -> Setting:
    config = setting.image.config
    idle = replace(config, argv=(*IDLE, *config.argv), stop_signal=int(signal.SIGTERM))
    scenario = setting.scenario
    ready = ReadyFirstLine(when="first-line", timeout=scenario.ready.timeout)
    design = scenario.design.model_copy(update={"settle": 1})
    return replace(
        setting,
        image=replace(setting.image, config=idle),
        scenario=scenario.model_copy(update={"ready": ready, "design": design, "exercise": None}),
    )


def _as_root(setting: Setting) -> Setting:
    config = replace(setting.image.config, user="0:0", uid=0, gid=0, groups=(0,), cwd="/")
    return replace(setting, image=replace(setting.image, config=config))


def _boot(cell: Cell, setting: Setting, number: int) -> Record:
    trial = Trial(number=number, block=0, cell=cell, warmup=True)
    record, output = run_trial(trial, setting)
    if output is not None and TRACEBACK in output.files:
        # There is no campaign that would keep the traceback, so the error goes on as the fault that it is.
        raise RuntimeError(output.files[TRACEBACK].decode())
    if record.failure is not None:
        raise _cannot_inspect(cell, record.failure.message)
    if "argv" not in record.inside and "argv.cut" not in record.inside:
        raise _cannot_inspect(cell, "its agent sent no facts")
    return record


def _ask_digest(channel: Channel, timeline: Timeline, image: Image) -> str:
    limit_s = DIGEST_LEAST_S + image.sizes_bytes.get("unpacked", 0) / DIGEST_BYTES_PER_S
    channel.send(" ".join(["digest", *map(encode_word, digest_exclusions())]))
    if not timeline.wait_for(lambda: timeline.tree_digest is not None or timeline.failed(), timeout_s=limit_s):
        raise NotReadyError(
            f"the agent did not send the digest of its tree within {limit_s:.0f} s",
            hint="is the host overloaded? an image much larger than its content also takes long; see sizes_bytes",
        )
    if timeline.tree_digest is None:
        reason = timeline.errors[0] if timeline.errors else "the idle workload ended"
        raise NotReadyError(f"the agent could not digest its tree: {reason}", hint="try `boxbench certify` again")
    return timeline.tree_digest


def _cannot_inspect(cell: Cell, reason: str) -> NotReadyError:
    return NotReadyError(
        f"{cell.key} could not be inspected, so nothing shows that it runs the same as the others: {reason}",
        hint="`boxbench doctor` checks the engines; leave the target out with -t, or give its boxes more memory",
    )
