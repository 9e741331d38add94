"""Options that the questions to a model share, and the terms that they make."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bench.cli.console import console, print_json_text
from bench.cli.messages import note
from bench.cli.options import some_targets
from bench.cli.simulate.progress import Step
from bench.render.answer_tables import Table
from bench.render.results import Draw, check_place
from bench.render.simulation.page import write_answer
from bench.render.simulation.text import view_answer
from bench.scenario.targets import split_labels
from bench.sim.answer.answer import Answer
from bench.sim.answer.terms import Terms, choose_draws
from bench.sim.engine.jit import why_not_kept
from bench.sim.fleet.spec import default_reserve
from bench.sim.limits import MOST_BOXES, MOST_CPUS, MOST_SEED, MOST_TRIALS
from bench.sim.model.file import edit_warnings, model_digest
from bench.sim.model.schema import Model
from bench.util.errors import UsageError
from bench.util.units import parse_size

SEED: Final = 1
"""The default seed: the same question gives the same answer."""
LEAST_DRAWS: Final = 50
MOST_DRAWS: Final = 10_000
"""Of a fit."""

ModelFile = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A model file, as `boxbench simulate fit` wrote it.", show_default=False),
]
ModelTargets = Annotated[
    str | None,
    typer.Option(
        "--targets",
        "-t",
        metavar="A,B",
        parser=some_targets,
        help="Only these targets of the model, such as docker,libvirt/kvm.",
        show_default="all of the model",
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="A",
        help="The target that the others are compared with.",
        show_default="docker, else the first",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option("--memory", metavar="SIZE", help="Memory of the host, such as 256GiB.", show_default="as measured"),
]
Reserve = Annotated[
    str | None,
    typer.Option(
        "--reserve",
        metavar="SIZE",
        help="Memory that boxes must leave to the host.",
        show_default="a tenth of the memory",
    ),
]


def count_option(name: str, text: str, *, least: int = 1, most: int, default: str | bool = True) -> Any:
    """An option that is a whole number: read as everywhere, without digits of other scripts."""

    def read(given: object) -> int:
        return read_count(name, str(given), least=least, most=most, hint=f"write for example {name} {max(1, least)}")

    return typer.Option(name, metavar="N", parser=read, help=text, show_default=default)


def _cpus(name: str, text: str, default: str) -> Any:
    """An option that is a number of CPUs."""
    return count_option(name, text, most=MOST_CPUS, default=default)


def _boxes(name: str, text: str, *, least: int = 1, default: str | bool = True) -> Any:
    """An option that is a number of boxes on one host."""
    return count_option(name, text, least=least, most=MOST_BOXES, default=default)


def _seed(text: str, default: str | bool = True) -> Any:
    """An option that is a seed."""
    return count_option("--seed", text, least=0, most=MOST_SEED, default=default)


def fit_draws(text: str, *, default: str | bool = True) -> Any:
    """The option that is the number of draws of a fit."""
    return count_option(
        "--draws", f"{text}, {LEAST_DRAWS} to {MOST_DRAWS}.", least=LEAST_DRAWS, most=MOST_DRAWS, default=default
    )


Cpus = Annotated[int | None, _cpus("--cpus", "CPUs of the host.", "as measured")]
VmCpus = Annotated[int | None, _cpus("--vm-cpus", "With --nested: CPUs of a machine.", "1")]
TableCpus = Annotated[int | None, _cpus("--table-cpus", "CPUs of the table's host.", "its line `# cpus: N`")]
Residents = Annotated[int, _boxes("--residents", "Boxes that live on the host already.", least=0)]
PerVm = Annotated[int | None, _boxes("--per-vm", "With --nested: boxes per machine.", default="8")]
FitBelow = Annotated[
    int | None,
    _boxes("--fit-below", "Fit storms of at most N boxes, N included; score the larger ones.", default=False),
]
Interval = Annotated[
    str | None,
    typer.Option(
        "--interval",
        metavar="TIME",
        help="Time from one request to the next, such as 50ms.",
        show_default="all at once",
    ),
]
Poisson = Annotated[
    str | None,
    typer.Option(
        "--poisson",
        metavar="TIME",
        help="Random requests with this mean time from one to the next.",
        show_default=False,
    ),
]
Draws = Annotated[
    int | None, count_option("--draws", "How many of the model's draws to use.", most=MOST_TRIALS, default="all")
]
Replications = Annotated[int, count_option("--replications", "Runs with fresh noise for each draw.", most=1000)]
Seed = Annotated[int, _seed("Seed of the noise.")]
FitSeed = Annotated[int, _seed("The same seed gives the same model.")]
CheckSeed = Annotated[int, _seed("Seed of the fit, of noise and of intervals.")]
SweepSeed = Annotated[int | None, _seed("Seed of all luck.", "the file's")]
Beyond = Annotated[
    bool,
    typer.Option("--beyond", help="Answer even more than 10 times beyond the data. Nothing measured supports that."),
]


def answer_directory(text: str) -> Path:
    """A directory for an answer. Raises UsageError before the work: it holds something else, or cannot be written."""
    directory = Path(text)
    check_place(directory)
    return directory


AnswerOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        parser=answer_directory,
        help="Also write a page, answer.json and figures (SVG light and dark, PNG) into DIR.",
        show_default=False,
    ),
]


def terms_of(
    model: Model, *, seed: int, draws: int | None, replications: int, beyond: bool, step: Step | None = None
) -> Terms:
    """The terms of a question to a model that was read. Raises UsageError: it has fewer draws."""
    chosen = choose_draws(model, draws)
    if len(chosen) * replications > MOST_TRIALS:
        raise UsageError(
            f"{len(chosen)} draws with {replications} replications are more than {MOST_TRIALS} runs",
            hint="ask for fewer --replications or --draws",
        )
    for one in edit_warnings(model):
        if one.target is None:  # without a measured level it is refused by its distance, which would not tell why
            note(one.line)
    note_compilation()
    return Terms(
        model=model,
        digest=model_digest(model),
        seed=seed,
        draws=chosen,
        first=0,
        replications=replications,
        beyond=beyond,
        **({} if step is None else {"say": step.say}),
    )


def note_compilation() -> None:
    """Say once where compiled code is lost at the end of the command."""
    reason = why_not_kept()
    if reason is not None:
        note(
            f"compiled code cannot be kept: {reason}; every command compiles anew, which takes some seconds. Set "
            "NUMBA_CACHE_DIR to a directory of your own"
        )


def labels(targets: str | None) -> list[str] | None:
    """The targets that an option names; None for all of them."""
    return None if targets is None else [label.strip() for label in split_labels(targets)]


def read_sizes(option: str, text: str, *, least: int = 1) -> tuple[int, ...]:
    """Numbers of boxes: ``64``, ``1,2,4`` or ``1,2,4,...,256``, which goes on by the same factor or step.

    Raises UsageError: not a whole number, below ``least``, or not ascending.
    """
    hint = f"write for example {option} 64, or {option} 1,2,4,...,256 for a curve"
    words = [word.strip() for word in text.split(",")]
    if "..." in words:
        return _filled(option, words, least, hint)
    return _ascending(option, [read_count(option, word, least=least, hint=hint) for word in words], hint)


def _filled(option: str, words: list[str], least: int, hint: str) -> tuple[int, ...]:
    place = words.index("...")
    if place < 2 or len(words) != place + 2:
        raise UsageError(f"{option}: '...' needs two numbers before it and one after it", hint=hint)
    given = _ascending(option, [read_count(option, word, least=least, hint=hint) for word in words[:place]], hint)
    last = read_count(option, words[-1], least=least, hint=hint)
    before, size = given[-2:]
    factor = size / before
    by_factor = size % before == 0 and (len(given) < 3 or given[-3] * factor == before)
    found = list(given)
    while size < last:
        size = round(size * factor) if by_factor else size + given[-1] - given[-2]
        if size < last:
            found.append(size)
        if len(found) > MOST_SIZES:
            raise UsageError(f"{option}: more than {MOST_SIZES} sizes", hint=hint)
    return _ascending(option, [*found, last] if last > found[-1] else found, hint)


MOST_SIZES: Final = 100
"""The most points of a curve."""
_WHOLE: Final = re.compile(r"([+-]?)0*([0-9]+)")
_MOST_DIGITS: Final = 18
"""More digits than any limit has: int() would refuse some thousands of them with an error of its own."""


def read_count(option: str, word: str, *, least: int, hint: str, most: int = MOST_BOXES) -> int:
    """A number of boxes on one host, or another one. Raises UsageError: no whole number, too small or too large."""
    # int() alone would take "1_0" and digits of other scripts.
    match = _WHOLE.fullmatch(word)
    if match is None:
        raise UsageError(f"{option}: {word[:40]!r} is not a whole number", hint=hint)
    value = int(match[1] + match[2][: _MOST_DIGITS + 1])
    shown = str(value) if len(match[2]) <= _MOST_DIGITS else f"{value}..."
    if value < least:
        raise UsageError(f"{option}: {shown} is less than {least}", hint=hint)
    if value > most:
        instead = "no host has so many; ask about a fleet instead"
        raise UsageError(f"{option}: {shown} is more than {most}", hint=instead if most == MOST_BOXES else hint)
    return value


def _ascending(option: str, sizes: list[int], hint: str) -> tuple[int, ...]:
    if sorted(set(sizes)) != sizes:
        raise UsageError(f"{option}: {', '.join(map(str, sizes))} does not ascend", hint=hint)
    return tuple(sizes)


def read_bytes(option: str, text: str, *, least: int = 1) -> int:
    """A size such as ``256GiB``. Raises UsageError."""
    try:
        size = parse_size(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint=f"write for example {option} 256GiB") from None
    if size < least:
        raise UsageError(f"{option}: {text} is less than {least} bytes", hint=f"write for example {option} 256GiB")
    return size


def host_memory(model: Model, text: str | None) -> int:
    """The memory of the host: that of ``--memory``, else the measured one. Raises UsageError: neither is known."""
    if text is not None:
        return read_bytes("--memory", text)
    if model.host.memory_bytes is None:
        raise UsageError("the model does not know its host's memory", hint="give --memory, such as --memory 64GiB")
    return model.host.memory_bytes


def host_reserve(text: str | None, memory_bytes: int) -> int:
    """What boxes must leave to the host: that of ``--reserve``, else the default share. Raises UsageError."""
    return default_reserve(memory_bytes) if text is None else read_bytes("--reserve", text, least=0)


def this_command() -> str:
    """The command line that is being run, as it can be run again."""
    return shlex.join(["boxbench", *sys.argv[1:]])


def show_answer(
    answer: Answer, *, out: Path | None, json: bool, draw: Draw, tables: tuple[tuple[str, Table], ...] = ()
) -> None:
    """Print an answer, as JSON or as text, and write its page where one was asked for."""
    page = None if out is None else write_answer(out, answer, draw, command=this_command(), tables=tables)
    if json:
        print_json_text(answer.model_dump_json(indent=2))
        return
    console().print(view_answer(answer))
    if page is not None:
        print(f"page: {page}")
