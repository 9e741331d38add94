"""The command line that measures a campaign again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.records.manifest import Manifest, OriginEntry


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
