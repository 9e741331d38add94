"""What podman is asked for, without podman."""

from __future__ import annotations

import io
import resource
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest

from bench.image.stores import podman
from bench.image.stores.base import BuildOrder, StoreError


def options(order: BuildOrder) -> list[str]:
    return list(podman._build_options(order, Path("/ids")))


def pairs(words: list[str]) -> set[tuple[str, str]]:
    return set(pairwise(words))


def test_a_build_has_everything_that_the_scenario_says() -> None:
    order = BuildOrder(
        context=Path("/app"),
        dockerfile="Dockerfile",
        tag="boxbench/app:workload",
        args={"A": "x y", "API_TOKEN": "hidden"},
        network="none",
        target="final",
        secrets={"key": Path("/app/key file")},
    )
    words = options(order)
    assert words[-1] == "/app"
    assert {
        ("--file", "/app/Dockerfile"),
        ("--tag", "boxbench/app:workload"),
        ("--build-arg", "A=x y"),
        ("--build-arg", "API_TOKEN"),
        ("--network", "none"),
        ("--target", "final"),
        ("--secret", "id=key,src=/app/key file"),
        ("--label", "boxbench=1"),
    } <= pairs(words)


def test_the_default_network_is_podmans() -> None:
    assert "--network" not in options(BuildOrder(Path("/app"), "Dockerfile", "t"))


@pytest.mark.parametrize(("hard", "expected"), [(20_000, 20_000), (2**21, 2**20), (resource.RLIM_INFINITY, 2**20)])
def test_limits_of_steps_fit_the_host(monkeypatch: pytest.MonkeyPatch, hard: int, expected: int) -> None:
    """podman's own default, 2**20, is an error on a host with a lower limit."""
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, hard))
    assert ("--ulimit", f"nofile={expected}:{expected}") in pairs(options(BuildOrder(Path("/app"), "D", "t")))


def test_a_missing_working_directory_is_made_as_docker_makes_it(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    assert podman._missing(tmp_path, "/srv/app/data") == ("srv/app", "srv/app/data")
    assert podman._missing(tmp_path, "/srv") == ()
    assert podman._missing(tmp_path, "") == ()
    with tarfile.open(fileobj=io.BytesIO(podman._directories(("srv/app",)))) as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.isdir(), member.mode, member.uid, member.mtime) == ("srv/app", True, 0o755, 0, 0)


def test_nothing_is_made_below_a_link_or_outside(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    assert podman._missing(tmp_path, "/link/app") == ()
    assert podman._missing(tmp_path, "/a/../../etc") == ()


def test_a_foreign_place_is_refused(tmp_path: Path) -> None:
    podman._refuse_foreign(tmp_path, "/.boxbench")
    (tmp_path / ".boxbench").symlink_to("/etc")
    with pytest.raises(StoreError, match="a link to '/etc'"):
        podman._refuse_foreign(tmp_path, "/.boxbench")


def test_a_finished_image_is_no_box_and_has_the_configuration_of_the_plain_one() -> None:
    config = {
        "WorkingDir": "/work dir",
        "Volumes": {"/data": {}, '/a"b': {}},
        "Cmd": ["a", "b\nc"],
        "StopSignal": "SIGINT",
    }
    assert list(podman._changes(config)) == [
        "LABEL boxbench.box=",
        "ENTRYPOINT []",
        r'CMD ["a", "b\nc"]',
        "STOPSIGNAL SIGINT",
        "WORKDIR /work dir",
        r'VOLUME ["/data", "/a\"b"]',
    ]


def test_a_line_break_begins_no_instruction() -> None:
    config = {"WorkingDir": "/a\nUSER 0", "StopSignal": "INT\nUSER 0", "Entrypoint": ["a\nUSER 0"]}
    changes = list(podman._changes(config))
    assert all("\n" not in change for change in changes)
    assert changes == ["LABEL boxbench.box=", r'ENTRYPOINT ["a\nUSER 0"]', "CMD []"]


def test_what_podman_said_of_an_error() -> None:
    lines = ["STEP 1/2: FROM a", "STEP 2/2: RUN b", "warning", "Error: building at STEP: exit status 1"]
    assert podman._error(lines) == "building at STEP: exit status 1"
    assert podman._step(lines) == "'STEP 2/2: RUN b'"
    assert podman._error(["nothing"]) == podman._step(["nothing"]) == ""
