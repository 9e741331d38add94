"""The command lines that measure a campaign again."""

from __future__ import annotations

import shlex
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from bench.analysis.results import Analysis
from bench.records.manifest import Manifest, OriginEntry
from bench.render.text import clean

_KEPT: Final = frozenset(string.ascii_letters + string.digits + string.punctuation) - frozenset("\\'")
"""What stands for itself within ``$'...'``; a blank is escaped, since several could become one."""
_AGAIN: Final = "again"
"""The directory of the new campaign: beside the report that names the commands."""


def redo_command(manifest: Manifest) -> tuple[str, ...]:
    """The command line that measures the same again, from the campaign's directory: with its seed, into a new place."""
    # Two directories may have one name. The last one is then as wrong as the first.
    places = {Path(entry.directory).name: entry.directory for entry in manifest.scenarios.values()}
    words: list[str] = []
    skip = False
    for word in manifest.command:
        if skip or word.startswith("--out="):
            skip = False
            continue
        skip = word in ("--out", "-o")
        if not skip:
            words.append(_from_campaign(word, places))
    words = [_from_place(word, manifest.origin) for word in words]
    return tuple(words) if "--seed" in words else (*words, "--seed", str(manifest.seed))


def _from_place(word: str, origin: OriginEntry | None) -> str:
    """Targets with the path of their model or campaign from the campaign's directory; another word unchanged."""
    if origin is None or not origin.given:
        return word
    return word.replace(f"{origin.source}:{origin.given}", f"{origin.source}:{origin.place}")


def _from_campaign(word: str, places: Mapping[str, str]) -> str:
    """A scenario's path from the campaign's directory; another word unchanged."""
    path = Path(word)
    file = path.suffix in (".yaml", ".yml")
    if not file and "/" not in word and word not in (".", ".."):
        return word
    found = places.get(path.parent.name if file else path.name)
    if found is None and (file or word in (".", "..")) and len(places) == 1 and path.parent.name == "":
        found = next(iter(places.values()))
    if found is None:
        return word
    return str(Path(found) / path.name) if file else found


def redo_lines_of(analysis: Analysis) -> tuple[str, ...]:
    """``redo_lines`` of an analysed campaign, made once: each of its figures has them in its foot."""
    return analysis.once("redo lines", lambda: redo_lines(analysis.manifest))


def redo_lines(manifest: Manifest) -> tuple[str, ...]:
    """The commands that measure the same again, one a line, quoted for a shell: of the first sitting and of each other.

    They are whole, and have no character that a page or a terminal would leave out, so that they can be pasted.
    Their sittings follow each other at once. Between those of the campaign there may have been days.
    """
    first = redo_command(manifest)
    further = _further_blocks(manifest)
    # Simulated and replayed campaigns cannot be resumed: their first command makes all sittings.
    if not further or manifest.origin is not None or first[:1] != ("boxbench",):
        return (_joined(first),)
    return (
        _joined((*first, "--out", _AGAIN)),
        *(shlex.join(("boxbench", "resume", _AGAIN, "-b", str(count))) for count in further),
    )


def _joined(words: Iterable[str]) -> str:
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """A word for a shell; where it has what ``clean`` would change, as ``$'...'``, whose escapes bash and zsh read."""
    if clean(word, limit=len(word)) == word:
        return shlex.quote(word)
    data = word.encode("utf-8", "surrogatepass")
    return "$'" + "".join(chr(byte) if chr(byte) in _KEPT else f"\\x{byte:02x}" for byte in data) + "'"


def _further_blocks(manifest: Manifest) -> tuple[int, ...]:
    """How many measured blocks each sitting after the first has added."""
    sittings: list[set[int]] = [set()]
    measured: set[str] = set()
    for trial in manifest.plan:
        # A sitting begins with warm-ups: of a cell that was measured before, since numbers of warm-ups may differ.
        if trial.warmup and trial.cell.key in measured:
            sittings.append(set())
            measured = set()
        if not trial.warmup:
            sittings[-1].add(trial.block)
            measured.add(trial.cell.key)
    counts = [len(blocks) for blocks in sittings]
    if not any(trial.warmup for trial in manifest.plan):
        # Without warm-ups nothing tells sittings apart: what the scenarios did not ask for is one.
        own = max((entry.scenario.design.blocks for entry in manifest.scenarios.values()), default=counts[0])
        counts = [own, counts[0] - own]
    return tuple(count for count in counts[1:] if count > 0)
