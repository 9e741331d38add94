"""What Boxbench adds to an image: the agent, the empty directory that its channel is mounted on, and the files,
volumes and directory of the scenario.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.agent.boxconf import AGENT_IN_BOX, CHANNEL_IN_BOX, DIRECTORY_IN_BOX
from bench.agent.compile import agent_binary
from bench.host.scratch import scratch
from bench.image.files import add_files
from bench.image.overrides import made_beforehand
from bench.image.stores.base import ImageStore, StoredImage
from bench.scenario.model import LoadedScenario
from bench.util import cache

RECIPE: Final = "finish-1"
"""Part of the key of finished images. Change it when this module makes other images."""


def finish_image(store: ImageStore, loaded: LoadedScenario, plain: StoredImage, *, results: Sequence[Path] = ()) -> str:
    """Add what Boxbench and the scenario need to an image. An image that was finished before is used again.

    Args:
        results: directories that results will be written to; none of their files is added.

    Returns:
        The finished image's name and tag.

    Raises:
        StoreError: the engine failed, the image has something of its own in our places, or a file of the scenario
            cannot be copied.
        HostUnfitError: the agent cannot be compiled.
    """
    workload, agent = loaded.scenario.workload, agent_binary().read_bytes()
    config = made_beforehand(plain.config, workload)
    volumes = tuple(config.get("Volumes") or ())
    with scratch() as folder:
        layer = folder / "layer.tar"
        with tarfile.open(layer, mode="w") as archive:
            _add_ours(archive, agent)
            files = None
            if workload.files:
                files = add_files(archive, loaded.directory, workload.files, volumes, results)
        key = cache.content_key(RECIPE, plain.id, agent, *_own_parts(config, plain.config, files))
        ref = f"boxbench/{loaded.scenario.name}:{key}"
        if store.inspect(ref) is None:
            store.add_layer(plain.id, layer, config, ref, directories=(DIRECTORY_IN_BOX, CHANNEL_IN_BOX))
    return ref


def _own_parts(config: Mapping[str, Any], plain: Mapping[str, Any], files: str | None) -> Iterator[str]:
    """What the scenario itself adds, as parts of the key; nothing for a scenario that adds nothing."""
    changed = {key: value for key, value in config.items() if value != plain.get(key)}
    if changed:
        yield json.dumps(changed, sort_keys=True)
    if files is not None:
        yield files


def _add_ours(archive: tarfile.TarFile, agent: bytes) -> None:
    """The agent and its directories. They belong to root and have no time, so that they are always the same."""
    _add_directory(archive, DIRECTORY_IN_BOX)
    program = tarfile.TarInfo(AGENT_IN_BOX.lstrip("/"))
    program.size, program.mode = len(agent), 0o755
    archive.addfile(program, io.BytesIO(agent))
    _add_directory(archive, CHANNEL_IN_BOX)


def _add_directory(archive: tarfile.TarFile, place: str) -> None:
    member = tarfile.TarInfo(place.lstrip("/"))
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(member)
