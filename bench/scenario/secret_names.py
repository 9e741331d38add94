"""Which variables have secret values, and what stands in place of a value."""

from __future__ import annotations

import re
from typing import Final

NOT_SHOWN: Final = "(not shown)"
"""Stands for the value of a secret variable, in facts of boxes, records, certificates, manifests and reports."""

_WORDS: Final = "TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|KEY"
_SECRET: Final = re.compile(rf"(?:^|_)(?:{_WORDS})_|(?:{_WORDS})$", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether a variable's name has or ends in TOKEN, SECRET, PASSWORD, PASSWD, PASSPHRASE, CREDENTIAL(S) or KEY."""
    return _SECRET.search(name) is not None


def shown(name: str, value: str) -> str:
    """The value of a variable as it may be stored."""
    return NOT_SHOWN if is_secret(name) else value
