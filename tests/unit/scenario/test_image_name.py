"""Names of images: references by the grammar of registries, files, podman's storage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scenario.image_name import ImageFile, Reference, StoredImageName, parse_image_name, parse_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("redis", Reference(None, "redis", None, None)),
        ("redis:7", Reference(None, "redis", "7", None)),
        ("bitnami/redis:7.2_a-b", Reference(None, "bitnami/redis", "7.2_a-b", None)),
        ("localhost/redis", Reference("localhost", "redis", None, None)),
        ("localhost:5000/a/b:1", Reference("localhost:5000", "a/b", "1", None)),
        ("host.example/a__b/c--d.e", Reference("host.example", "a__b/c--d.e", None, None)),
        ("[::1]:5000/a", Reference("[::1]:5000", "a", None, None)),
        ("Host/a", Reference("Host", "a", None, None)),
        (f"redis@{DIGEST}", Reference(None, "redis", None, DIGEST)),
        (f"h.example:1/redis:7@{DIGEST}", Reference("h.example:1", "redis", "7", DIGEST)),
        (DIGEST, Reference(None, "sha256", DIGEST[7:], None)),
    ],
)
def test_references(text: str, reference: Reference) -> None:
    assert parse_image_name(text) == reference
    assert str(reference) == text


def test_what_is_pulled() -> None:
    assert parse_reference("redis").version == "latest"
    assert parse_reference("redis:7").version == "7"
    assert parse_reference(f"redis:7@{DIGEST}").version == DIGEST
    assert str(parse_reference("h.example/redis:7").at(DIGEST)) == f"h.example/redis@{DIGEST}"
    assert parse_reference("h.example:80/a/redis:7").name == "h.example:80/a/redis"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Redis:7", "lower case"),
        ("org/Redis", "lower case"),
        ("redis:", "malformed tag"),
        ("redis:a b", "malformed tag"),
        ("redis:\u0663", "malformed tag"),
        (f"redis:{'a' * 129}", "malformed tag"),
        ("redis@sha256:abc", "malformed digest"),
        ("redis@", "malformed digest"),
        (f"redis@{DIGEST.upper()}", "malformed digest"),
        ("https://host.example/redis", "no https:// before it"),
        ("host_name.example/a", "malformed registry"),
        ("h.example:port/a", "malformed registry"),
        (":7", "nothing comes before"),
        ("", "nothing comes before"),
        ("a//b", "single"),
        ("-a", "single"),
        ("a..b", "single"),
        ("/redis", "single"),
        ("redis\n", "single"),
        ("a" * 256, "255"),
        ("0" * 64, "write sha256:"),
        ("oci-archive:", "names no file"),
        ("oci:", "names no directory"),
        ("containers-storage:", "does not name an image"),
        ("containers-storage:--root=/tmp", "does not name an image"),
        ("containers-storage:[overlay@/tmp]a", "does not name an image"),
    ],
)
def test_what_is_no_name(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_image_name(text)


@given(st.text(max_size=40))
def test_every_accepted_reference_reads_back(text: str) -> None:
    try:
        found = parse_image_name(text)
    except ValueError:
        return
    assert parse_image_name(str(found)) == found


def test_other_sources() -> None:
    assert parse_image_name("oci-archive:my app.tar") == ImageFile("oci-archive", "my app.tar")
    assert parse_image_name("docker-archive:a.tar.gz:app:1") == ImageFile("docker-archive", "a.tar.gz:app:1")
    assert parse_image_name("containers-storage:localhost/app:1") == StoredImageName("localhost/app:1")


def test_the_image_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar").touch()
    (tmp_path / "b:1").touch()
    assert ImageFile("oci-archive", "a.tar").locate(tmp_path) == (tmp_path / "a.tar", "")
    assert ImageFile("oci-archive", "a.tar:app:1").locate(tmp_path) == (tmp_path / "a.tar", "app:1")
    assert ImageFile("oci-archive", "b:1").locate(tmp_path) == (tmp_path / "b:1", "")
    assert ImageFile("oci-archive", "b:1:app").locate(tmp_path) == (tmp_path / "b:1", "app")
    assert ImageFile("oci-archive", "c.tar:app").locate(tmp_path) is None
