"""The file ``gate.json``: written whole, read back, and compared with a second judgement."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from bench.gate.model import RESULT, GateResult, Verdict
from bench.scenario.validation import first_problem
from bench.util.errors import RecordError
from bench.util.nofollow import read_regular
from bench.util.result_file import write_result_file

_LABELS: Final = frozenset({"created_at", "boxbench"})
"""Fields that say when and by which version a judgement was made."""


def write_result(result: GateResult, out: Path) -> None:
    """Store a result in a gate's directory. Raises ResultError: what it was made from is kept."""
    # Fixed limits are checked in a moment, and have no A.
    again = "the same command" if result.a is None else f"`boxbench gate judge {shlex.quote(str(out))}`"
    write_result_file(
        out / RESULT,
        result.model_dump_json(indent=1) + "\n",
        hint=f"the measurements are kept: make room, then {again} gives the verdict",
    )


def read_result(out: Path) -> GateResult:
    """The result in a gate's directory. Raises RecordError: it is missing or damaged."""
    file = out / RESULT
    try:
        return GateResult.model_validate_json(read_regular(file))
    except (OSError, ValidationError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else error.strerror
        raise RecordError(
            f"{file} is not a gate's result: {problem}",
            hint="the file was edited, or is of another version of boxbench; the result of `boxbench gate compare` is "
            f"made again by `boxbench gate judge {shlex.quote(str(out))}`",
        ) from None


def differences(stored: GateResult, judged: GateResult) -> tuple[str, ...]:
    """What a second judgement says otherwise, one sentence each; empty when both are equal but for their dates."""
    old, new = (json.loads(result.model_dump_json(exclude=set(_LABELS))) for result in (stored, judged))
    rows = [_verdicts(result) for result in (stored, judged)]
    found = [
        f"{name}: {before} then, {rows[1][name]} now"
        for name, before in rows[0].items()
        if name in rows[1] and before is not rows[1][name]
    ]
    found += [f"{name}: only the stored result has it" for name in rows[0] if name not in rows[1]]
    found += [f"{name}: the stored result does not have it" for name in rows[1] if name not in rows[0]]
    # Values may be long, so only the names of the fields.
    return tuple(found) or tuple(f"{key} is different" for key in old if old[key] != new[key])


def _verdicts(result: GateResult) -> dict[str, Verdict]:
    return {row.name: row.verdict for row in result.rows} | {bound.name: bound.verdict for bound in result.bounds}
