"""How the plain image of a workload comes about, before anything of ours is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.image.archives import archived_image
from bench.image.base import ensure_base
from bench.image.named import named_image
from bench.image.platforms import host_platform, runs_here
from bench.image.stores.base import BuildOrder, ImageStore, Log, StoredImage, StoreError
from bench.records.manifest import ImageOrigin
from bench.scenario.image_name import Reference, parse_image_name
from bench.scenario.model import LoadedScenario
from bench.util.paths import is_file


@dataclass(frozen=True)
class Plain:
    """An image as its author made it."""

    image: StoredImage
    origin: ImageOrigin
    notes: tuple[str, ...] = ()
    """Sentences for every report."""


def plain_image(store: ImageStore, loaded: LoadedScenario, log: Log) -> Plain:
    """The image of a scenario's workload.

    Raises:
        StoreError: it cannot be built, pulled or read, or it is for another platform.
        BuildError, HostUnfitError: the base image cannot be made.
    """
    plain = _built(store, loaded, log) if loaded.scenario.workload.image is None else _existing(store, loaded, log)
    _refuse_other_platform(plain)
    return plain


def _existing(store: ImageStore, loaded: LoadedScenario, log: Log) -> Plain:
    workload = loaded.scenario.workload
    named = parse_image_name(workload.image or "")
    if isinstance(named, Reference):
        return Plain(*named_image(store, named, workload.pull, log))
    return Plain(*archived_image(store, named, loaded.directory, log))


def _refuse_other_platform(plain: Plain) -> None:
    image = plain.image
    if not runs_here(image.os, image.architecture):
        raise StoreError(
            f"the image {plain.origin.name} is for {image.os}/{image.architecture}, and this host runs "
            f"{host_platform()}",
            hint=f"choose or build an image for {host_platform()}",
        )


def _built(store: ImageStore, loaded: LoadedScenario, log: Log) -> Plain:
    workload = loaded.scenario.workload
    if workload.base is not None:
        log(f"base image {workload.base.tag}")
        ensure_base(store, workload.base)
    built = store.build(
        BuildOrder(
            context=loaded.directory / workload.context,
            dockerfile=workload.dockerfile,
            tag=f"boxbench/{loaded.scenario.name}:workload",
            args=workload.build.args,
            network=workload.build.network,
            target=workload.build.target,
            secrets=_secrets(loaded),
        ),
        log,
    )
    origin = ImageOrigin(
        kind="dockerfile",
        name=workload.dockerfile,
        builder=built.builder,
        builder_version=built.builder_version,
        frontend=built.frontend,
    )
    return Plain(known(store, built.id), origin, notes=built.notes)


def _secrets(loaded: LoadedScenario) -> dict[str, Path]:
    found = {name: loaded.directory / file for name, file in loaded.scenario.workload.build.secrets.items()}
    for name, file in found.items():
        if not is_file(file):
            raise StoreError(
                f"workload.build.secrets.{name}: {file} is not a file",
                hint="write the path of a file relative to the scenario file",
            )
    return found


def known(store: ImageStore, reference: str) -> StoredImage:
    """An image that the engine has just reported. Raises StoreError: it has none."""
    found = store.inspect(reference)
    if found is None:
        raise StoreError(
            f"the engine does not know image {reference}",
            hint="run again; the image may have been removed meanwhile",
        )
    return found
