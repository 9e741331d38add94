"""The next step after a build that failed, where the Dockerfile and its context say more than the builder."""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Final

from bench.image.stores.base import BuildOrder
from bench.image.stores.buildkit import read_dockerfile
from bench.scenario.model import Base, load_scenario
from bench.util.package_data import find_scenario, shipped_scenarios
from bench.util.paths import is_directory
from bench.util.text import plain

OURS: Final = "boxbench/base-"
"""How the tags of images begin that are made from this host's packages."""
_NO_REGISTRY: Final = (
    "no registry answered; `boxbench init` writes a scenario, whose workload.base makes the image of FROM from this "
    "host's packages"
)
_MOST_FILES: Final = 2000
_REGISTRY: Final = re.compile(
    r"/v2/|pull access denied|manifest unknown|registry|resolve source metadata", re.IGNORECASE
)
_NO_SHELL: Final = re.compile(r'"/bin/sh": (?:stat /bin/sh: )?no such file or directory')
_MISSING: Final = (
    re.compile(r'(?:checksum|cache key).*"/?([^"]+)": not found', re.DOTALL),  # BuildKit
    re.compile(r"excluded by \.dockerignore: stat (\S+): file does not exist"),  # Docker's classic builder
    re.compile(r'copier: stat: "/?([^"]+)": no such file'),  # podman
)
_FROM: Final = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE | re.MULTILINE)


def build_hint(message: str, order: BuildOrder, base: Base | None) -> str | None:
    """A next step that the builder cannot know; None if there is none.

    Args:
        message: the builder's error.
        base: the image that the scenario has made from packages.
    """
    if _NO_SHELL.search(message):
        return "RUN in shell form or with a heredoc needs /bin/sh: run it in a stage that has one, and COPY the result"
    # What the steps printed follows the builder's words, indented. It may name registries and files of its own.
    words = message.partition("\n    ")[0]
    if _REGISTRY.search(words):
        return _about_base(order, base)
    return next((_about_file(match[1], order.context) for form in _MISSING if (match := form.search(words))), None)


def _about_base(order: BuildOrder, base: Base | None) -> str | None:
    """FROM names an image of ours that nobody has made, or nearly names it."""
    names = [name for name in _FROM.findall(read_dockerfile(order)) if name.startswith(OURS)]
    wrong = next((name for name in names if base is None or _tagged(name) != base.tag), None)
    if wrong is None:
        return _NO_REGISTRY if base is None else None
    if base is not None:
        return f"FROM says {plain(wrong)[:100]}, and workload.base makes {base.tag}: use one name in both"
    known = {found.tag: name for name in shipped_scenarios() if (found := _base_of(name)) is not None}
    meant = get_close_matches(_tagged(wrong), known, n=1, cutoff=0.8)
    like = f"; the bundled scenario {known[meant[0]]} has {meant[0]}" if meant else ""
    return (
        f"no registry has {plain(wrong)[:100]}: workload.base of a scenario makes it (`boxbench init` writes one){like}"
    )


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _base_of(name: str) -> Base | None:
    return load_scenario(find_scenario(name)).scenario.workload.base


def _about_file(wanted: str, context: Path) -> str:
    """COPY or ADD names a path that the context lacks."""
    path = PurePosixPath(wanted.lstrip("/"))
    folder = context / path.parent
    inside: list[str] = []
    # A folder that we may not read has no names for us.
    with suppress(OSError):
        inside = sorted(file.name for file in folder.iterdir())[:_MOST_FILES] if is_directory(folder) else []
    meant = get_close_matches(path.name, inside, n=1)
    step = "paths of COPY and ADD are relative to the build context; .dockerignore may leave the file out"
    return f"did you mean {plain(str(path.parent / meant[0]))}? {step}" if meant else step
