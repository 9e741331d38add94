"""Sizes of an image's layers, from the stream of its archive."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.image.model import Image
from bench.image.saved import layer_sizes
from bench.image.stores.base import StoredImage
from bench.util.errors import BuildError

SOFT, HARD = b"\0" * 300_000, os.urandom(200_000)


def archive(layers: list[str], files: dict[str, bytes | str]) -> bytes:
    """An archive as `docker save` writes it. A file whose content is text becomes a link with that target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in (files | {"manifest.json": json.dumps([{"Layers": layers}]).encode()}).items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Engine:
    """An engine with one image, which it saves in small chunks."""

    def __init__(self, saved: bytes, addresses: list[str]) -> None:
        self.saved, self.addresses, self.asked = saved, addresses, 0

    def inspect(self, _reference: str) -> StoredImage:
        return StoredImage("sha256:1", {}, "amd64", "linux", 0, tuple(self.addresses))

    def save(self, _reference: str) -> Iterator[bytes]:
        self.asked += 1
        for start in range(0, len(self.saved), 1000):
            yield self.saved[start : start + 1000]


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Image:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    return SimpleNamespace(id="sha256:" + "ab" * 32, ref="boxbench/x:1")  # type: ignore[return-value]


def test_sizes_of_every_layer(image: Image) -> None:
    files: dict[str, bytes | str] = {"blobs/sha256/a": SOFT, "blobs/sha256/b": HARD}
    engine = Engine(archive(["blobs/sha256/b", "blobs/sha256/a"], files), ["sha256:hard", "sha256:soft"])
    found = layer_sizes(engine, image)  # type: ignore[arg-type]
    assert list(found) == ["sha256:hard", "sha256:soft"]
    assert found["sha256:hard"][0] == len(HARD)
    assert len(HARD) <= found["sha256:hard"][1] < 1.01 * len(HARD)
    packer = zlib.compressobj(wbits=31)
    assert found["sha256:soft"] == (len(SOFT), len(packer.compress(SOFT) + packer.flush()))
    assert layer_sizes(engine, image) == found  # type: ignore[arg-type]
    assert engine.asked == 1, "kept by the image's id"


def test_a_layer_that_an_older_engine_stores_as_a_link(image: Image) -> None:
    files: dict[str, bytes | str] = {"one/layer.tar": HARD, "two/layer.tar": "../one/layer.tar"}
    engine = Engine(archive(["one/layer.tar", "two/layer.tar"], files), ["sha256:1", "sha256:2"])
    found = layer_sizes(engine, image)  # type: ignore[arg-type]
    assert found["sha256:1"] == found["sha256:2"]


def test_layers_that_are_saved_as_they_were_pushed(image: Image) -> None:
    """Of an engine that keeps its images in containerd. Its gzip may have several members, as pigz writes them."""
    zeros, packed = b"\0" * 5_000_000, gzip.compress(SOFT) + gzip.compress(HARD)
    files: dict[str, bytes | str] = {"blobs/a": packed, "blobs/b": gzip.compress(zeros)}
    engine = Engine(archive(["blobs/a", "blobs/b"], files), ["sha256:a", "sha256:b"])
    found = layer_sizes(engine, image)  # type: ignore[arg-type]
    assert found["sha256:a"] == (len(SOFT) + len(HARD), len(packed))
    assert found["sha256:b"] == (len(zeros), len(gzip.compress(zeros)))


@pytest.mark.parametrize(
    "broken",
    [gzip.compress(HARD)[:-9], b"\x1f\x8b" + HARD, gzip.compress(SOFT) + b"more"],
    ids=["cut", "header", "trailing"],
)
def test_a_broken_gzip_layer_is_an_error(image: Image, broken: bytes) -> None:
    engine = Engine(archive(["a"], {"a": broken}), ["sha256:1"])
    with pytest.raises(BuildError, match=r"layers of image boxbench/x:1 cannot be read"):
        layer_sizes(engine, image)  # type: ignore[arg-type]


@pytest.mark.parametrize("layers", [["elsewhere"], [], ["a", "a", "a"]])
def test_an_inconsistent_archive_is_refused(image: Image, layers: list[str]) -> None:
    engine = Engine(archive(layers, {"a": b"x"}), ["sha256:1"])
    with pytest.raises(BuildError, match=r"layers of image boxbench/x:1 cannot be read"):
        layer_sizes(engine, image)  # type: ignore[arg-type]
