"""Base images and systems made from the host distribution's packages. They need no image registry."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.host.release import os_release
from bench.host.scratch import scratch
from bench.image.apt_sources import trusted_sources
from bench.image.noted import note_use
from bench.image.stores.base import LABELS, ImageStore, StoreError
from bench.scenario.model import Base
from bench.util import cache, proc
from bench.util.errors import BuildError

LABEL_KEY: Final = "boxbench.base"

RECIPE: Final = "1"
"""Part of the cache key. Raise it when a change of this module makes other images."""

_VARIANTS: Final = {"extract": "extract", "minimal": "essential"}
_DROPPED: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# The host's name, resolver and mirrors must not become part of an image.
_CLEAN: Final = 'cd "$1" && rm -rf etc/hostname etc/resolv.conf etc/apt/sources.list* etc/apt/apt.conf.d/99mmdebstrap'
# Their scripts make links to manuals and fail where the directory is missing (Debian bug 863199).
_LINKS_MANUALS: Final = ("default-jdk", "default-jre", "openjdk-")
_MAKE_MANUALS: Final = 'mkdir -p "$1/usr/share/man/man1"'
_TIMEOUT_S: Final = 900.0


def ensure_base(store: ImageStore, base: Base) -> str:
    """Make sure that the engine has the image ``base.tag``. One that was not made here is used as it is.

    Returns:
        The tag.

    Raises:
        HostUnfitError: mmdebstrap is missing, or there is no trusted package source.
        BuildError: a package does not exist, or the engine refused the image.
    """
    found = store.inspect(base.tag)
    labels = {} if found is None else found.config.get("Labels") or {}
    if found is not None and LABEL_KEY not in labels:
        return base.tag
    sources = trusted_sources()
    key = _key(base, sources)
    if found is not None and labels.get(LABEL_KEY) == key:
        # Without the note it would be the first that the cache's ceiling removes, and making it needs a package source.
        note_use(found.id, base.tag)
        return base.tag
    _import(store, base.tag, _tarball(base, sources), key)
    return base.tag


def ensure_system(name: str, packages: tuple[str, ...]) -> Path:
    """A tar of an installed system: the essential packages and ``packages``. Cached. Raises as ``ensure_base``."""
    return _tarball(Base(tag=name, packages=packages), trusted_sources())


def ensure_unpacked(name: str, packages: tuple[str, ...]) -> Path:
    """A tar of the files of ``packages`` and their dependencies, not configured. Cached. Raises as ``ensure_base``."""
    return _tarball(Base(tag=name, packages=packages, variant="extract"), trusted_sources())


def _tarball(base: Base, sources: dict[str, str]) -> Path:
    return cache.ensure("base", f"{_key(base, sources)}.tar", lambda path: _bootstrap(base, sources, path))


def _key(base: Base, sources: dict[str, str]) -> str:
    names = [f"{name}\n{text}" for name, text in sorted(sources.items())]
    return cache.content_key(RECIPE, base.variant, *base.packages, _codename(), *names)


def _codename() -> str:
    return os_release().get("VERSION_CODENAME", "stable")


def _bootstrap(base: Base, sources: dict[str, str], out: Path) -> None:
    tool = proc.require_tool("mmdebstrap", package="mmdebstrap")
    with scratch() as folder:
        files = []
        for name, text in sources.items():
            file = folder / name
            file.write_text(text, encoding="utf-8")
            files.append(str(file))
        options = [f"--variant={_VARIANTS[base.variant]}", f"--include={','.join(base.packages)}", "--format=tar"]
        options += [f"--dpkgopt=path-exclude={pattern}" for pattern in _DROPPED]
        options += [f"--customize-hook={_CLEAN}", "--skip=output/dev", *_proxy_options()]
        if any(package.startswith(_LINKS_MANUALS) for package in base.packages):
            options.append(f"--essential-hook={_MAKE_MANUALS}")
        # A fixed date makes mmdebstrap's output the same from run to run.
        result = proc.run(
            [tool, *options, _codename(), str(out), *files],
            timeout_s=_TIMEOUT_S,
            check=False,
            env={"SOURCE_DATE_EPOCH": "1"},
        )
    if result.returncode != 0:
        raise BuildError(
            f"base image {base.tag}: mmdebstrap ended with exit code {result.returncode}: {proc.tail(result.stderr)}",
            hint=f"does the distribution have {', '.join(base.packages)}, and is its mirror reachable?",
        )


def _proxy_options() -> list[str]:
    # mmdebstrap runs APT with a configuration of its own, which lacks the host's proxy.
    lines = proc.run(["apt-config", "dump", "--format", "%f %v%n", "Acquire"], timeout_s=20, check=False).text
    pairs = (line.partition(" ") for line in lines.splitlines() if "::proxy" in line.lower())
    return [f'--aptopt={name} "{value}"' for name, _, value in pairs if value and '"' not in value]


def _import(store: ImageStore, tag: str, tarball: Path, key: str) -> None:
    try:
        store.import_tree(tarball, tag, {**LABELS, LABEL_KEY: key})
    except StoreError as error:
        raise BuildError(f"base image {tag}: {error.message}", hint=error.hint) from None
