"""Which variables have secret values, and what stands in place of a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

NOT_SHOWN: Final = "(not shown)"
"""Stands for the value of a secret variable, in facts of boxes, records, certificates, manifests and reports."""

_IN_TEXT: Final = "..."
"""Stands for a secret value inside another text. No form of text escapes it, and it is shorter than any value."""
_LEAST: Final = 4
"""The characters of the shortest value that is looked for in other texts. A shorter one stands there by chance."""

_WORDS: Final = "TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|KEY"
_SECRET: Final = re.compile(rf"(?:^|_)(?:{_WORDS})_|(?:{_WORDS})$", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether a variable's name has or ends in TOKEN, SECRET, PASSWORD, PASSWD, PASSPHRASE, CREDENTIAL(S) or KEY."""
    return _SECRET.search(name) is not None


def shown(name: str, value: str) -> str:
    """The value of a variable as it may be stored."""
    return NOT_SHOWN if is_secret(name) else value


def secret_values(entries: Iterable[str]) -> tuple[str, ...]:
    """The values to hide in other texts, of those ``NAME=VALUE`` entries that are secret; longest first."""
    pairs = (entry.partition("=") for entry in entries)
    found = {value for name, _, value in pairs if is_secret(name) and len(value) >= _LEAST and value != NOT_SHOWN}
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def secrets_in_words(words: Sequence[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """What in a command has a value that looks secret: names of options (``--password``) and variables.

    Args:
        variables: of the same workload. The values of secret ones are taken out of a command where it is stored.
    """
    known = secret_values(f"{name}={value}" for name, value in variables.items())
    found: dict[str, None] = {}
    for word, after in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if not equals and name.startswith("-") and not after.startswith("-"):
            value = after
        looks_so = re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name) and is_secret(name.lstrip("-").replace("-", "_"))
        if looks_so and value and value not in known:
            found[name] = None
    return tuple(found)


def hide(text: str, values: Iterable[str], *, by: str = _IN_TEXT) -> str:
    """A text without the values in it, as in ``postgres://app:...@db``."""
    for value in values:
        text = text.replace(value, by)
    return text
