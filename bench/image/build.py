"""From a scenario to an Image: the plain image, the agent in it, its exported tree, its resolved configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.agent.boxconf import BoxConfig
from bench.agent.compile import agent_binary
from bench.image.archive import (
    TreeIndex,
    content_digest,
    digest_exclusions,
    read_index,
    refuse_foreign_places,
    tree_digest,
)
from bench.image.complete import TREE_RECIPE, complete_tree
from bench.image.config import check_directory, healthcheck_note, resolve_config
from bench.image.finish import finish_image
from bench.image.healthcheck import require_healthcheck
from bench.image.model import Image
from bench.image.noted import note_use
from bench.image.source import known, plain_image
from bench.image.stores.base import ImageStore, Log, StoredImage, StoreError
from bench.image.volumes import volume_places
from bench.scenario.model import LoadedScenario, Ready, ReadyHealthcheck
from bench.util import cache
from bench.util.errors import BuildError
from bench.util.steps import measured_by, step

CONTENT_RECIPE: Final = "content-1"
"""Part of the cache key of content digests. Change it when they are computed in another way."""


def build_image(store: ImageStore, loaded: LoadedScenario, log: Log, *, results: Sequence[Path] = ()) -> Image:
    """Make a scenario's image, put the agent into it and export the image's tree.

    Args:
        store: the engine that makes and holds the image.
        log: called with every line of the engine's output.
        results: directories that results will be written to, which never become part of an image.

    Raises:
        BuildError: the image cannot be made or took longer than a limit, it has no command that can run, or it has
            something of its own where Boxbench puts its files.
        HostUnfitError: a tool is missing on this host.
    """
    scenario = loaded.scenario
    try:
        with step("build" if scenario.workload.image is None else "image"):
            plain = plain_image(store, loaded, log, results=results)
        check_directory(scenario.name, plain.image.config, scenario.workload)
        with step("finish"):
            ref = finish_image(store, loaded, plain.image, results=results)
        finished = known(store, ref)
        volumes = tuple(finished.config.get("Volumes") or ())
        index = _export(store, scenario.name, finished, volumes)
    except StoreError as error:
        raise BuildError(f"scenario {scenario.name}: {error.message}", hint=error.hint) from None
    tar = index.tar
    refuse_foreign_places(scenario.name, index, agent_binary().read_bytes())
    config = resolve_config(scenario.name, plain.image.config, scenario.workload, index)
    require_healthcheck(scenario.name, scenario.ready, config.healthcheck)
    warnings = _health_warnings(scenario.ready, config, index, log)
    digest = _cached_digest(cache.content_key(tar.stem, *digest_exclusions()), lambda: tree_digest(index))
    content = _cached_digest(cache.content_key(tar.stem, CONTENT_RECIPE), lambda: content_digest(index))
    for identity, name in ((plain.image.id, plain.image.id), (finished.id, ref)):
        note_use(identity, name)
    return Image(
        name=scenario.name,
        ref=ref,
        id=finished.id,
        digest=digest,
        content=content,
        config=config,
        tree_tar=tar,
        sizes_bytes={"unpacked": index.content_bytes(), "tar": tar.stat().st_size, "layers": finished.size_bytes},
        entries=len(index.members),
        block_bytes=index.block_bytes(),
        volumes=volume_places(scenario.name, volumes, index),
        origin=plain.origin,
        notes=(*plain.notes, *warnings),
    )


def _health_warnings(ready: Ready, config: BoxConfig, index: TreeIndex, log: Log) -> tuple[str, ...]:
    """What makes boxes wait in vain for their health check. It is logged, too."""
    warning = healthcheck_note(config, index) if isinstance(ready, ReadyHealthcheck) else None
    if warning is None:
        return ()
    log(warning)
    return (warning,)


def _export(store: ImageStore, name: str, image: StoredImage, volumes: tuple[str, ...]) -> TreeIndex:
    """The image's tree, completed. It is exported if it is not in the cache."""
    indexed: list[TreeIndex] = []

    def write(path: Path) -> None:
        measured_by(lambda: path.stat().st_size, total_bytes=image.size_bytes)
        store.export(image.id, path)
        indexed.append(complete_tree(path, name, volumes))

    kind = "-volumes" if volumes else ""
    tar = cache.ensure("tar", f"{image.id.removeprefix('sha256:')[:32]}{kind}-{TREE_RECIPE}.tar", write)
    if indexed:
        return replace(indexed[0], tar=tar)
    with step("index"):
        return read_index(tar)


def _cached_digest(key: str, compute: Callable[[], str]) -> str:

    def write(path: Path) -> None:
        path.write_text(compute(), encoding="ascii")

    return cache.ensure("digest", key, write).read_text(encoding="ascii")
