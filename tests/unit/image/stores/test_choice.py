"""Which engine holds the images: Docker, and podman only where no Docker can be had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.engines.lazy import Engines
from bench.image.stores import choice
from bench.image.stores.docker import DockerStore
from bench.util import proc
from bench.util.errors import HostUnfitError


class FakeEngines:
    """A host whose Docker Engine can be had or not."""

    def __init__(self, *, has_docker: bool) -> None:
        self.asked = 0
        self._has_docker = has_docker

    @property
    def docker(self) -> Any:
        self.asked += 1
        if not self._has_docker:
            raise HostUnfitError("no Docker Engine answers", hint="install it")
        return SimpleNamespace(client=object())


class FakePodman:
    """Stands for the real one, which starts a process."""


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The programs of a made-up host."""
    found: set[str] = set()
    monkeypatch.setattr(proc, "find_tool", lambda name: f"/usr/bin/{name}" if name in found else None)
    monkeypatch.setattr(choice, "PodmanStore", FakePodman)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return found


def store_of(engines: FakeEngines) -> object:
    return choice.image_store(cast("Engines", engines))


def test_docker_comes_first(tools: set[str]) -> None:
    tools.add("podman")
    assert isinstance(store_of(FakeEngines(has_docker=True)), DockerStore)


def test_podman_where_no_docker_is(tools: set[str]) -> None:
    tools.add("podman")
    engines = FakeEngines(has_docker=False)
    assert isinstance(store_of(engines), FakePodman)
    assert store_of(engines) is store_of(engines)
    assert engines.asked == 1


def test_podman_where_a_private_docker_would_need_root(tools: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tools.update(("podman", "dockerd"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert isinstance(store_of(FakeEngines(has_docker=False)), FakePodman)


def test_neither(tools: set[str]) -> None:
    with pytest.raises(HostUnfitError, match="this host has neither") as caught:
        store_of(FakeEngines(has_docker=False))
    assert "install the packages docker.io and docker-buildx, or podman" in caught.value.hint
    assert not tools


def test_a_docker_that_needs_root_where_no_podman_is(tools: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tools.add("dockerd")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(HostUnfitError, match="no Docker Engine answers"):
        store_of(FakeEngines(has_docker=False))


def test_a_docker_that_fails_is_not_replaced_silently(tools: set[str]) -> None:
    tools.update(("podman", "dockerd"))
    with pytest.raises(HostUnfitError):
        store_of(FakeEngines(has_docker=False))


def test_a_named_docker_is_not_replaced(tools: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tools.add("podman")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with pytest.raises(HostUnfitError):
        store_of(FakeEngines(has_docker=False))
