"""``boxbench init``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from bench.cli.image_options import image_options, parsed_size
from bench.cli.messages import complain
from bench.cli.oneline import SCENARIO_FILE, draft_for, explain, wanted_of
from bench.cli.options import NoRootControl, Targets
from bench.infer.draft import Draft, draft_text
from bench.infer.generate import Wanted, generated
from bench.infer.given import NOTHING_GIVEN, Given
from bench.infer.ready import FORMS, CannotTellError, parse_ready, ready_text
from bench.infer.subject import Subject, parse_subject
from bench.scenario.factors import format_level
from bench.scenario.model import load_scenario
from bench.scenario.secrets import secret_names
from bench.scenario.targets import TargetSpec, parse_targets, split_labels
from bench.util.durable import write_durably
from bench.util.errors import UsageError
from bench.util.package_data import find_scenario
from bench.util.paths import exists

Answer = TypeVar("Answer")

_READY: Final = f"Ready when ({FORMS})"

Named = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE|DIR|FILE",
        help="An image (redis:7, oci-archive:FILE), a Dockerfile, a directory with one, or compose.yaml:SERVICE.",
        show_default=False,
    ),
]
Directory = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Directory for scenario.yaml.",
        show_default="that of the Dockerfile or compose file; for an image ./NAME",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a scenario.yaml that exists.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take what is inferred.")]


@image_options
def init(
    source: Named,
    out: Directory = None,
    targets: Targets = None,
    no_root_control: NoRootControl = False,
    force: Force = False,
    yes: Yes = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Builds or pulls the image, runs it once to see when it is ready, and asks what to write. Without a terminal it
    asks nothing. `boxbench run DIR` runs the scenario."""
    subject = parse_subject(source, scenarios_first=False)
    if subject is None:
        load_scenario(find_scenario(source))
        raise UsageError(f"{source} is a scenario already", hint=f"run it: `boxbench run {shlex.quote(source)}`")
    file = _place(subject, out) / SCENARIO_FILE
    # Before the image is built, which takes long.
    if exists(file) and not force:
        raise UsageError(f"{file} exists", hint="choose another directory with -o, or replace it with --force")
    labels = None if targets is None else split_labels(targets)
    wanted = wanted_of(labels, None, no_root_control=no_root_control)
    draft = _draft(subject, given, wanted, asks=not yes and sys.stdin.isatty(), asks_targets=targets is None)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, draft_text(draft, relative_to=file.parent.absolute()).encode())
    print(f"wrote {file}\nrun it with `boxbench run {shlex.quote(str(file.parent))}`")
    secrets = secret_names(load_scenario(file).scenario.workload)
    if secrets:
        print(f"the values of {', '.join(secrets)} are in it as they are: keep the file out of repositories")


def _place(subject: Subject, out: Path | None) -> Path:
    if out is not None:
        return out
    return Path(subject.name) if subject.kind == "image" or subject.path is None else subject.path.parent


def _draft(subject: Subject, given: Given, wanted: Wanted, *, asks: bool, asks_targets: bool) -> Draft:
    """The draft with the user's answers. It was checked as a whole."""
    try:
        draft, source = draft_for(subject, given, wanted, look=True)
    except CannotTellError as error:
        if not asks:
            raise
        complain(error.message, error.hint)
        given = replace(given, ready=_ask(_READY, None, parse_ready))
        draft, source = draft_for(subject, given, wanted, look=True)
    explain(draft)
    draft = _asked(draft, asks_targets=asks_targets) if asks else draft
    generated(draft, source.directory)
    return draft


def _asked(draft: Draft, *, asks_targets: bool) -> Draft:
    """Ask about everything that was chosen and not said. An answer that differs has no reason any more."""
    ready, resources, targets = draft.ready, dict(draft.resources), tuple(draft.targets)
    if "ready" in draft.why:
        ready = _ask(_READY, ready_text(draft.ready), parse_ready)
    for key, question in (("memory", "Memory of a box"), ("disk", "Disk of a box")):
        if key in draft.why:
            size = _ask(question, str(resources[key]), partial(parsed_size, f"--{key}"))
            resources[key] = format_level(size)
    if "cpus" in draft.why:
        resources["cpus"] = _ask("CPUs of a box", str(resources["cpus"]), _count)
    if asks_targets:
        targets = _ask("Boxes, separated by commas", ",".join(spec.label for spec in targets), _targets)
    same = {"ready": ready == draft.ready, "targets": targets == tuple(draft.targets)}
    same |= {key: value == draft.resources[key] for key, value in resources.items()}
    labels = [spec.label for spec in targets]
    return replace(
        draft,
        ready=ready,
        resources=resources,
        targets=targets,
        baseline=draft.baseline if draft.baseline in labels else labels[0],
        why={key: reason for key, reason in draft.why.items() if same.get(key, True)},
    )


def _ask(question: str, default: str | None, parse: Callable[[str], Answer]) -> Answer:
    """Ask until the answer can be parsed. Raises typer.Abort at the end of the input."""
    while True:
        text = typer.prompt(question, default=default, err=True)
        try:
            return parse(text)
        except UsageError as error:
            complain(error.message, error.hint)


def _targets(text: str) -> tuple[TargetSpec, ...]:
    return parse_targets(tuple(label.strip() for label in split_labels(text)))


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 256:
        raise UsageError(f"{text[:40]!r} is no number from 1 to 256", hint="write for example 1")
    return int(text)
