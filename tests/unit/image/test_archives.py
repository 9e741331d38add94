"""Why an archive could not be read: what skopeo says, in words with a next step."""

from __future__ import annotations

import pytest

from bench.image.archives import archive_error
from bench.scenario.image_name import ImageFile, StoredImageName

FILE = ImageFile("docker-archive", "a.tar")
FATAL = 'time="2026-01-01T00:00:00Z" level=fatal msg="{}"\n'
SAID = [
    ("write /x: no space left on device", "disk became full", "BOXBENCH_CACHE"),
    ("Unexpected tar manifest.json: expected 1 item, got 2", "several images", "NAME:TAG"),
    ("more than one image in oci, choose an image", "several images", "NAME:TAG"),
    ('loading tar component \\"manifest.json\\": unexpected EOF', "a part of it is missing", "docker save"),
    (
        'loading tar component \\"manifest.json\\": file does not exist',
        "not what `docker save` writes",
        "oci-archive:FILE",
    ),
    ("archive/tar: invalid tar header", "a part of it is missing", "docker save"),
    ("Digest did not match, expected sha256:0, got sha256:1", "other content", "get it again"),
    ("happened during read: flate: corrupt input before offset 41", "other content", "get it again"),
    ("something new", "cannot be read", "skopeo inspect"),
]


@pytest.mark.parametrize(("said", "meaning", "step"), SAID)
def test_what_skopeo_says_is_explained(said: str, meaning: str, step: str) -> None:
    error = archive_error(FILE, "warning: x\n" + FATAL.format(said))
    assert error.message.startswith("docker-archive:a.tar")
    assert meaning in error.message
    assert said.replace("\\", "") in error.message
    assert "time=" not in error.message
    assert step in error.hint


def test_the_name_that_only_we_gave_an_archive_is_not_shown() -> None:
    error = archive_error(FILE, FATAL.format("initializing source docker-archive:given.tar: something new"))
    assert error.message == "docker-archive:a.tar cannot be read: something new"


def test_an_image_that_podman_does_not_have() -> None:
    said = FATAL.format('reference \\"[overlay@/x]localhost/nope:1\\" does not resolve to an image ID')
    error = archive_error(StoredImageName("localhost/nope:1"), said)
    assert "podman and Buildah have no such image" in error.message
    assert "podman images" in error.hint


def test_a_text_without_a_message_is_shown_from_its_end() -> None:
    message = archive_error(FILE, "\x1b[1mx" * 10**4 + "the end").message
    assert message.endswith("the end")
    assert message.isprintable()
    assert len(message) < 700
