"""A guest's script and the files that the script uses. ``counter/main.c`` describes the directives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bench.agent.boxconf import BoxConfig, encode_word
from bench.instructions.variation import Variation

REF: Final = "docker.io/boxbench/counted:latest"
"""Name of the image in the engines."""
TREE: Final = "/box/tree"
ARCHIVE: Final = "/box/image.tar"


@dataclass
class Recipe:
    """The script of a guest, its files by path, and the programs that it runs."""

    programs: tuple[str, ...] = ()
    needs_archive: bool = False
    lines: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def do(self, verb: str, *words: str) -> None:
        """Append a directive to the script."""
        self.lines.append(" ".join((verb, *map(encode_word, words))))

    @property
    def script(self) -> bytes:
        """The script as the guest reads it."""
        return "".join(f"{line}\n" for line in self.lines).encode("ascii")


@dataclass(frozen=True)
class CountedImage:
    """The image that a guest starts, and the memory limit of the box."""

    config: BoxConfig
    memory_bytes: int
    layer: str
    """Digest of the image's only layer."""
    variation: Variation
