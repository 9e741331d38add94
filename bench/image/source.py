"""How the plain image of a workload comes about, before anything of ours is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.image.archives import archived_image
from bench.image.base import ensure_base
from bench.image.build_hints import build_hint
from bench.image.named import named_image
from bench.image.platforms import host_platform, runs_here
from bench.image.stores.base import BuildOrder, ImageStore, Log, StoredImage, StoreError
from bench.records.manifest import ImageOrigin
from bench.records.results import results_below
from bench.scenario.image_name import Reference, parse_image_name
from bench.scenario.model import LoadedScenario
from bench.util.files import open_file
from bench.util.paths import is_file
from bench.util.text import plain

_MOST_NAMED: Final = 3


@dataclass(frozen=True)
class Plain:
    """An image as its author made it."""

    image: StoredImage
    origin: ImageOrigin
    notes: tuple[str, ...] = ()
    """Sentences for every report."""


def plain_image(store: ImageStore, loaded: LoadedScenario, log: Log, *, results: Sequence[Path] = ()) -> Plain:
    """The image of a scenario's workload.

    Args:
        results: directories that results will be written to. With others that have results, they are left out of
            a build's context, since each run would else make another image.

    Raises:
        StoreError: it cannot be built, pulled or read, or it is for another platform.
        BuildError, HostUnfitError: the base image cannot be made.
    """
    if loaded.scenario.workload.image is None:
        found = _built(store, loaded, log, results)
    else:
        found = _existing(store, loaded, log)
    _refuse_other_platform(found)
    return found


def _existing(store: ImageStore, loaded: LoadedScenario, log: Log) -> Plain:
    workload = loaded.scenario.workload
    named = parse_image_name(workload.image or "")
    if isinstance(named, Reference):
        return Plain(*named_image(store, named, workload.pull, log))
    return Plain(*archived_image(store, named, loaded.directory, log))


def _refuse_other_platform(found: Plain) -> None:
    image = found.image
    if not runs_here(image.os, image.architecture):
        raise StoreError(
            f"the image {found.origin.name} is for {image.os}/{image.architecture}, and this host runs "
            f"{host_platform()}",
            hint=f"choose or build an image for {host_platform()}",
        )


def _built(store: ImageStore, loaded: LoadedScenario, log: Log, results: Sequence[Path]) -> Plain:
    workload = loaded.scenario.workload
    if workload.base is not None:
        log(f"base image {workload.base.tag}")
        ensure_base(store, workload.base)
    order = BuildOrder(
        context=loaded.directory / workload.context,
        dockerfile=workload.dockerfile,
        tag=f"boxbench/{loaded.scenario.name}:workload",
        args=workload.build.args,
        network=workload.build.network,
        target=workload.build.target,
        secrets=_secrets(loaded),
    )
    _refuse_other_than_file(order)
    left_out = results_below(order.context, results)
    order = replace(order, leave_out=tuple(path.relative_to(order.context).as_posix() for path in left_out))
    # It is told once, with the results: an image that is looked at first is built twice.
    notes = _left_out(order.leave_out)
    try:
        built = store.build(order, log)
    except StoreError as error:
        hint = build_hint(error.message, order, workload.base) or error.hint
        raise StoreError(". ".join((error.message.removesuffix("."), *notes)), hint=hint) from None
    origin = ImageOrigin(
        kind="dockerfile",
        name=workload.dockerfile,
        builder=built.builder,
        builder_version=built.builder_version,
        frontend=built.frontend,
    )
    return Plain(known(store, built.id), origin, notes=(*notes, *built.notes))


def _refuse_other_than_file(order: BuildOrder) -> None:
    """Raise StoreError for a Dockerfile that is missing, or is a FIFO, which a builder would wait for."""
    path = order.context / order.dockerfile
    try:
        with open_file(path):
            pass
    except OSError as error:
        hint = "check workload.context and workload.dockerfile"
        raise StoreError(f"{path} cannot be read: {error.strerror}", hint=hint) from None


def _left_out(paths: Sequence[str]) -> tuple[str, ...]:
    """The sentence about directories that are no part of the context; none if there are none."""
    if not paths:
        return ()
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    named = ", ".join(plain(path)[:100] for path in paths[:_MOST_NAMED])
    return (f"The build leaves out {named}{more}: results of Boxbench, with which each run would have another image.",)


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
