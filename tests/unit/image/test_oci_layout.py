"""OCI layouts and archives, also hostile ones: which image is taken, and what is refused."""

from __future__ import annotations

import errno
import gzip
import json
import lzma
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.image import oci_layout
from bench.image.stores.base import StoreError
from bench.util import proc
from tests.oci_images import (
    FOREIGN,
    OCI_INDEX,
    Blob,
    OciImage,
    make_image,
    make_index,
    pack,
    write_docker_archive,
    write_layout,
)

ONE = make_image({"/bin/one": b"1"}, cmd=["/bin/one"])
TWO = make_image({"/bin/two": b"2"}, cmd=["/bin/two"])
STRANGE = make_image({"/bin/one": b"1"}, cmd=["/bin/one"], architecture=FOREIGN)


def chosen(layout: Path, name: str = "") -> str:
    return oci_layout.choose(layout, "oci:given", name).digest


def refused(layout: Path, name: str = "") -> str:
    with pytest.raises(StoreError) as caught:
        oci_layout.choose(layout, "oci:given", name)
    assert caught.value.message.startswith("oci:given")
    return caught.value.message


def test_the_only_image(tmp_path: Path) -> None:
    assert chosen(write_layout(tmp_path / "a", [ONE])) == ONE.manifest.digest


def test_the_image_for_this_host(tmp_path: Path) -> None:
    assert chosen(write_layout(tmp_path / "a", [STRANGE, ONE])) == ONE.manifest.digest


def test_a_named_image_or_digest(tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "a", {"one": ONE, "two:2": TWO})
    assert chosen(layout, "two:2") == TWO.manifest.digest
    assert chosen(layout, ONE.manifest.digest) == ONE.manifest.digest
    assert "no image 'three'; it has one (linux/" in refused(layout, "three")


def test_several_images_are_named(tmp_path: Path) -> None:
    said = refused(write_layout(tmp_path / "a", {"one": ONE, "two": TWO}))
    assert "has 2 images: one (" in said
    assert "two (" in said


def test_only_another_architecture(tmp_path: Path) -> None:
    assert f"(linux/{FOREIGN})" in refused(write_layout(tmp_path / "a", [STRANGE]))


def nested(layout: Path, inner: Blob) -> Path:
    """A layout whose index names ``inner`` only."""
    (layout / "blobs/sha256" / inner.digest[7:]).write_bytes(inner.content)
    index = {"schemaVersion": 2, "manifests": [{**inner.described, "annotations": {oci_layout.NAMES[0]: "app"}}]}
    (layout / "index.json").write_text(json.dumps(index))
    return layout


def test_an_index_in_an_index_as_builders_write_it(tmp_path: Path) -> None:
    layout = nested(write_layout(tmp_path / "a", [STRANGE, ONE]), make_index([STRANGE, ONE]))
    assert chosen(layout) == chosen(layout, "app") == ONE.manifest.digest


def test_descriptions_of_a_build_are_no_images(tmp_path: Path) -> None:
    described = {**TWO.manifest.described, "platform": {"os": "unknown", "architecture": "unknown"}}
    index = json.loads(make_index([ONE]).content)
    index["manifests"].append(described)
    layout = nested(write_layout(tmp_path / "a", [ONE, TWO]), Blob(OCI_INDEX, json.dumps(index).encode()))
    assert chosen(layout) == ONE.manifest.digest


def test_an_index_without_end(tmp_path: Path) -> None:
    layout, inner = write_layout(tmp_path / "a", [ONE]), make_index([ONE])
    for _ in range(6):
        nested(layout, inner)
        inner = Blob(OCI_INDEX, (layout / "index.json").read_bytes())
    assert "without end" in refused(layout)


