"""What the classic builder is not asked to build."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.image.stores import buildkit
from bench.image.stores.base import BuildOrder, StoreError
from bench.image.stores.classic import refuse_what_needs_buildkit


@pytest.mark.parametrize(
    ("switched", "program", "way"),
    [
        ("1", None, "docker-buildx (Debian, Ubuntu)"),
        ("0", "/x/docker-buildx", "unset DOCKER_BUILDKIT"),
        ("", "/x/docker-buildx", "`/x/docker-buildx version`"),
    ],
)
def test_the_error_names_lines_and_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switched: str, program: str | None, way: str
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", switched)
    monkeypatch.setattr(buildkit, "find_program", lambda: program)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nRUN --mount=type=cache,target=/c x\nCOPY --link a b\n")
    (tmp_path / "Dockerfile.dockerignore").touch()
    order = BuildOrder(tmp_path, "Dockerfile", "x:1", secrets={"tok": tmp_path / "tok"})
    with pytest.raises(StoreError) as caught:
        refuse_what_needs_buildkit(order)
    assert caught.value.message.endswith(
        "Dockerfile:2: RUN --mount; Dockerfile:3: COPY --link; build.secrets: tok; Dockerfile.dockerignore"
    )
    assert way in caught.value.hint


def test_a_plain_dockerfile_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY a b\n")
    (tmp_path / ".dockerignore").touch()
    refuse_what_needs_buildkit(BuildOrder(tmp_path, "Dockerfile", "x:1"))


def test_a_dockerfile_that_vanished_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Dockerfile cannot be read: No such file"):
        refuse_what_needs_buildkit(BuildOrder(tmp_path, "Dockerfile", "x:1"))
