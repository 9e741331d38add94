"""Where records come from: measured, replayed or simulated. Whoever shows or stores numbers says so, or refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bench.analysis.results import NotComparableError
from bench.plan.trials import Trial
from bench.records.manifest import Manifest
from bench.records.record import Record

MEASURED: Final = "measured"
NOT_MEASURED: Final[Mapping[str, str]] = {
    "simulated": "computed by a model: no box ran",
    "replayed": "those of an earlier campaign, sent again: no box ran for this one",
}
"""By source of records that no box of their campaign gave: what such numbers are, for sentences."""
NO_BOX_JUDGED: Final = "no box ran for this verdict"
"""Ends the note of a verdict on such records."""


def source_word(records: Iterable[Record]) -> str:
    """``simulated`` or ``replayed``, for titles; ``measured and simulated`` for a mix; empty when boxes gave all."""
    found = sorted({record.source for record in records})
    return "" if found in ([], [MEASURED]) else " and ".join(found)


def refuse_unmeasured(
    manifest: Manifest, records: Iterable[Record], *, use: str, allowed: bool = False, option: str = ""
) -> None:
    """Refuse records that no box gave.

    Args:
        use: what the records were to be used for, as the end of the message: ``and a history is of measured ones``.
        allowed: the user insists.
        option: the option by which users insist; empty when there is none.

    Raises:
        NotComparableError: a record is simulated or replayed, and that is not ``allowed``.
    """
    word = source_word(records)
    if not word or allowed:
        return
    came = "" if manifest.origin is None else f" (from {manifest.origin.name})"
    instead = f", or add {option}: what is made says that it is {word}" if option else ""
    raise NotComparableError(
        f"the records of campaign {manifest.id} are {word}{came}, {use}",
        hint=f"name a campaign whose boxes ran, as `boxbench run` makes it{instead}",
    )


def marked(manifest: Manifest, records: Sequence[Record]) -> tuple[Manifest, tuple[Record, ...]]:
    """The campaign for a use outside of reports: scenarios that no box ran are called ``simulated-hello``.

    Their cells so have keys of their own, and no series of numbers can hold measured and simulated ones.
    """
    word = source_word(records)
    if not word:
        return manifest, tuple(records)
    names = {name: f"{word.replace(' ', '-')}-{name}" for name in manifest.scenarios}

    def trial(one: Trial) -> Trial:
        cell = one.cell.model_copy(update={"scenario": names.get(one.cell.scenario, one.cell.scenario)})
        return one.model_copy(update={"cell": cell})

    scenarios = {
        names[name]: entry.model_copy(update={"scenario": entry.scenario.model_copy(update={"name": names[name]})})
        for name, entry in manifest.scenarios.items()
    }
    renamed = manifest.model_copy(
        update={
            "scenarios": scenarios,
            "images": {names.get(name, name): image for name, image in manifest.images.items()},
            "certificates": {names.get(name, name): found for name, found in manifest.certificates.items()},
            "plan": tuple(map(trial, manifest.plan)),
        }
    )
    return renamed, tuple(record.model_copy(update={"trial": trial(record.trial)}) for record in records)
