"""What the Docker Engine says of its images, for pruning."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.engines.kept import _Docker

OURS = {"boxbench": "1"}


@pytest.mark.parametrize(
    ("tags", "digests", "labels", "superseded"),
    [
        ([], [], OURS, True),
        (["boxbench/web:workload"], [], OURS, False),
        ([], ["registry.example/web@sha256:1"], OURS, False),
        ([], [], {}, False),
        ([], [], None, False),
    ],
)
def test_a_build_without_a_name_was_replaced(
    tags: list[str], digests: list[str], labels: dict[str, str] | None, *, superseded: bool
) -> None:
    """An image that was pulled by its digest, or loaded from an archive, may have no name either."""
    about = {"RepoTags": tags, "RepoDigests": digests, "Config": {"Labels": labels}, "Created": "2026-11-01T00:00:00Z"}
    row = {"Id": "sha256:1", "Size": 30, "SharedSize": 10}
    client = SimpleNamespace(
        api=SimpleNamespace(df=lambda: {"Images": [row]}),
        images=SimpleNamespace(get=lambda _identity: SimpleNamespace(attrs=about)),
    )
    (found,) = _Docker(cast("Any", client)).images()
    assert (found.size_bytes, found.superseded) == (20, superseded)
