"""Accepted changes, from a TOML file with reasons and expiry dates."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.history.line import HistoryError
from bench.scenario.fields import older_label

FILE: Final = "boxbench-acknowledged.toml"
_MAX_BYTES: Final = 2**20


class Acknowledgement(BaseModel):
    """One entry.

    Attributes:
        commit: a commit of the change's range: its hash, or the first 7 or more digits.
        cell, metric, host: shell patterns.
        reason: why the change is accepted; required, so that the entry can be reviewed later.
        until: the last day on which it applies; None means without end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
    reason: Annotated[str, Field(min_length=3)]
    cell: str = "*"
    metric: str = "*"
    host: str = "*"
    until: date | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    acknowledge: tuple[Acknowledgement, ...] = ()


def read_acknowledgements(file: Path) -> tuple[Acknowledgement, ...]:
    """Read the entries of a file.

    Raises:
        HistoryError: it cannot be read or is not TOML, or entries are wrong; lists every mistake.
    """
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise HistoryError(f"{file} is larger than {_MAX_BYTES} bytes", hint="is this the right file?")
        return _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).acknowledge
    except OSError as error:
        raise HistoryError(f"{file}: {error.strerror}", hint="check the path, or leave the option out") from None
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise HistoryError(
            f"{file}: {problems}",
            hint='write [[acknowledge]] with commit = "1a2b3c4", reason = "…" and perhaps cell, metric, host, until',
        ) from None
    except (ValueError, RecursionError) as error:
        # Not TOML, not UTF-8, or a number with more digits than Python reads.
        raise HistoryError(f"{file}: not well-formed TOML: {error}", hint="correct it and try again") from None


def matching(
    entries: Sequence[Acknowledgement], cell: str, metric: str, host: str, commits: Sequence[str]
) -> Iterator[Acknowledgement]:
    """The entries that match a change of one series in the range ``commits``."""
    for entry in entries:
        # Files may have patterns of labels as older reports wrote them.
        spelling = cell if fnmatchcase(cell, entry.cell) else older_label(cell)
        patterns = ((spelling, entry.cell), (metric, entry.metric), (host, entry.host))
        named = any(commit.startswith(entry.commit) for commit in commits)
        if named and all(fnmatchcase(value, pattern) for value, pattern in patterns):
            yield entry
