"""Mirrors, proxies and registries of the host's own engine, for a private one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.engines.registries import registry_settings
from bench.util.errors import HostUnfitError


def test_a_private_engine_takes_over_what_concerns_registries_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    about = {
        "registry-mirrors": ["http://127.0.0.1:5001"],
        "insecure-registries": ["10.0.0.0/8"],
        "proxies": {"http-proxy": "http://127.0.0.1:3128"},
    }
    file.write_text(json.dumps({**about, "data-root": "/srv/docker", "hosts": ["tcp://127.0.0.1:2375"], "debug": True}))
    assert registry_settings(file) == about


def test_a_host_without_settings(tmp_path: Path) -> None:
    assert registry_settings(tmp_path / "daemon.json") == {}


@pytest.mark.parametrize(("text", "why"), [("{", "not JSON"), ("[" * 10**5, "not JSON"), ("[]", "not a JSON object")])
def test_a_broken_file_is_not_ignored(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "daemon.json"
    file.write_text(text)
    with pytest.raises(HostUnfitError, match=why) as caught:
        registry_settings(file)
    assert str(file) in caught.value.message


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(HostUnfitError, match="Is a directory"):
        registry_settings(tmp_path)
