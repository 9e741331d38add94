"""Whether two files are the same but for versions of Boxbench, dates, and the way in which bytes are packed."""

from __future__ import annotations

import gzip
import hashlib
import re
from base64 import b64decode
from pathlib import Path
from typing import Final

_TEXTS: Final = frozenset({".html", ".md", ".json", ".svg"})
_VERSION: Final = re.compile(rb"\bboxbench \d+\.\d+[\w.+-]*")
_DATE: Final = re.compile(rb"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[+]\d\d:\d\d|Z| UTC)?")
"""A verdict has the time at which it was given."""
_PACKED: Final = re.compile(rb"base64,(H4sI[A-Za-z0-9+/=]+)")
"""Data that a page has packed by gzip, whose bytes depend on the version of zlib."""
_LISTING: Final = ".boxbench-files.json"


def is_same(one: Path, other: Path) -> bool:
    """Whether both files have the same content."""
    if one.name == _LISTING:
        return True  # Digests of the files beside it, which are compared themselves.
    return content(one) == content(other)


def content(file: Path) -> bytes:
    """What is compared: text without versions and dates, with unpacked data; all bytes of any other file."""
    raw = file.read_bytes()
    if file.suffix not in _TEXTS:
        return raw
    text = _DATE.sub(b"DATE", _VERSION.sub(b"boxbench VERSION", raw))
    return _PACKED.sub(lambda found: _unpacked(found[1]), text)


def _unpacked(text: bytes) -> bytes:
    return b"sha256:" + hashlib.sha256(gzip.decompress(b64decode(text))).hexdigest().encode()
