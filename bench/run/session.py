"""What boots boxes stands on: a request, the host to itself, everything set up, and all of it gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.host.run_directory import campaign_dir, campaign_tag, only_campaign_on_host, owned_dir
from bench.plan.matrix import check_names
from bench.plan.trials import Trial
from bench.records.campaign import reserve_directory
from bench.records.record import Record
from bench.run.cleanup import find_containers, find_leftovers, remove_leftovers
from bench.run.setup import Stage, set_up
from bench.scenario.model import LoadedScenario
from bench.util.errors import BoxbenchError, TeardownError


class Progress(Protocol):
    """Who is told what happens."""

    def say(self, text: str) -> None:
        """Something is being prepared."""

    def plan(self, trials: Sequence[Trial], total: int) -> None:
        """``trials`` of ``total`` will run now."""

    def begin(self, trial: Trial) -> None:
        """A trial starts."""

    def end(self, record: Record) -> None:
        """A trial has ended."""


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    scenarios: tuple[LoadedScenario, ...]
    out: Path
    seed: int
    accel: str = "auto"
    skip_unavailable: bool = False
    command: tuple[str, ...] = ()
    dress: Callable[[Stage], AbstractContextManager[object]] = nullcontext
    """Changes what was set up, such as which cells there are; left before the engines end."""


@contextmanager
def staged(identity: str, request: Request, progress: Progress) -> Iterator[Stage]:
    """Everything stands ready, for what boots boxes without being a campaign; the host is clean afterwards.

    Raises:
        HostUnfitError: a campaign is running. And what ``bench.run.setup.set_up`` raises.
    """
    check_names(request.scenarios)
    with (
        only_campaign_on_host(),
        clean_host(identity, progress),
        dressed(identity, request, progress) as stage,
    ):
        yield stage


@contextmanager
def reserved(out: Path) -> Iterator[None]:
    """Refuse a bad place before anything costs time; leave no empty directory when the set-up fails."""
    existed = out.exists()
    reserve_directory(out)
    try:
        yield
    finally:
        if not existed and not any(out.iterdir()):
            out.rmdir()


@contextmanager
def clean_host(identity: str, progress: Progress) -> Iterator[None]:
    """Remove what an earlier run of this campaign left, and what this one leaves; say what could not be removed."""
    tag = campaign_tag(identity)
    for leftover in find_leftovers(tag):
        progress.say(f"removing what the last run left: {leftover}")
    stuck = remove_leftovers(find_leftovers(tag))
    if stuck:
        raise TeardownError(
            "the last run's remains could not be removed: " + "; ".join(stuck),
            hint="end them by hand, then resume",
        )
    try:
        with owned_dir(campaign_dir(identity)):
            yield
    finally:
        for text in remove_leftovers(find_leftovers(tag)):
            progress.say(f"left on the host: {text}")


@contextmanager
def dressed(identity: str, request: Request, progress: Progress) -> Iterator[Stage]:
    """Everything that the request needs, set up, and changed as the request says. Raises what ``set_up`` does."""
    with set_up(
        identity,
        request.scenarios,
        accel=request.accel,
        skip_unavailable=request.skip_unavailable,
        say=progress.say,
    ) as stage:
        # A kill -9 leaves the containers of a shared engine behind; those of a private one end with it.
        remove_leftovers(find_containers(stage.engines.docker.client, campaign_tag(identity)))
        try:
            with request.dress(stage):
                yield stage
        finally:
            # One that the engine made after its box was given up: nothing else looks into a shared engine.
            for text in _remove_containers(stage, campaign_tag(identity)):
                progress.say(f"left on the host: {text}")


def _remove_containers(stage: Stage, tag: str) -> tuple[str, ...]:
    """What could not be removed, in words; an engine that has died must not hide what a campaign ended with."""
    try:
        return remove_leftovers(find_containers(stage.engines.docker.client, tag))
    except (BoxbenchError, OSError) as error:
        return (f"the containers of {tag}, if any: {error}",)
