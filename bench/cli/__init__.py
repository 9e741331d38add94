"""The command line: parse, call one function, print, exit code. Nothing else in the package prints or exits."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Final

import typer

from bench.cli.completion import prepare_completion
from bench.cli.encoding import allow_every_character
from bench.cli.messages import complain, note
from bench.cli.program import PANELS, make_program
from bench.cli.workflow import safe_output
from bench.util.errors import BoxbenchError, BoxbenchWarning, ExitCode, UsageError
from bench.util.interrupts import ended_by_signals
from bench.util.text import plain

_python_shows: Final = warnings.showwarning
_FURTHER: Final = b"boxbench: ending already; waiting until nothing of it is left on the host\n"
_ENDED: Final = ("interrupted before a trial began; nothing was left on the host", "start again")
_ENDED_WITHOUT_BOXES: Final = (
    "interrupted; each file is written whole or stays as it was",
    "start the same command again",
)
_WITHOUT_BOXES: Final = frozenset(
    ("report", "compare", "slides", "figures", "export", "explain", "history", "simulate", "published", "plan")
)
"""Commands that start no box, so that no trial of theirs could have begun."""


def main() -> None:
    """Run the command line. An expected error is printed as one paragraph and ends with its exit code."""
    warnings.showwarning = _show_warning
    _open_missing_streams()
    allow_every_character()
    with safe_output(), ended_by_signals(_note_signal):
        _main()


def _open_missing_streams() -> None:
    """Send nowhere what would go to a stream that the caller has closed. Else errors would go to standard output."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open("/dev/null", "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _main() -> None:
    sys.exit(_with_output_written(_run()))


def _run() -> int:
    """Run a command and say what went wrong. Returns the exit code."""
    try:
        _check_arguments(sys.argv[1:])
        prepare_completion()
        code = make_program()(prog_name="boxbench", standalone_mode=False)
    except BoxbenchError as error:
        complain(error.message, error.hint)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return ExitCode.OK
    except SystemExit as error:
        # rich turns a broken pipe into this. No other code below this line exits.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        _discard_output()
        return ExitCode.OK
    except OSError as error:
        return _system_error(error)
    except Exception as error:
        loop = _loop_of_links(error)
        return _usage_error(error) if loop is None else _system_error(loop)
    # The option parser turns Ctrl-C into this code.
    if code == ExitCode.INTERRUPTED:
        complain(*(_ENDED_WITHOUT_BOXES if _WITHOUT_BOXES.intersection(sys.argv[1:2]) else _ENDED))
    return code if isinstance(code, int) else ExitCode.OK


def _loop_of_links(error: Exception) -> OSError | None:
    """The error of links that lead to each other, which pathlib turns into a RuntimeError; None for any other."""
    cause = error.__context__
    return (
        cause if isinstance(error, RuntimeError) and isinstance(cause, OSError) and cause.errno == errno.ELOOP else None
    )


def _system_error(error: OSError) -> ExitCode:
    """Print an error of the system. Where one needs another hint, it was caught before."""
    where = "" if error.filename is None else f"{error.filename}: "
    complain(f"{where}{error.strerror or error}", "check the path, its owner and mode, and the free space of its disk")
    return ExitCode.ERROR


def _with_output_written(code: int) -> int:
    """Write buffered output, whose error could not be caught when the interpreter exits. Returns the exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        _discard_output()
        if code == ExitCode.OK:
            complain(
                f"standard output cannot be written: {error.strerror}", "make room on its disk, or send it elsewhere"
            )
            return ExitCode.ERROR
    return code


def _note_signal() -> None:
    # A signal handler may interrupt a write to sys.stderr, whose buffer must not be entered twice.
    with contextlib.suppress(OSError):
        os.write(2, _FURTHER)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    """Print a warning of ours as a note; any other as Python does."""
    if issubclass(category, BoxbenchWarning):
        note(f"warning: {message}")
    else:
        _python_shows(message, category, *where, **more)


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


def _command_path(first: Sequence[str]) -> str:
    """The program with its command, for an error that does not say where it was found."""
    known = {name for commands in PANELS.values() for name in commands}
    return " ".join(["boxbench", *(word for word in first if word in known)])


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
    path = getattr(getattr(error, "ctx", None), "command_path", None) or _command_path(sys.argv[1:2])
    listed = "the commands" if path == "boxbench" else "its arguments and options"
    complain(
        error.format_message(), f"`{path} --help` lists {listed}{_paths_with_dash(getattr(error, 'option_name', ''))}"
    )
    return ExitCode.USAGE


def _paths_with_dash(unknown: str) -> str:
    """How to type files whose names the parser has taken for this unknown option; empty where there is none."""

    def is_meant(word: str) -> bool:
        # Each letter behind one dash is an option.
        return word.startswith(unknown) or (unknown[1:] in word and not word.startswith("--") and len(unknown) == 2)

    words = [word for word in sys.argv[1:] if unknown and word.startswith("-") and is_meant(word)]
    there = [f"./{word}" for word in words if word.isprintable() and os.path.lexists(word)]
    return f"; write the path as {shlex.join(there)}" if there else ""
