"""A campaign's manifest: what was asked for, with which images and targets, in which order, on which host."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from bench.plan.trials import Trial
from bench.records import results
from bench.records.certificate import Certificate
from bench.scenario.fields import Int64, Label
from bench.scenario.model import LoadedScenario, Scenario
from bench.scenario.secrets import without_secrets
from bench.scenario.validation import first_problem
from bench.util.errors import CampaignError
from bench.util.json_value import JsonObject
from bench.util.nofollow import read_regular

MANIFEST: Final = results.CAMPAIGN


class RequestEntry(BaseModel):
    """What the user chose beside scenarios, seed and command line, which the manifest has itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accel: str
    """For VM targets: ``auto``, ``kvm`` or ``tcg``."""
    skip_unavailable: bool
    """Leave out targets that the host cannot run, instead of refusing the campaign."""
    blocks: int | None = None
    """Instead of the scenarios' own number, which the manifest's scenarios then no longer have; None: their own."""
    targets: tuple[str, ...] | None = None
    """Labels, likewise."""
    profile: str | None = None
    """Size of the exercise, likewise."""


class ScenarioEntry(BaseModel):
    """A scenario as the campaign runs it: with the user's choice of blocks, targets and profile applied."""

    model_config = ConfigDict(frozen=True)

    scenario: Scenario
    """All keys, also those that the file leaves out."""
    directory: str
    """Of the scenario file, relative to the campaign: both may be moved together."""
    text: str
    """The scenario file."""


class LayerEntry(BaseModel):
    """One layer of an image, bytes."""

    model_config = ConfigDict(frozen=True)

    unpacked: Int64
    """As a tar archive."""
    compressed: Int64
    """As gzip, the form in which registries keep it."""


class ImageOrigin(BaseModel):
    """Where an image comes from, before Boxbench adds anything to it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["dockerfile", "reference", "archive", "storage"]
    """Built from a Dockerfile, pulled from a registry or already in the engine, read from a file or directory, or taken
    from another engine's storage."""
    name: str
    """As the scenario names it: the Dockerfile, the reference, the archive."""
    digest: str = ""
    """``sha256:...``: the manifest's digest in a registry or an OCI archive, else the archive's own; empty if built."""
    builder: str = ""
    """``BuildKit`` or ``classic builder``; empty if nothing was built."""
    builder_version: str = ""
    """The version of the engine that the builder is a part of."""
    frontend: str = ""
    """What read the Dockerfile if that was not the builder itself: an image with its digest."""


class ImageEntry(BaseModel):
    """The image that a scenario was built to."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The engine's content address of the image."""
    digest: str
    """Tree digest: SHA-256 over paths, types, modes, owners and contents."""
    sizes_bytes: dict[str, Int64]
    """``unpacked``, ``layers``, ``compressed``, ``disk_logical``, ``disk_allocated``; those not made are absent."""
    layers: dict[str, LayerEntry] = {}
    """By content address, so that layers shared by images can be recognised; empty in older campaigns."""
    config: str | None = None
    """Digest of what runs in a box, as which user and with which environment: see ``bench.image.config``. None in older
    campaigns."""
    origin: ImageOrigin | None = None
    """None in older campaigns."""


class OriginEntry(BaseModel):
    """Where the records of a campaign come from for which no box ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["replayed", "simulated"]
    """The records' own."""
    name: str
    """The id of the campaign whose records are sent again, or the model's file name."""
    digest: str
    """``sha256:...`` of the records, or of the model file."""
    given: str
    """The path as the command line has it; empty for the campaign that is part of Boxbench."""
    place: str
    """The same path, relative to the campaign; empty likewise."""
    boxbench: str
    """The version that measured the records or fitted the model."""
    draw: int | None = None
    """Of a model: which joint draw of its parameters, from 0. None: their centre."""


class PreparationStep(BaseModel):
    """What one kind of step took while boxes were prepared. Steps may run beside each other."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Such as ``build``, ``export``, ``unpack``, ``disk``."""
    took_ns: Int64
    """Of all steps of this name."""
    bytes: Int64 | None = None
    """What they have read or written; None: not known."""


class PreparationPart(BaseModel):
    """What one target needed of one kind, before its first box could be started."""

    model_config = ConfigDict(frozen=True)

    scenario: str
    """Empty: for every scenario."""
    target: Label
    """With its options, and `` (first start)`` behind it where it is one; empty: for every target."""
    name: str
    """As of a step."""
    took_ns: Int64 | None = None
    """Without the parts in it. None: all was in the cache, so nothing was measured."""
    cached: int = 0
    """How many things of this kind were in the cache."""
    bytes: Int64 | None = None
    """What it takes on the disk; None: not known, or nothing is kept."""


