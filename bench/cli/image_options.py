"""Options about an image, for every command that takes a scenario: one list, whose values a command gets as one."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import typer

from bench.cli.completing import one_of
from bench.infer.given import Given
from bench.infer.ready import FORMS, ReadyKeys, parse_ready
from bench.scenario.secrets import NOT_SHOWN, hide, is_secret, secret_values
from bench.util.errors import UsageError
from bench.util.paths import is_file
from bench.util.units import parse_size

PANEL: Final = "Options for images and Dockerfiles"
_ENV: Final = "--env"
_BUILD_ARG: Final = "--build-arg"
_NETWORKS: Final = ("default", "none", "host")
_PULLS: Final = ("missing", "always", "never")


def _option(*names: str, metavar: str, text: str, default: str | bool, **more: Any) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, show_default=default, rich_help_panel=PANEL, **more)


_Ready = Annotated[
    str | None, _option("--ready", metavar="WHEN", text=f"When it is ready: {FORMS}.", default="from the image")
]
_Memory = Annotated[str | None, _option("--memory", metavar="SIZE", text="Memory of a box.", default="from the image")]
_Cpus = Annotated[int | None, _option("--cpus", metavar="N", min=1, max=256, text="CPUs of a box.", default="1")]
_Disk = Annotated[str | None, _option("--disk", metavar="SIZE", text="Disk of a box.", default="from the image")]
_Command = Annotated[
    str | None,
    _option("--command", metavar="WORDS", text="Replaces the image's CMD; quotes as in a shell.", default=False),
]
_Env = Annotated[
    list[str] | None,
    _option(
        _ENV, metavar="NAME=VALUE", text="A variable of the workload; NAME alone takes yours. Repeat it.", default=False
    ),
]
_BuildArg = Annotated[
    list[str] | None,
    _option(_BUILD_ARG, metavar="NAME=VALUE", text="An ARG of the Dockerfile. Repeat it.", default=False),
]
_BuildTarget = Annotated[
    str | None, _option("--build-target", metavar="STAGE", text="The stage of the Dockerfile.", default="the last")
]
_BuildNetwork = Annotated[
    str | None,
    _option(
        "--build-network",
        metavar="default|none|host",
        text="The network of the Dockerfile's RUN steps.",
        default="default",
        autocompletion=one_of(_NETWORKS),
    ),
]
_Secret = Annotated[
    list[str] | None,
    _option("--secret", metavar="ID=FILE", text="A secret of RUN --mount=type=secret. Repeat it.", default=False),
]
_Pull = Annotated[
    str | None,
    _option(
        "--pull",
        metavar="missing|always|never",
        text="When an image is pulled.",
        default="missing",
        autocompletion=one_of(_PULLS),
    ),
]


def _given_from(
    ready: _Ready = None,
    memory: _Memory = None,
    cpus: _Cpus = None,
    disk: _Disk = None,
    command: _Command = None,
    env: _Env = None,
    build_arg: _BuildArg = None,
    build_target: _BuildTarget = None,
    build_network: _BuildNetwork = None,
    secret: _Secret = None,
    pull: _Pull = None,
) -> Given:
    """The options as one value. Raises UsageError for each that is malformed."""
    return Given(
        ready=_parsed_ready(ready),
        memory=_size("--memory", memory),
        cpus=cpus,
        disk=_size("--disk", disk),
        command=_words(command),
        env=_pairs(_ENV, env),
        build_args=_pairs(_BUILD_ARG, build_arg),
        build_target=build_target,
        build_network=_one_of("--build-network", build_network, _NETWORKS),
        secrets=_files(secret),
        pull=_one_of("--pull", pull, _PULLS),
    )


def image_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options: its parameter ``given`` has their value."""
    own = inspect.signature(command)
    ours = inspect.signature(_given_from)

    @wraps(command)
    def with_options(**values: Any) -> None:
        given = _given_from(**{name: values.pop(name) for name in ours.parameters if name in values})
        command(**values, given=given)

    hints = {**get_type_hints(command, include_extras=True), **get_type_hints(_given_from, include_extras=True)}
    parameters = [one for one in (*own.parameters.values(), *ours.parameters.values()) if one.name != "given"]
    kind = inspect.Parameter.KEYWORD_ONLY
    with_options.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[one.replace(kind=kind, annotation=hints[one.name]) for one in parameters]
    )
    # The parser reads both. It would look for the names of our types in the module of the command.
    with_options.__annotations__ = {one.name: hints[one.name] for one in parameters}
    del with_options.__wrapped__
    return with_options


def command_line() -> tuple[str, ...]:
    """The command line of this program, as a manifest stores it."""
    return ("boxbench", *stored_command(sys.argv[1:]))


def stored_command(words: Sequence[str]) -> tuple[str, ...]:
    """A command line as it may be stored: without the values of secret variables, also where they stand in others."""
    pairs = list(_pairs_in(words))
    values = secret_values(pair for _, pair in pairs if pair is not None)
    return tuple(
        hide(f"{before}{'' if pair is None else _hidden(pair)}", values, by=NOT_SHOWN) for before, pair in pairs
    )


def _pairs_in(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Each word as what comes before a ``NAME=VALUE`` in it, and that, None where it has none of the options'."""
    is_value = False
    for word in words:
        name, equals, rest = word.partition("=")
        if is_value:
            yield "", word
        elif name in (_ENV, _BUILD_ARG) and equals:
            yield f"{name}=", rest
        else:
            yield word, None
        is_value = not is_value and word in (_ENV, _BUILD_ARG)


def _hidden(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={NOT_SHOWN}" if equals and is_secret(name) else pair


def _parsed_ready(text: str | None) -> ReadyKeys | None:
    return None if text is None else parse_ready(text)


def parsed_size(option: str, text: str) -> int:
    """The bytes of an option. Raises UsageError, which names the option."""
    try:
        size = parse_size(text)
        if not 0 < size <= 2**50:
            raise ValueError(f"{text[:40]!r} is not between 1B and 1048576GiB")
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint=f"write for example {option} 512MiB") from None
    return size


def _size(option: str, text: str | None) -> int | None:
    return None if text is None else parsed_size(option, text)


def _words(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--command {text!r}: {error}", hint="close each quote, as in a shell") from None
    if not words:
        raise UsageError("--command names nothing to run", hint="write it like --command 'PROGRAM ARGUMENT'")
    return words


def _pairs(option: str, texts: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not name:
            raise UsageError(f"{option} {text!r} names no variable", hint=f"write it like {option} NAME=VALUE")
        if not equals and name not in os.environ:
            raise UsageError(
                f"{option} {name}: your environment has no variable of this name",
                hint=f"export it, or write {option} {name}=VALUE",
            )
        found[name] = value if equals else os.environ[name]
    return found


def _files(texts: Sequence[str] | None) -> Mapping[str, str]:
    found = {}
    for text in texts or ():
        name, equals, file = text.partition("=")
        if not name or not equals or not file:
            raise UsageError(f"--secret {text!r} is not of the form ID=FILE", hint="write it like --secret token=file")
        if not is_file(Path(file)):
            raise UsageError(
                f"--secret {text!r}: {file} is not a file",
                hint=f"write a path that {Path.cwd()} has, or an absolute one",
            )
        found[name] = file
    return found


def _one_of(option: str, text: str | None, words: Sequence[str]) -> str | None:
    if text is not None and text not in words:
        raise UsageError(
            f"{option} {text}: there is no such choice", hint=f"write {', '.join(words[:-1])} or {words[-1]}"
        )
    return text