def test_an_index_that_names_others_again_and_again_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three indexes of 30 entries stand for 27,000 images, and with larger ones nobody would see the end."""
    layout, inner = write_layout(tmp_path / "a", [ONE]), make_index([ONE])
    for _ in range(3):
        nested(layout, inner)
        named = json.loads((layout / "index.json").read_bytes())["manifests"] * 30
        inner = Blob(OCI_INDEX, json.dumps({"schemaVersion": 2, "manifests": named}).encode())
    read: list[Path] = []
    document = oci_layout._document

    def counted(path: Path, shown: str, digest: str | None = None) -> Mapping[str, Any]:
        read.append(path)
        return document(path, shown, digest)

    monkeypatch.setattr(oci_layout, "_document", counted)
    assert chosen(nested(layout, inner)) == ONE.manifest.digest
    assert len(read) == len(set(read))


def test_more_images_than_anybody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oci_layout, "_MOST_IMAGES", 1)
    assert "more than 1 images" in refused(write_layout(tmp_path / "a", [ONE, TWO]))


@pytest.mark.parametrize("lacking", [{"mediaType": None}, {"size": None}, {"size": "5"}, {"mediaType": 5}])
def test_an_image_whose_descriptor_lacks_something(tmp_path: Path, lacking: dict[str, object]) -> None:
    layout = write_layout(tmp_path / "a", [ONE])
    (layout / "index.json").write_text(json.dumps({"manifests": [{**ONE.manifest.described, **lacking}]}))
    assert "no media type or no size" in refused(layout)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 10**5, "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "lists no manifests"),
        ('{"manifests": [1]}', "lists no manifests"),
        ('{"manifests": []}', "has no image"),
        ('{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}', "no valid digest"),
        ('{"manifests": [{"digest": 5, "mediaType": 7, "platform": 8, "annotations": 9}]}', "no valid digest"),
        ("{" + " " * 2**22 + "}", "larger than"),
    ],
)
def test_an_index_that_is_none(tmp_path: Path, text: str, why: str) -> None:
    layout = write_layout(tmp_path / "a", [ONE])
    (layout / "index.json").write_text(text)
    assert why in refused(layout)


def test_an_index_with_other_content_than_its_digest_says(tmp_path: Path) -> None:
    inner = make_index([ONE])
    layout = nested(write_layout(tmp_path / "a", [ONE]), inner)
    (layout / "blobs/sha256" / inner.digest[7:]).write_bytes(make_index([TWO]).content)
    assert "other content than its digest says" in refused(layout)


def test_no_layout(tmp_path: Path) -> None:
    assert "index.json cannot be read: No such file" in refused(tmp_path)


def test_an_index_that_is_a_link_or_a_fifo_is_not_opened(tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "a", [ONE])
    (layout / "index.json").rename(tmp_path / "elsewhere")
    (layout / "index.json").symlink_to(tmp_path / "elsewhere")
    assert "not a plain file" in refused(layout)
    (layout / "index.json").unlink()
    os.mkfifo(layout / "index.json")
    assert "not a plain file" in refused(layout)


def test_every_blob_must_be_a_plain_file(tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "a", [ONE])
    image = oci_layout.choose(layout, "oci:given", "")
    oci_layout.check_blobs(layout, image, "oci:given")
    blob = layout / "blobs/sha256" / ONE.layer.digest[7:]
    blob.unlink()
    with pytest.raises(StoreError, match=f"{ONE.layer.digest} cannot be read"):
        oci_layout.check_blobs(layout, image, "oci:given")
    os.mkfifo(blob)
    with pytest.raises(StoreError, match="not a plain file"):
        oci_layout.check_blobs(layout, image, "oci:given")


def test_a_blob_is_never_fetched_from_an_address(tmp_path: Path) -> None:
    """Otherwise an archive would make root's programs ask any server that it names."""
    layout = write_layout(tmp_path / "a", [ONE])
    manifest = json.loads(ONE.manifest.content)
    manifest["layers"][0]["urls"] = ["http://127.0.0.1:1/x"]
    changed = Blob(ONE.manifest.media_type, json.dumps(manifest).encode())
    (layout / "blobs/sha256" / changed.digest[7:]).write_bytes(changed.content)
    image = oci_layout.Chosen(changed.described, changed.digest)
    with pytest.raises(StoreError, match="from an address"):
        oci_layout.check_blobs(layout, image, "oci:given")


def test_the_chosen_image_alone(tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "a", {"one": ONE, "two": TWO})
    oci_layout.select(layout, oci_layout.choose(layout, "a", "two"), tmp_path / "b")
    assert chosen(tmp_path / "b") == TWO.manifest.digest


