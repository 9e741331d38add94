"""A guest's script and the files that it needs for it: see ``counter.c`` for the directives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bench.agent.boxconf import BoxConfig, encode_word

REF: Final = "docker.io/boxbench/counted:latest"
"""What engines call the image."""
TREE: Final = "/box/tree"
ARCHIVE: Final = "/box/image.tar"


@dataclass
class Recipe:
    """A guest: its script, its files by path, the programs it runs."""

    programs: tuple[str, ...] = ()
    needs_archive: bool = False
    lines: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def do(self, verb: str, *words: str) -> None:
        """Add a directive."""
        self.lines.append(" ".join((verb, *map(encode_word, words))))

    @property
    def script(self) -> bytes:
        """As the guest reads it."""
        return "".join(f"{line}\n" for line in self.lines).encode("ascii")


@dataclass(frozen=True)
class CountedImage:
    """What is started."""

    config: BoxConfig
    memory_bytes: int
    layer: str
    """Digest of the image's one layer."""
