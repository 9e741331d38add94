"""How base images are made from packages."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec

import pytest

from bench.image import base
from bench.image.stores.base import ImageStore, StoredImage
from bench.scenario.model import Base
from bench.util import cache, proc


def _commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packages: tuple[str, ...]) -> list[str]:
    """The command line of mmdebstrap for these packages."""
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(base, "trusted_sources", lambda: {"main.sources": "Types: deb"})
    monkeypatch.setattr("bench.util.proc.require_tool", lambda name, **_: name)
    called: list[list[str]] = []

    def run(argv: list[str], **_: object) -> proc.Result:
        called.append(argv)
        if argv[0] == "mmdebstrap":
            Path(argv[-2]).touch()
        return proc.Result(tuple(argv), 0, b"", b"", 0)

    monkeypatch.setattr("bench.util.proc.run", run)
    base.ensure_system("boxbench/x", packages)
    return next(argv for argv in called if argv[0] == "mmdebstrap")


@pytest.mark.parametrize("package", ["default-jdk-headless", "openjdk-21-jre-headless"])
def test_java_gets_the_directory_that_its_scripts_need(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    words = _commands(monkeypatch, tmp_path, ("bash", package))
    assert [word for word in words if word.startswith("--essential-hook=")] == [
        '--essential-hook=mkdir -p "$1/usr/share/man/man1"'
    ]


def test_other_images_stay_as_they_were(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = _commands(monkeypatch, tmp_path, ("redis-server",))
    assert "--include=redis-server" in words
    assert not [word for word in words if word.startswith("--essential-hook=")]


def test_the_use_of_a_base_image_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(base, "trusted_sources", lambda: {"main.sources": "Types: deb"})
    wanted = Base(tag="boxbench/base-x:latest", packages=("x",))
    labels = {base.LABEL_KEY: base._key(wanted, {"main.sources": "Types: deb"})}
    found = StoredImage("sha256:abc", {"Labels": labels}, "amd64", "linux", size_bytes=1, layers=())
    store = create_autospec(ImageStore, instance=True)
    store.inspect.return_value = found
    assert base.ensure_base(store, wanted) == wanted.tag
    assert (cache.cache_dir() / "image" / "abc").read_text() == wanted.tag
    store.import_tree.assert_not_called()
