"""``boxbench completion``, and the answers to the shell that its scripts ask for."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Final

import typer

VARIABLE: Final = "_BOXBENCH_COMPLETE"
"""Set by the script of a shell that asks what may follow. The option parser reads it."""
_FIRST_TIME: Final = """\
# zsh loads this file at the first Tab and expects an answer to it.
if [[ ${funcstack[1]} == _boxbench ]]; then
  _boxbench_completion
fi"""
"""What typer's script lacks for zsh: without it the first Tab of a session does nothing."""


class Shell(StrEnum):
    """The shells for which there is a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.", show_default=False)],
) -> None:
    """Completes commands and options with the Tab key. The command changes nothing: put its output where your shell
    looks for it. The Debian package has done so.

    boxbench completion bash >> ~/.bash_completion

    boxbench completion zsh > DIR/_boxbench (DIR is one of $fpath)

    boxbench completion fish > ~/.config/fish/completions/boxbench.fish
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined] # noqa: PLC0415 - loads slowly

    script = get_completion_script(prog_name="boxbench", complete_var=VARIABLE, shell=shell.value)
    print(script if shell is not Shell.ZSH else f"{script}\n\n{_FIRST_TIME}")


def prepare_completion() -> None:
    """Teach the option parser its shells, if one of them asks. typer does so only for programs with options for it."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined] # noqa: PLC0415 - loads slowly

        completion_init()
