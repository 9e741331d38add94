"""The command line: parse, call one function, print, exit code. Nothing else in the package prints or exits."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

import typer

from bench.cli.messages import complain
from bench.cli.program import make_program
from bench.util.errors import BoxbenchError, ExitCode, UsageError
from bench.util.text import plain


def main() -> None:
    """Run the command line. An expected error is printed as one paragraph and ends with its exit code."""
    # A closed terminal, a stopped CI job or a shutdown ends a campaign as Ctrl-C does: clean, and ready to resume.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        _check_arguments(sys.argv[1:])
        code = make_program()(prog_name="boxbench", standalone_mode=False)
    except BoxbenchError as error:
        complain(error.message, error.hint)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        sys.exit(ExitCode.OK)
    except SystemExit as error:
        # rich turns a broken pipe into this. No other code below this line exits.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        _discard_output()
        sys.exit(ExitCode.OK)
    except Exception as error:
        sys.exit(_usage_error(error))
    try:
        # Buffered output would otherwise break the pipe at interpreter exit, where it cannot be caught.
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    # The option parser turns Ctrl-C into this code.
    if code == ExitCode.INTERRUPTED:
        complain("interrupted before a trial began; nothing was left on the host", "start again")
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _check_arguments(words: Sequence[str]) -> None:
    """Raise UsageError for an argument that is not UTF-8 text: it is stored in the manifest, which is JSON."""
    for word in words:
        if not _is_utf8(word):
            raise UsageError(
                f"the argument '{plain(word)}' is not UTF-8 text",
                hint="rename the file or directory, or change the value",
            )


def _is_utf8(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _discard_output() -> None:
    """The reader of our output (head, less) has gone: send the rest nowhere, so that exit raises no second error."""
    sys.stdout = open("/dev/null", "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _usage_error(error: Exception) -> ExitCode:
    """Print an error of the option parser. Raises every other error, since it is a bug."""
    if not hasattr(error, "format_message"):
        raise error
    # The parser's error classes are private, so they are recognised by name.
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return ExitCode.USAGE
    if type(error.__cause__).__name__ == "ValidationError":
        # Imported here because pydantic takes longer to import than `--help` may take.
        from bench.scenario.validation import first_problem  # noqa: PLC0415

        # The parser checks values with pydantic, whose message is for programmers and lacks the value.
        error.message = first_problem(error.__cause__)  # type: ignore[attr-defined, arg-type]
    path = getattr(getattr(error, "ctx", None), "command_path", "boxbench")
    listed = "the commands" if path == "boxbench" else "its arguments and options"
    complain(error.format_message(), f"`{path} --help` lists {listed}")
    return ExitCode.USAGE
