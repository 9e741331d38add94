"""One idle box, inspected: the facts that its agent sees, and the digest of its tree."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from bench.agent.boxconf import encode_word
from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.certificate.facts import IDLE
from bench.image.archive import digest_exclusions
from bench.image.model import Image
from bench.plan.trials import Cell, Trial
from bench.records.certificate import Inspection
from bench.records.record import Record
from bench.run.box import Setting
from bench.run.frame import TRACEBACK
from bench.run.trial import run_trial
from bench.scenario.model import ReadyFirstLine
from bench.scenario.target_table import has_agent, target_info
from bench.util.errors import NotReadyError

NO_AGENT: Final = "no agent inside: nothing to compare"
# An emulated CPU hashes about 20 MB/s. A tenth of that allows for an overloaded host.
DIGEST_BYTES_PER_S: Final = 2_000_000
DIGEST_LEAST_S: Final = 60.0

Meanwhile = Callable[[Callable[[], bool]], None]
"""Does something while a box computes its digest. It gets the question whether that has ended, and raises no error."""


def inspect_box(cell: Cell, setting: Setting, numbers: Iterator[int], meanwhile: Meanwhile) -> Inspection:
    """Boot one idle box and ask its agent.

    Args:
        numbers: of the trials that this takes, at most two.

    Raises:
        NotReadyError: the box did not become ready, or its agent did not answer in time.
    """
    kind = target_info(setting.target.name).kind
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if not has_agent(setting.target.name):
        return Inspection(box=cell.certified_as, kind=kind, inspected_at=now, silent=NO_AGENT)
    wanted = "digest" not in setting.scenario.allowed_differences
    digests: list[str] = []

    def ask(channel: Channel, timeline: Timeline) -> None:
        if wanted and timeline.facts.get("agent_uid") == "0":
            digests.append(_ask_digest(channel, timeline, setting.image, meanwhile))

    record = _boot(cell, replace(_idle(setting), after_ready=ask), next(numbers))
    if wanted and not digests:
        _boot(cell, replace(_as_root(_idle(setting)), after_ready=ask), next(numbers))
    if wanted and not digests:
        raise _cannot_inspect(cell, "the agent is not root, so it cannot read the whole tree")
    return Inspection(
        box=cell.certified_as, kind=kind, inspected_at=now, facts=record.inside, digest=digests[0] if digests else None
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


def _ask_digest(channel: Channel, timeline: Timeline, image: Image, meanwhile: Meanwhile) -> str:
    def ended() -> bool:
        return timeline.tree_digest is not None or timeline.failed()

    limit_s = DIGEST_LEAST_S + image.sizes_bytes.get("unpacked", 0) / DIGEST_BYTES_PER_S
    channel.send(" ".join(["digest", *map(encode_word, digest_exclusions())]))
    meanwhile(ended)
    if not timeline.wait_for(ended, timeout_s=limit_s):
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
