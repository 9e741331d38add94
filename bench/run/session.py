"""Set-up and tear-down around everything that starts boxes: host lock, clean host, engines, images, targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.cache.ceiling import below_ceiling
from bench.host.campaign_lock import only_campaign_on_host
from bench.host.run_directory import campaign_dir, campaign_tag, owned_dir
from bench.plan.matrix import check_names
from bench.plan.trials import Trial
from bench.records.campaign import reserve_directory
from bench.records.manifest import RequestEntry
from bench.records.record import Record
from bench.run.cleanup import find_containers, remove_all, remove_leftovers
from bench.run.pace import Pace
from bench.run.preparation import summary
from bench.run.prepare import Prepared, prepare
from bench.scenario.model import LoadedScenario
from bench.util.errors import BoxbenchError, TeardownError
from bench.util.interrupts import held_back

OnPrepared = Callable[[Prepared], AbstractContextManager[Prepared]]
"""Hook between preparation and the first box: it may refuse (raise), or yield other cells than were prepared. Its
context ends before the engines do."""


class Progress(Protocol):
    """Receives what happens, for a display."""

    def say(self, text: str) -> None:
        """A step of the preparation starts, or something was left on the host."""

    def prepared(self, text: str) -> None:
        """The preparation has ended; ``text`` says what took how long."""

    def plan(self, trials: Sequence[Trial], total: int, pace: Pace | None = None) -> None:
        """``trials`` of ``total`` will run now. ``pace``: how long they take; it learns while they run."""

    def begin(self, trial: Trial) -> None:
        """A trial starts."""

    def end(self, record: Record) -> None:
        """A trial has ended and its record is on disk."""


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    scenarios: tuple[LoadedScenario, ...]
    out: Path
    seed: int
    accel: str = "auto"
    skip_unavailable: bool = False
    command: tuple[str, ...] = ()
    blocks: int | None = None
    """What the command line changed in all scenarios, which have it already; None: nothing. For the manifest."""
    targets: tuple[str, ...] | None = None
    """Likewise."""
    profile: str | None = None
    """Likewise."""
    stop_early: bool = True
    """Stop after a warm-up in which every trial failed."""

    def entry(self) -> RequestEntry:
        """The choices as the manifest stores them."""
        return RequestEntry(
            accel=self.accel,
            skip_unavailable=self.skip_unavailable,
            blocks=self.blocks,
            targets=self.targets,
            profile=self.profile,
        )


@contextmanager
def session(identity: str, request: Request, progress: Progress) -> Iterator[Prepared]:
    """Prepare everything for boxes that are not part of a campaign; the host is clean afterwards.

    Raises:
        HostUnfitError: a campaign is running on this host.
        UsageError, TargetUnavailableError, BuildError: as ``bench.run.prepare.prepare``.
    """
    check_names(request.scenarios)
    with (
        only_campaign_on_host() as other,
        below_ceiling(progress.say),
        clean_host(identity, progress),
        prepared_request(identity, request, progress) as prepared,
    ):
        if other is not None:
            progress.say(other)
        yield prepared


@contextmanager
def reserved(out: Path) -> Iterator[None]:
    """Check the output directory before anything costs time; remove it again when it stays empty.

    Raises:
        CampaignError: the directory has something in it, or cannot be written.
    """
    existed = out.exists()
    reserve_directory(out)
    try:
        yield
    finally:
        # The user may have removed it meanwhile, and a file in it keeps it. Neither may hide what ended the run.
        if not existed:
            with suppress(OSError):
                out.rmdir()


@contextmanager
def clean_host(identity: str, progress: Progress) -> Iterator[None]:
    """Remove what an earlier run of this campaign left on the host, and at the end what this run leaves.

    Raises:
        TeardownError: something of the earlier run cannot be removed.
    """
    tag = campaign_tag(identity)
    stuck = remove_all(tag, lambda leftover: progress.say(f"removing what the last run left: {leftover}"))
    if stuck:
        raise TeardownError(
            "these remains of the last run could not be removed: " + "; ".join(stuck),
            hint="end them by hand, then resume",
        )
    try:
        with owned_dir(campaign_dir(identity)):
            yield
    finally:
        # No search follows this one, so Ctrl-C must not break it off.
        with held_back():
            stuck = remove_all(tag, lambda _leftover: None)
        for text in stuck:
            progress.say(f"left on the host: {text}")


@contextmanager
def prepared_request(
    identity: str, request: Request, progress: Progress, *, on_prepared: OnPrepared = nullcontext
) -> Iterator[Prepared]:
    """Prepare all that the request needs, and remove the engine's containers of this campaign before and after.

    Raises:
        UsageError, TargetUnavailableError, HostUnfitError, BuildError: as ``bench.run.prepare.prepare``.
        BoxbenchError: what ``on_prepared`` raises.
    """
    with prepare(
        identity,
        request.scenarios,
        accel=request.accel,
        skip_unavailable=request.skip_unavailable,
        say=progress.say,
        results=(request.out,),
    ) as prepared:
        progress.prepared(summary(prepared.preparation.entry()))
        # After a kill -9 the containers of a shared engine are still there; those of a private one end with it.
        _remove_containers(prepared, campaign_tag(identity))
        try:
            with on_prepared(prepared) as chosen:
                yield chosen
        finally:
            # The engine may have made a container after we gave up its box. No other search covers a shared engine.
            for text in _remove_containers(prepared, campaign_tag(identity)):
                progress.say(f"left on the host: {text}")


def _remove_containers(prepared: Prepared, tag: str) -> tuple[str, ...]:
    """What could not be removed. An engine that has died must not replace the error that ended the campaign."""
    try:
        engine = prepared.engines.opened_docker
        return () if engine is None else remove_leftovers(find_containers(engine.client, tag))
    except (BoxbenchError, OSError) as error:
        return (f"the containers of {tag}, if any: {error}",)
