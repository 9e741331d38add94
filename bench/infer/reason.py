"""Why something was chosen that the user did not say."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """One choice as a sentence."""

    text: str
    """Without a full stop: a comment of a scenario file."""
    option: str
    """The option of the command line that changes it, with an example of its value."""

    @property
    def sentence(self) -> str:
        """For the terminal."""
        return f"{self.text} (change with {self.option})."
