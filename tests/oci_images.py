"""Small images made in memory, in the format of registries, layouts and archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ARCHITECTURE: Final = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""This host's, by the name that images use."""
FOREIGN: Final = "s390x"
"""An architecture that no host of this suite has."""
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
SCHEMA_1: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_NAME: Final = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Blob:
    """Bytes with their media type."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """Its address."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    @property
    def described(self) -> dict[str, Any]:
        """What names it in a manifest or an index."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True)
class OciImage:
    """An image: its layer as a tar, and its configuration."""

    layer_tar: bytes
    config: Blob

    @property
    def layer(self) -> Blob:
        """The layer as it travels."""
        return Blob(_LAYER, gzip.compress(self.layer_tar, mtime=0))

    @property
    def manifest(self) -> Blob:
        """What lists its blobs."""
        content = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.config.described,
            "layers": [self.layer.described],
        }
        return Blob(OCI_MANIFEST, json.dumps(content).encode())

    @property
    def platform(self) -> dict[str, str]:
        """What an index says of it."""
        about = json.loads(self.config.content)
        return {"architecture": about["architecture"], "os": about["os"]}

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All of it but the manifest."""
        return self.layer, self.config


def make_image(
    files: Mapping[str, bytes],
    *,
    cmd: Sequence[str] | None = None,
    architecture: str = ARCHITECTURE,
    system: str = "linux",
    **config: Any,
) -> OciImage:
    """An image of one layer.

    Args:
        files: content by path; all are executable.
        cmd: the command; None: the image has none.
        config: other keys of the image's ``config``, such as ``User``.
    """
    layer = tar_of(files, mode=0o755)
    settings = {**config, **({} if cmd is None else {"Cmd": list(cmd)})}
    about = {
        "architecture": architecture,
        "os": system,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    return OciImage(layer, Blob(_CONFIG, json.dumps(about).encode()))


def make_index(images: Mapping[str, OciImage] | Sequence[OciImage]) -> Blob:
    """A manifest list; the keys of a mapping become the names (tags) of its images."""
    named = images.items() if isinstance(images, Mapping) else [("", image) for image in images]
    manifests = [
        {
            **image.manifest.described,
            "platform": image.platform,
            **({"annotations": {_NAME: name}} if name else {}),
        }
        for name, image in named
    ]
    return Blob(OCI_INDEX, json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode())


def write_layout(directory: Path, images: Mapping[str, OciImage] | Sequence[OciImage]) -> Path:
    """An OCI layout on disk; returns the directory."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)
    for image in images.values() if isinstance(images, Mapping) else images:
        for blob in (*image.blobs, image.manifest):
            (blobs / blob.digest.removeprefix("sha256:")).write_bytes(blob.content)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_bytes(make_index(images).content)
    return directory


def pack(directory: Path, archive: Path) -> Path:
    """A directory's content as a tar, as an OCI archive has it; returns the archive."""
    with tarfile.open(archive, "w") as tar:
        for path in sorted(directory.rglob("*")):
            tar.add(path, str(path.relative_to(directory)), recursive=False)
    return archive


def write_docker_archive(archive: Path, images: Mapping[str, OciImage]) -> Path:
    """What ``docker save`` writes of these images, by their names with tags; returns the archive."""
    files: dict[str, bytes] = {}
    manifest = []
    for name, image in images.items():
        config = f"{image.config.digest.removeprefix('sha256:')}.json"
        layer = f"{hashlib.sha256(image.layer_tar).hexdigest()}.tar"
        files |= {config: image.config.content, layer: image.layer_tar}
        manifest.append({"Config": config, "RepoTags": [name], "Layers": [layer]})
    archive.write_bytes(tar_of({**files, "manifest.json": json.dumps(manifest).encode()}))
    return archive


def tar_of(files: Mapping[str, bytes], *, mode: int = 0o644) -> bytes:
    """A tar of these files and their directories, without times and owned by root."""
    buffer = io.BytesIO()
    made: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            path = name.lstrip("/")
            for parent in reversed([str(parent) for parent in Path(path).parents if str(parent) != "."]):
                if parent not in made:
                    made.add(parent)
                    directory = tarfile.TarInfo(parent)
                    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(directory)
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
