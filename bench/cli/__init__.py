"""The command line: parse, call one function, print, exit code. Nothing else in the package prints or exits."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from typer.main import get_command

# Each module registers its commands, in the order of `boxbench --help`.
from bench.cli import campaigns, export, gate, history, host, insight, instructions, limits  # noqa: F401
from bench.cli.common import app, complain
from bench.util.errors import BoxbenchError, ExitCode


def main() -> None:
    """Run the command line; every expected error becomes one paragraph and its exit code."""
    # The end of a terminal, of a CI job or of the host ends a campaign as Ctrl-C does: clean, and to be resumed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        code = _commands()(prog_name="boxbench", standalone_mode=False)
    except BoxbenchError as error:
        complain(error.message, error.hint)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        _seen_enough()
        sys.exit(ExitCode.OK)
    except SystemExit as error:
        # What rich makes of a broken pipe; nothing of ours ends like this below here.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        _seen_enough()
        sys.exit(ExitCode.OK)
    except Exception as error:
        sys.exit(_refused(error))
    try:
        # What is still in the buffer would break the pipe at the very end, where nobody can catch it.
        sys.stdout.flush()
    except BrokenPipeError:
        _seen_enough()
    # The option parser turns Ctrl-C into this code.
    if code == ExitCode.INTERRUPTED:
        complain("interrupted before a trial began; nothing was left on the host", "start again")
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _commands() -> Callable[..., object]:
    """All commands, made from their functions."""
    # Nothing that is made here is garbage, and the collector would look for some again and again: people wait for it.
    gc.disable()
    try:
        return get_command(app)
    finally:
        gc.enable()


def _seen_enough() -> None:
    """The reader of our output (head, less) has gone; a second error at exit would be noise."""
    sys.stdout = open("/dev/null", "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _refused(error: Exception) -> ExitCode:
    """Say what the option parser did not understand. Raises what is no such error, a fault of ours."""
    if not hasattr(error, "format_message"):
        raise error
    # The parser has no public names for its errors.
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return ExitCode.USAGE
    from pydantic import ValidationError

    if isinstance(error.__cause__, ValidationError):
        from bench.scenario.validation import first_problem

        # The parser checks values by pydantic, whose words are for programmers and leave out the value.
        error.message = first_problem(error.__cause__)  # type: ignore[attr-defined]
    complain(error.format_message(), "`boxbench --help` lists commands; `boxbench COMMAND --help` their options")
    return ExitCode.USAGE


def _version(wanted: bool) -> None:
    if wanted:
        from bench import __version__

        print(f"boxbench {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version
