"""Pulls: what is said while one runs, and why one has failed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.image.stores.pulling import PullProgress, pull_error, silent_pull
from bench.scenario.image_name import parse_reference

MIB = 2**20


def downloading(layer: str, current: int, total: int) -> dict[str, Any]:
    return {"status": "Downloading", "id": layer, "progressDetail": {"current": current, "total": total}}


def status(layer: str, text: str) -> dict[str, Any]:
    return {"status": text, "id": layer, "progressDetail": {}}


def lines(*messages: dict[str, Any]) -> list[str]:
    progress = PullProgress("redis:7")
    return [line for message in messages if (line := progress.take(message)) is not None]


def test_a_pull_says_how_much_of_how_much_in_few_lines() -> None:
    said = lines(
        {"status": "Pulling from redis", "id": "7"},
        status("a", "Pulling fs layer"),
        status("b", "Pulling fs layer"),
        downloading("a", 10 * MIB, 20 * MIB),
        # The size of b was not known until now.
        downloading("b", 0, 20 * MIB),
        *(downloading("b", part * MIB // 10, 20 * MIB) for part in range(200)),
        status("a", "Download complete"),
        status("b", "Download complete"),
        status("a", "Pull complete"),
        status("b", "Pull complete"),
        {"status": "Digest: sha256:0"},
    )
    assert said[0] == "pulling redis:7: 10.0 MiB of 40.0 MiB, 0 of 2 layers unpacked"
    assert said[-1] == "pulling redis:7: 40.0 MiB of 40.0 MiB, 2 of 2 layers unpacked"
    assert len(said) <= 11


def test_how_much_has_come_is_known_at_any_time() -> None:
    """For displays with a rate, which ask when they like."""
    progress = PullProgress("web:1")
    assert (progress.done_bytes, progress.total_bytes) == (0, None)
    for message in (status("a", "Pulling fs layer"), status("b", "Pulling fs layer"), downloading("a", 30, 100)):
        progress.take(message)
    assert (progress.done_bytes, progress.total_bytes) == (30, None)
    progress.take(downloading("b", 5, 20))
    progress.take(status("a", "Download complete"))
    assert (progress.done_bytes, progress.total_bytes) == (105, 120)


def test_layers_that_are_there_already() -> None:
    said = lines(
        status("a", "Already exists"),
        status("b", "Pulling fs layer"),
        downloading("b", 5 * MIB, 5 * MIB),
        status("b", "Pull complete"),
    )
    assert said[-1] == "pulling redis:7: 5.00 MiB of 5.00 MiB, 1 of 1 layers unpacked"


def test_a_broken_connection_is_said_once_for_each_attempt() -> None:
    said = lines(
        status("a", "Pulling fs layer"),
        downloading("a", 1 * MIB, 10 * MIB),
        *(status("a", f"Retrying in {left} second{'s'[: left > 1]}") for left in (5, 4, 3, 2, 1)),
        # Only the rest is sent.
        downloading("a", 4 * MIB, 9 * MIB),
        *(status("a", f"Retrying in {left} seconds") for left in (10, 9, 8)),
    )
    retries = [line for line in said if "tries again" in line]
    assert [line.rpartition(" in ")[2] for line in retries] == ["5 s", "10 s"]
    assert said[-2].startswith("pulling redis:7: 4.00 MiB of 10.0 MiB")


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "status": st.sampled_from(
                    ["Downloading", "Pulling fs layer", "Retrying in 5 seconds", "Retrying in ?"]
                ),
                "id": st.sampled_from("ab"),
                "progressDetail": st.one_of(
                    st.none(),
                    st.fixed_dictionaries({"current": st.integers(0, 10**15), "total": st.integers(0, 10**15)}),
                ),
            },
        )
    )
)
def test_no_message_of_an_engine_ends_a_pull(messages: list[dict[str, Any]]) -> None:
    lines(*messages)


# What engines said, with the words that tell people what it was.
SAID = [
    ("manifest for h:1/app:2 not found: manifest unknown: manifest unknown", "there is no image"),
    ('Head "http://h:1/v2/app/manifests/1": no basic auth credentials', "without a login"),
    ("unauthorized: authentication required", "without a login"),
    ("pull access denied for nope, repository does not exist or may require 'docker login': denied", "without a login"),
    ("error parsing HTTP 403 response body: no error details found", "without a login"),
    ("no matching manifest for linux/amd64 in the manifest list entries", "does not exist for linux/amd64"),
    ('image operating system "windows" cannot be used on this platform', "does not exist for linux/amd64"),
    ("no image found in manifest list for architecture amd64, variant , OS linux", "does not exist for linux/amd64"),
    ("filesystem layer verification failed for digest sha256:0", "other content"),
    ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", "disk became full"),
    ("failed to register layer: write /bin/x: no space left on device", "disk became full"),
    ("unexpected EOF", "connection to the registry broke"),
    ("received unexpected HTTP status: 503 Service Unavailable", "connection to the registry broke"),
    ('Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', "does not answer"),
    ('Get "https://h/v2/": dial tcp: lookup h on 127.0.0.1:53: no such host', "does not answer"),
    ("toomanyrequests: You have reached your pull rate limit", "refuses further pulls"),
    ("error parsing HTTP 429 response body: no error details found", "refuses further pulls"),
    ("[DEPRECATION NOTICE] Docker Image Format v1 and manifest version 2, schema 1 support is disabled", "schema 1"),
    ("mediaType in manifest should be 'x' not 'application/vnd.docker.distribution.manifest.v1+prettyjws'", "schema 1"),
    ("Credentials store error: StoreError('docker-credential-pass not installed or not in PATH')", "credentials"),
    ("something new", "could not be pulled"),
]


@pytest.mark.parametrize(("said", "meaning"), SAID)
def test_a_refusal_is_explained(said: str, meaning: str) -> None:
    error = pull_error(parse_reference("h:1/app:2"), said, platform="linux/amd64")
    assert meaning in error.message
    assert "h:1/app:2" in error.message
    assert error.message.endswith(said)
    assert error.hint


def test_the_login_names_the_registry() -> None:
    assert "`docker login h:1`" in pull_error(parse_reference("h:1/a"), "unauthorized", platform="").hint
    assert "`docker login`" in pull_error(parse_reference("redis"), "unauthorized", platform="").hint


def test_what_a_registry_says_is_made_printable_and_short() -> None:
    message = pull_error(parse_reference("a"), "\x1b[31mred\n" + "x" * 10**5, platform="").message
    assert message.isprintable()
    assert len(message) < 700


def test_a_silent_registry() -> None:
    assert "600 s" in silent_pull(parse_reference("a")).message
