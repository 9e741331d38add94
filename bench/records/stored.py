"""Files of results that a command reads back: each is one JSON value of a known form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from bench.scenario.validation import first_problem
from bench.util.errors import CampaignError
from bench.util.nofollow import read_regular

EDITED: Final = "the file was edited, or written by another version of boxbench"

_Form = TypeVar("_Form")


def read_stored(
    file: Path, parse: Callable[[bytes], _Form], *, absent: str, place: str, wrong: str, again: str = ""
) -> _Form:
    """What a file holds.

    Args:
        parse: raises pydantic's ValidationError when the content has another form.
        absent: what the file's directory then is not, for the error's message: ``out holds no floor``.
        place: the next step when the file is missing.
        wrong: what the file is not when its form is another: ``not a floor``.
        again: the next step then, beyond what may have happened to the file.

    Raises:
        CampaignError: the file is missing, cannot be read, is no regular file, or has another form.
    """
    try:
        return parse(read_regular(file))
    except OSError as error:
        raise CampaignError(f"{absent}: {file.name}: {error.strerror}", hint=place) from None
    except ValidationError as error:
        raise CampaignError(f"{file}: {wrong}: {first_problem(error)}", hint=f"{EDITED}{again}") from None
