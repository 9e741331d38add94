"""Which options of the gate go together: what is ignored without a word would look as if it had been obeyed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import typer

from bench.util.errors import UsageError

Given = Mapping[str, object]
"""Options that were given, by their long names."""

_RUN: Final = {"--out", "--targets", "--accel", "--skip-unavailable"}
_CHOSEN: Final = {"--see", "--first", "--most"}
_REPLAY: Final = {"--null", "--metric", "--threshold", "--blocks", "--seed", "--json"}


class Way(NamedTuple):
    """One way to judge: what it does, for the message, the options that it has no use for, and what to do instead."""

    does: str
    useless: set[str]
    instead: str


def given_of(context: typer.Context) -> Given:
    """The options on the command line, whatever options there are: a new one is refused until it has a use."""
    return {
        parameter.opts[0]: context.params[parameter.name]
        for parameter in context.command.params
        if parameter.name in context.params
        and parameter.param_type_name == "option"
        and getattr(context.get_parameter_source(parameter.name), "name", "") == "COMMANDLINE"
    }


def check_options(words: list[str], given: Given) -> None:
    """Refuse options that were given and have no meaning in the way that the others chose. Raises UsageError."""
    does, useless, instead = _way(words, given)
    named = [option for option in given if option in useless]
    if given.get("--accel") == "icount":
        named += [f"--metric {metric}" for metric in _metrics(given) if metric != "instructions"]
    if named:
        raise UsageError(f"{does}: {', '.join(named)} has no meaning there", hint=instead)


def _way(words: list[str], given: Given) -> Way:
    every = set(given)
    if "--checkmetrics" in given:
        useless = every - {"--checkmetrics"}
        return Way("--checkmetrics only prints kata's limits as a bounds file", useless, "leave it out")
    if "--bounds" in given:
        useless = every - {"--bounds", "--out", "--summary", "--json"}
        does = "--bounds judges a stored campaign by its file's limits"
        return Way(does, useless, "leave it out, or say it in the file")
    if given.get("--accel") == "icount":
        instead = "leave it out; --threshold instructions=N% says what matters, --blocks N counts each N times"
        return Way("--accel icount counts instructions, once and exactly", {*_CHOSEN, "--null"}, instead)
    if "--null" in given:
        return _null(words, every)
    if "--blocks" in given:
        instead = "leave --blocks out, and as many run as --see needs, --most at most"
        return Way("--blocks says how many fresh blocks run", {"--see", "--most"}, instead)
    return Way("a comparison", set(), "")


def _null(words: list[str], every: set[str]) -> Way:
    from bench.records.campaign import MANIFEST

    if any((Path(word) / MANIFEST).exists() for word in words):
        return Way("--null of a stored campaign replays the boots that it has", every - _REPLAY, "leave it out")
    instead = "leave it out; --blocks says how many blocks run"
    return Way("--null compares A with itself and gives rates, no verdict", every - _REPLAY - _RUN, instead)


def _metrics(given: Given) -> list[str]:
    found = given.get("--metric")
    return found if isinstance(found, list) else []