def archive(directory: Path, image: OciImage = ONE) -> Path:
    return pack(write_layout(directory / "layout", [image]), directory / "given.tar")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_archives_are_unpacked(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    given = archive(tmp_path)
    given.write_bytes(compress(given.read_bytes()))
    oci_layout.unpack(given, tmp_path / "out")
    assert chosen(tmp_path / "out") == ONE.manifest.digest


@pytest.mark.host
def test_an_archive_compressed_by_zstd(tmp_path: Path) -> None:
    given = archive(tmp_path)
    proc.run([proc.require_tool("zstd", package="zstd"), "-q", given], timeout_s=60)
    oci_layout.unpack(given.with_suffix(".tar.zst"), tmp_path / "out")
    assert chosen(tmp_path / "out") == ONE.manifest.digest


def unpack_refused(given: Path, out: Path) -> str:
    with pytest.raises(StoreError) as caught:
        oci_layout.unpack(given, out)
    assert str(given) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    "content",
    [b"", b"hello" * 999, gzip.compress(b"x" * 10**4)[:50], b"\x1f\x8b\x08\x00"],
    # The bytes of a gzip header hold the time. A test's name must not.
    ids=["empty", "text", "cut", "header"],
)
def test_a_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    given = tmp_path / "given.tar"
    given.write_bytes(content)
    assert "not a whole tar archive" in unpack_refused(given, tmp_path / "out")


def test_an_archive_that_was_cut_off(tmp_path: Path) -> None:
    given = archive(tmp_path, make_image({"/bin/x": os.urandom(10**5)}, cmd=["/bin/x"]))
    given.write_bytes(given.read_bytes()[:60_000])
    assert "not a whole tar archive" in unpack_refused(given, tmp_path / "out")


def test_what_docker_save_writes_is_pointed_to(tmp_path: Path) -> None:
    given = write_docker_archive(tmp_path / "given.tar", {"app:1": ONE})
    oci_layout.unpack(given, tmp_path / "out")
    with pytest.raises(StoreError) as caught:
        oci_layout.choose(tmp_path / "out", "oci-archive:given.tar", "")
    assert "docker-archive:FILE" in caught.value.hint


def hostile(directory: Path, name: str, **attributes: object) -> Path:
    """An archive whose first entry is hostile."""
    given = directory / "given.tar"
    member = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(member, key, value)
    with tarfile.open(given, "w") as tar:
        tar.addfile(member)
    return given


@pytest.mark.parametrize("name", ["../evil", "/evil", "blobs/sha256/../../../evil", "./../evil"])
def test_names_that_leave_the_archive(tmp_path: Path, name: str) -> None:
    assert "would leave the archive" in unpack_refused(hostile(tmp_path, name), tmp_path / "out")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_an_index_that_is_no_plain_file(tmp_path: Path, kind: bytes) -> None:
    given = hostile(tmp_path, "index.json", type=kind, linkname="/etc/passwd")
    assert "not a plain file" in unpack_refused(given, tmp_path / "out")


def test_other_entries_are_left_out(tmp_path: Path) -> None:
    given = hostile(tmp_path, "blobs/sha256", type=tarfile.SYMTYPE, linkname="/etc")
    oci_layout.unpack(given, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def raw_header(kind: bytes, size: int) -> bytes:
    """The header of a tar entry that is followed by ``size`` bytes."""
    member = tarfile.TarInfo("index.json")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "header",
    [
        raw_header(tarfile.XHDTYPE, 2**33),
        raw_header(tarfile.XGLTYPE, 2**33),
        raw_header(tarfile.GNUTYPE_LONGNAME, 2**33),
        raw_header(tarfile.GNUTYPE_LONGLINK, 2**33),
        raw_header(tarfile.REGTYPE, -(2**33)),
    ],
    ids=["pax", "global", "name", "link", "negative"],
)
def test_a_header_that_would_fill_the_memory(tmp_path: Path, header: bytes) -> None:
    """A few MB of compressed zeros would become as many GB."""
    given = tmp_path / "given.tar"
    given.write_bytes(raw_header(tarfile.REGTYPE, 0) + header + bytes(10240))
    assert "says that" in unpack_refused(given, tmp_path / "out")


def test_headers_of_headers_without_end(tmp_path: Path) -> None:
    given = tmp_path / "given.tar"
    given.write_bytes((raw_header(tarfile.GNUTYPE_LONGNAME, 4) + b"name".ljust(512, b"\0")) * 3000)
    assert "not a whole tar archive" in unpack_refused(given, tmp_path / "out")


def test_nobody_waits_for_an_archive_that_is_a_fifo(tmp_path: Path) -> None:
    given = tmp_path / "given.tar"
    os.mkfifo(given)
    assert unpack_refused(given, tmp_path / "out").endswith("it is a FIFO, not a file")


def test_a_disk_that_becomes_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_files: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    assert "does not fit on the disk" in unpack_refused(archive(tmp_path), tmp_path / "out")


def test_more_than_the_disk_takes(tmp_path: Path) -> None:
    given = hostile(tmp_path, f"blobs/sha256/{'0' * 64}", size=2**60)
    assert "does not fit on the disk" in unpack_refused(given, tmp_path / "out")
