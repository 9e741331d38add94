"""The next step after a build that failed."""

from __future__ import annotations

import pytest

from bench.image.stores.failure import build_error

MISSING = 'failed to compute cache key: failed to calculate checksum of ref a1b2::c3: "/app.jar": not found'


@pytest.mark.parametrize(
    ("said", "step"),
    [
        (MISSING, ".dockerignore"),
        ("manifest unknown", "workload.base"),
        ("the --chmod option requires BuildKit", "install docker-buildx"),
        ("exit code: 7", "`docker build` by hand"),
        ("/bin/sh: make: not found", "`docker build` by hand"),
    ],
)
def test_the_hint_follows_the_builder(said: str, step: str) -> None:
    error = build_error(said, (), where="")
    assert said in error.message
    assert step in error.hint
