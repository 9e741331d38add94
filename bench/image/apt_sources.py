"""The package sources of the host distribution that can be trusted: signed ones that are not on this host's disks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.host.release import OS_RELEASE, os_release
from bench.util.errors import HostUnfitError

APT: Final = Path("/etc/apt")

_LOCAL: Final = re.compile(r"\b(file|copy|cdrom):", re.IGNORECASE)
_UNSIGNED: Final = re.compile(r"^\s*(trusted|allow-insecure)\s*:\s*yes", re.IGNORECASE | re.MULTILINE)
_UNSIGNED_OPTION: Final = re.compile(r"\b(trusted|allow-insecure)\s*=\s*yes", re.IGNORECASE)
_DISABLED: Final = re.compile(r"^\s*enabled\s*:\s*no", re.IGNORECASE | re.MULTILINE)
_SIGNED_BY: Final = re.compile(r"signed-by\s*[:=]\s*\[?\s*(\S+)", re.IGNORECASE)


def trusted_sources(apt: Path = APT, release: Path = OS_RELEASE) -> dict[str, str]:
    """Configuration files for APT, content by name, with only those entries of the host's that are signed and remote.

    When some entries are signed with the distribution's archive key, those of other vendors are left out: a base image
    is made from the distribution, whatever else this host has installed.

    Raises:
        HostUnfitError: there is no such entry.
    """
    one_line = [line for file in _files(apt, "*.list", "sources.list") for line in _lines(file)]
    stanzas = [stanza for file in _files(apt, "*.sources") for stanza in _stanzas(file)]
    own = re.compile(rf"{re.escape(os_release(release).get('ID', 'debian'))}[^/]*archive", re.IGNORECASE)
    if any(_is_own(entry, own) for entry in one_line + stanzas):
        one_line = [entry for entry in one_line if _is_own(entry, own)]
        stanzas = [entry for entry in stanzas if _is_own(entry, own)]
    found = {}
    if one_line:
        found["host.list"] = "\n".join(one_line) + "\n"
    if stanzas:
        found["host.sources"] = "\n\n".join(stanzas) + "\n"
    if not found:
        raise HostUnfitError(
            f"no signed remote package source was found in {apt}",
            hint="base images need a Debian or Ubuntu host; on other hosts name an existing image in FROM",
        )
    return found


def _is_own(entry: str, own: re.Pattern[str]) -> bool:
    signed_by = _SIGNED_BY.search(entry)
    return signed_by is None or own.search(signed_by[1]) is not None


def _files(apt: Path, pattern: str, main: str | None = None) -> list[Path]:
    parts = sorted((apt / "sources.list.d").glob(pattern))
    return [apt / main, *parts] if main is not None and (apt / main).is_file() else parts


def _lines(file: Path) -> Iterator[str]:
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        entry = line.split("#", 1)[0].strip()
        if entry.startswith(("deb ", "deb\t")) and not _LOCAL.search(entry) and not _UNSIGNED_OPTION.search(entry):
            yield entry


def _stanzas(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8", errors="replace")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        if not re.search(r"^types\s*:.*(?<![\w-])deb(?![\w-])", stanza, re.IGNORECASE | re.MULTILINE):
            continue
        if not (_LOCAL.search(stanza) or _UNSIGNED.search(stanza) or _DISABLED.search(stanza)):
            yield stanza.strip()
