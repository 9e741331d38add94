"""The manual page boxbench(1), made from the command line itself: ``python -m bench.cli.manpage > man/boxbench.1``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from bench import __version__
from bench.cli.reference import CommandHelp, all_commands
from bench.util.errors import EXIT_MEANINGS

_ESCAPES: Final = str.maketrans(
    {
        "\\": "\\e",
        "-": "\\-",
        "'": "\\(aq",
        "`": "\\(ga",
        "^": "\\(ha",
        "~": "\\(ti",
        '"': "\\(dq",
        "×": "\\(mu",
        "–": "\\(en",
        "…": "\\&...",
        "µ": "\\(mc",
        "→": "\\(->",
    }
)
_VARIABLES: Final = (
    ("BOXBENCH_CACHE", "The directory of the cache, instead of ~/.cache/boxbench."),
    ("BOXBENCH_CACHE_MAX", "What the cache may hold at the end of a campaign, such as 5GiB, or none. 20 GiB if unset."),
    ("BOXBENCH_KERNEL, BOXBENCH_MODULES", "The guest kernel, and the directory with its modules."),
    ("DOCKER_HOST, DOCKER_CONTEXT", "The Docker Engine to use, as for docker."),
)
_FILES: Final = (
    ("~/.cache/boxbench", "What was prepared for boxes: images, disks, kernels, stores of private engines."),
    ("/run/boxbench", "Sockets and mounts of boxes while they run. Of users other than root: in $XDG_RUNTIME_DIR."),
    ("reports/out", "Campaigns for which no directory was named, below the directory of the call."),
)
_NAME: Final = "measure what a workload costs in a VM instead of a container"
_MORE: Final = "docker(1), runc(8), virsh(1), qemu\\-system\\-x86_64(1), hyperfine(1)"


def man_page() -> str:
    """The whole page in troff's language with the macros of man(7). Without a date it changes only with its content."""
    program, *commands = all_commands()
    lines = [
        f'.TH BOXBENCH 1 "" "boxbench {__version__}" "User Commands"',
        *(".SH NAME", f"boxbench \\- {_NAME}"),
        *(".SH SYNOPSIS", ".B boxbench", "\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]"),
        *(".SH DESCRIPTION", *_paragraphs(program.paragraphs)),
        *_sections(program),
        ".SH COMMANDS",
        *(line for command in commands for line in _command(command)),
        *(".SH EXIT STATUS", *_rows((str(int(code)), meaning) for code, meaning in EXIT_MEANINGS.items())),
        *(".SH ENVIRONMENT", *_rows(_VARIABLES)),
        *(".SH FILES", *_rows(_FILES)),
        *(".SH SEE ALSO", _MORE),
    ]
    return "\n".join(lines) + "\n"


def _command(command: CommandHelp) -> Iterator[str]:
    yield f'.SS "{_text(command.path)} {_text(command.usage)}"'
    yield from _paragraphs(command.paragraphs)
    yield from _sections(command)


def _sections(command: CommandHelp) -> Iterator[str]:
    for heading, rows in (*command.sections, *command.panels):
        # The option that every command has would be most of the page's lines.
        listed = [row for row in rows if command.path == "boxbench" or not row[0].startswith("-h,")]
        if listed:
            yield from (".PP", f"{_text(heading)}:", *_rows(listed))


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in rows:
        yield from (".TP", f"\\fB{_text(name)}\\fR", _text(text))


def _paragraphs(paragraphs: Iterable[str]) -> Iterator[str]:
    for text in paragraphs:
        yield from (".PP", _text(text))


def _text(text: str) -> str:
    """Text without anything that troff would obey, as one line."""
    line = re.sub(r"\s+", " ", text).strip().translate(_ESCAPES)
    return f"\\&{line}" if line.startswith(".") else line


if __name__ == "__main__":
    print(man_page(), end="")
