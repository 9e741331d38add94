"""The one script of a page, and the policy under which it runs: by the hash of its text, and without any request."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Final

from bench.util.package_data import templates_dir

FILE: Final = "report.js"
_POLICY: Final = (
    "default-src 'none'; script-src 'sha256-{}'; style-src 'unsafe-inline'; img-src data:; connect-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)


@cache
def script() -> str:
    """The text of the script, without indentation and comments. Raises HostUnfitError: incomplete installation."""
    lines = (line.strip() for line in (templates_dir() / FILE).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def policy(text: str) -> str:
    """The content security policy of a page whose only script has this text."""
    return _POLICY.format(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii"))
