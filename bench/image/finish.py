"""What Boxbench adds to an image: the agent and the empty directory that its channel is mounted on."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Final

from bench.agent.boxconf import AGENT_IN_BOX, CHANNEL_IN_BOX, DIRECTORY_IN_BOX
from bench.agent.compile import agent_binary
from bench.host.scratch import scratch
from bench.image.stores.base import ImageStore, StoredImage
from bench.util import cache

RECIPE: Final = "finish-1"
"""Part of the key of finished images. Change it when this module makes other images."""


def finish_image(store: ImageStore, name: str, plain: StoredImage) -> str:
    """Add what Boxbench needs to an image. An image that was finished before is used again.

    Args:
        name: the scenario's.

    Returns:
        The finished image's name and tag.

    Raises:
        StoreError: the engine failed, or the image has something of its own in our places.
        HostUnfitError: the agent cannot be compiled.
    """
    agent = agent_binary().read_bytes()
    ref = f"boxbench/{name}:{cache.content_key(RECIPE, plain.id, agent)}"
    if store.inspect(ref) is None:
        with scratch() as folder:
            layer = folder / "layer.tar"
            write_layer(layer, agent)
            store.add_layer(plain.id, layer, plain.config, ref, directories=(DIRECTORY_IN_BOX, CHANNEL_IN_BOX))
    return ref


def write_layer(path: Path, agent: bytes) -> None:
    """Write the layer as a tar. Everything in it belongs to root and has no time, so that it is always the same."""
    with tarfile.open(path, mode="w") as archive:
        _add_directory(archive, DIRECTORY_IN_BOX)
        program = tarfile.TarInfo(AGENT_IN_BOX.lstrip("/"))
        program.size, program.mode = len(agent), 0o755
        archive.addfile(program, io.BytesIO(agent))
        _add_directory(archive, CHANNEL_IN_BOX)


def _add_directory(archive: tarfile.TarFile, place: str) -> None:
    member = tarfile.TarInfo(place.lstrip("/"))
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(member)
