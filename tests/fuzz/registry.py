"""All fuzzed readers."""

from __future__ import annotations

from typing import Final

from tests.fuzz import documents, exercises, host, image, programs, protocol, reports, stored, trace, wire, words
from tests.fuzz.reader import Reader

READERS: Final[dict[str, Reader]] = {
    reader.name: reader
    for module in (documents, protocol, stored, trace, wire, host, image, words, exercises, reports, programs)
    for reader in module.READERS
}
