"""What differs between the runs of one guest and must not matter: random numbers, and letters that only name things.

A count is exact for its inputs, but a change of nothing is a change of inputs, too: a comment changes the image's
digest, digests are keys of the engines' tables, and the random numbers of a guest depend on when its timers met the
code. So each run after the first gets other letters and other random numbers. Where all runs give one count, changes
of that kind do not move it. Where they do not, their spread is what a count of this image can hide.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

_SEED_STEP: Final = 1_000_003
"""Between the seeds of two runs, so that runs of neighbouring seeds of the user have different ones."""
_PADDING: Final = 29
"""The padding of run N is N times so many copies of a text of 64 bytes. That is no multiple of a page."""


@dataclass(frozen=True)
class Variation:
    """One run of a guest.

    Attributes:
        seed: of the user, for all runs.
        number: of the run, from 0.
    """

    seed: int
    number: int = 0

    @property
    def letters(self) -> str:
        """64 letters of this run: the seed of the guest's random numbers, and a comment in the image's metadata."""
        return hashlib.sha256(f"{self.seed} {self.number}".encode()).hexdigest()

    @property
    def guest_seed(self) -> int:
        """The seed of QEMU's own random numbers, which it hands to a kernel that it boots."""
        return self.seed + self.number * _SEED_STEP

    @property
    def padding(self) -> bytes:
        """A file in the initramfs that moves the pages of all later ones."""
        return self.letters.encode() * (_PADDING * self.number)