class PreparationEntry(BaseModel):
    """How long a user waited until the first box could be started. What the cache has already takes no step."""

    model_config = ConfigDict(frozen=True)

    took_ns: Int64
    """Building, pulling and making files, from the opening of the engines; without the inspection of boxes."""
    steps: tuple[PreparationStep, ...] = ()
    """By kind of work."""
    parts: tuple[PreparationPart, ...] = ()
    """Who needed what. Empty in older campaigns."""


class SittingEntry(BaseModel):
    """One run of the tool that measured trials of the campaign: ``run`` is the first, each ``resume`` another."""

    model_config = ConfigDict(frozen=True)

    started_at: str
    """Wall clock, ISO 8601, UTC: a label, never subtracted."""
    boot: str | None = None
    """Differs between two boots of the host; None: not known."""
    preparation: PreparationEntry | None = None
    """None in older campaigns, and where no box runs."""


class Manifest(BaseModel):
    """Everything needed to repeat the campaign, written before the first trial of each sitting."""

    model_config = ConfigDict(frozen=True)

    schema_number: Literal[2] = 2
    """Of the form of this file."""
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
    """As ``new_campaign_id`` makes it. It is part of every path and name of the campaign's boxes."""
    created_at: str
    """Wall clock, ISO 8601, UTC: a label, never subtracted."""
    boxbench: str
    """Version."""
    command: tuple[str, ...]
    """The command line that started it."""
    seed: int
    """The order of trials is drawn from it."""
    request: RequestEntry | None = None
    """None in campaigns of versions that did not store it: they can be read, and not be resumed."""
    scenarios: dict[str, ScenarioEntry]
    """By name."""
    images: dict[str, ImageEntry]
    """By scenario."""
    targets: dict[Label, dict[str, str]]
    """By cell box (``docker``, ``libvirt/tcg``): versions, machine type, disk format, cache mode."""
    certificates: dict[str, Certificate] = {}
    """By scenario; empty in older campaigns. Part of the manifest, since whoever judges the records needs them."""
    plan: tuple[Trial, ...]
    """Of all sittings so far."""
    sittings: tuple[SittingEntry, ...] = ()
    """In order; a record has its number. Empty in older campaigns: one sitting."""
    host: JsonObject
    """Host facts, and ``fingerprint``."""
    notes: tuple[str, ...] = ()
    """Sentences for every report: targets left out and why, doubts about the host."""
    origin: OriginEntry | None = None
    """None: boxes ran."""

    def with_sitting(self, sitting: SittingEntry, further: tuple[Trial, ...] = ()) -> Manifest:
        """The manifest with one more sitting, and with ``further`` trials after those of the plan."""
        earlier = self.sittings or (SittingEntry(started_at=self.created_at),)
        return self.model_copy(update={"sittings": (*earlier, sitting), "plan": (*self.plan, *further)})


def scenario_entries(scenarios: Iterable[LoadedScenario], out: Path) -> dict[str, ScenarioEntry]:
    """Scenarios as the manifest of a campaign in ``out`` has them, without the values of secret variables."""
    # Relative to the real directory: `..` of a symbolic link leads elsewhere.
    campaign = out.resolve()
    return {
        loaded.scenario.name: ScenarioEntry(
            scenario=loaded.scenario, directory=os.path.relpath(loaded.directory, campaign), text=loaded.text
        )
        for loaded in map(without_secrets, scenarios)
    }


def stored_scenarios(path: Path, manifest: Manifest) -> tuple[LoadedScenario, ...]:
    """The scenarios of the campaign in ``path`` as its manifest has them. Their directories may be gone."""
    return tuple(
        LoadedScenario(
            scenario=entry.scenario,
            directory=(path / entry.directory).resolve(),
            text=entry.text,
            file=path / MANIFEST,
        )
        for entry in manifest.scenarios.values()
    )


def new_campaign_id() -> str:
    """Short, random, safe in names of containers, domains, mounts and sockets."""
    return secrets.token_hex(4)


def read_manifest(path: Path) -> Manifest:
    """The manifest of a campaign directory. Raises CampaignError."""
    file = path / MANIFEST
    try:
        return Manifest.model_validate_json(read_regular(file))
    except OSError as error:
        raise CampaignError(
            f"{path} is not a campaign directory: {file.name}: {error.strerror}",
            hint=_other_directory(path),
        ) from None
    except ValidationError as error:
        raise CampaignError(
            f"{file}: not a manifest: {first_problem(error)}",
            hint="the file was damaged or edited, or is of another version of boxbench; restore it, or use that "
            "version, else run the campaign again",
        ) from None


def _other_directory(path: Path) -> str:
    """What to name in place of a directory without a manifest: its campaigns, if it has any."""
    with suppress(OSError):
        inside = sorted(file.parent for file in path.glob(f"*/{MANIFEST}"))
        if inside:
            return f"it holds campaigns: name {' or '.join(map(str, inside))}"
    return "name the directory that `boxbench run` printed"
