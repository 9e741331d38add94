"""Checks the documentation: commands, links, paths, DESIGN's packages and numbers, the JSON Schema, banned words.

Run as ``python -m tests.docs_check``. It prints every problem with its file and line, and exits with 1 if there is one.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bench.scenario.schema import scenario_schema
from bench.util import proc

ROOT: Final = Path(__file__).parent.parent
SCHEMA: Final = "scenarios/scenario.schema.json"
PUBLISHED: Final = "reports/published/"
DESIGN: Final = "DESIGN.md"

# The options of each command. The empty command has the options of the program itself.
Commands = Mapping[str, frozenset[str]]

_FENCE: Final = re.compile(r"^\s*(```|~~~)")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_SPAN: Final = re.compile(r"`([^`]+)`")
_PATH: Final = re.compile(r"((?:bench|tests|scenarios|reports|ci|docs|\.ci)/[\w./-]*)(?:::?(\w+))?")
"""A path of this repository, and perhaps a name in it: ``bench/run/trial.py:run_trial``, ``tests/x.py::test_y``."""
_PACKAGE: Final = re.compile(r"      (\w+)/ ")
"""A line of DESIGN's listing that describes a package of ``bench/``."""
_ENTRY: Final = re.compile(r"(\d+)\. ")
"""The first line of one of DESIGN's decisions."""

# Written in two parts so that this file does not find itself.
BANNED: Final = {
    "an unfinished thing": re.compile(r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bXX" + r"X\b"),
    "a path of somebody's machine": re.compile(
        r"/wo" + r"rk/(main|shared)|/root" + r"/(scratch|\.pyenv)|/home" + r"/\w+/"
    ),
    "the host name of a package registry": re.compile(
        r"(py"
        + r"pi\.org|pythonho"
        + r"sted\.org|deb\.deb"
        + r"ian\.org|archive\.ubu"
        + r"ntu\.com|registry\.np"
        + r"mjs)"
    ),
}


def commands_in(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of every possible command in a Markdown file: code spans and lines of code blocks."""
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line.strip().removeprefix("$ ").removeprefix("# ")
        else:
            yield from ((number, span) for span in _SPAN.findall(line))


def command_problems(text: str, commands: Commands, sessions: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Commands and options that do not exist."""
    for number, line in commands_in(text):
        words = _words(line)
        if not words:
            continue
        program, rest = Path(words[0]).name, words[1:]
        if program == "boxbench":
            yield from ((number, problem) for problem in _cli_problems(rest, commands))
        elif program == "bootstrap":
            yield from ((number, f"./bootstrap has no {word!r}") for word in rest[:1] if word not in _BOOTSTRAP)
        elif program == "nox" and rest[:1] == ["-s"]:
            yield from ((number, f"there is no nox session {word!r}") for word in rest[1:] if word not in sessions)


_BOOTSTRAP: Final = ("setup", "quickstart", "tests", "help", "--help", "|")


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return []
    while words and (words[0] == "sudo" or re.fullmatch(r"[A-Z_]+=\S*", words[0])):
        words = words[1:]
    return words


def _cli_problems(words: list[str], commands: Commands) -> Iterator[str]:
    listed = words[::2]
    if words[1::2] and set(words[1::2]) == {"|"} and all(word in commands for word in listed[:2]):
        # `boxbench run | resume | plan` is a list of commands, `boxbench plan | jq` is not.
        yield from (f"boxbench has no command {word!r}" for word in listed if word not in commands)
        return
    until_pipe = words[: words.index("|")] if "|" in words else words
    command = "" if not until_pipe or until_pipe[0].startswith("-") else until_pipe[0]
    if " ".join(until_pipe[:2]) in commands:
        command = " ".join(until_pipe[:2])
    if command not in commands:
        yield f"boxbench has no command {command!r}"
        return
    for word in until_pipe:
        option = word.split("=", 1)[0]
        if option.startswith("-") and option != "-" and option not in commands[command] | {"--help", "-h"}:
            yield f"`boxbench {command}` has no option {option}"


def link_problems(file: Path, text: str) -> Iterator[tuple[int, str]]:
    """Relative links whose file or heading does not exist."""
    for number, line in enumerate(text.splitlines(), start=1):
        for match in _LINK.finditer(line):
            target = match[1]
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (file.parent / name) if name else file
            if not path.exists():
                yield number, f"the link {target} has no target"
            elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text(encoding="utf-8")):
                yield number, f"the link {target}: there is no such heading"


def path_problems(root: Path, text: str) -> Iterator[tuple[int, str]]:
    """Paths in code spans that do not exist below ``root``, and names after a path that its file does not contain.

    What a command writes (``reports/out/``) is no path of the repository.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        for span in _SPAN.findall(line):
            match = _PATH.fullmatch(span)
            if match is None or match[1].startswith("reports/out/"):
                continue
            path = root / match[1]
            if not path.exists():
                yield number, f"the path {match[1]} does not exist"
            elif match[2] and (path.is_dir() or not re.search(rf"\b{match[2]}\b", path.read_text(encoding="utf-8"))):
                yield number, f"{match[1]} does not contain {match[2]}"


def listing_problems(packages: set[str], design: str) -> Iterator[tuple[int, str]]:
    """Packages that DESIGN's listing lacks, and those in it that do not exist.

    Args:
        packages: names of the folders of ``bench/``.
    """
    listed = {match[1]: number for number, line in enumerate(design.splitlines(), 1) if (match := _PACKAGE.match(line))}
    for name, number in listed.items():
        if name not in packages:
            yield number, f"bench/ has no package {name!r}"
    for name in sorted(packages - listed.keys()):
        yield 1, f"the listing of bench/ lacks the package {name!r}"


def number_problems(design: str) -> Iterator[tuple[int, str]]:
    """Decisions whose number is not above all numbers before it, or does not follow its neighbour's.

    A section may begin at any higher number, so that others have room. Within one, Markdown shows the first number and
    counts on from there, whatever the text says.
    """
    last, begins = 0, True
    for number, line in enumerate(design.splitlines(), start=1):
        match = _ENTRY.match(line)
        begins = begins or line.startswith("#")
        if match is None:
            continue
        entry = int(match[1])
        if entry <= last:
            yield number, f"the decision {entry} stands after {last}: numbers are unique and ascend"
        elif not begins and entry != last + 1:
            yield number, f"the decision {entry} follows {last} in its section: its number is {last + 1}"
        last, begins = max(last, entry), False


def package_names(root: Path) -> set[str]:
    """The folders of ``bench/`` that hold code."""
    return {file.parent.name for file in (root / "bench").glob("*/__init__.py")}


def anchors(text: str) -> set[str]:
    """The anchors of all headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def banned_problems(text: str) -> Iterator[tuple[int, str]]:
    """Forbidden words in the text."""
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in BANNED.items():
            match = pattern.search(line)
            if match:
                yield number, f"{match[0]!r} is {what}"


def schema_problems(committed: str) -> Iterator[tuple[int, str]]:
    """A problem if the committed JSON Schema is not the current one."""
    if committed != json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n":
        yield 1, f"out of date: run `boxbench schema > {SCHEMA}`"


def cli_commands() -> Commands:
    """Every command of the program with its options."""
    from bench.cli.program import make_program

    program = make_program()
    found = {"": program, **getattr(program, "commands", {})}
    for group, known in list(found.items()):
        if group:
            found |= {f"{group} {name}": command for name, command in getattr(known, "commands", {}).items()}
    return {
        name: frozenset(
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        )
        for name, command in found.items()
    }


def published_problems(root: Path, manifest: Path) -> Iterator[tuple[int, str]]:
    """Scenarios of a published campaign that lie outside of this repository: their place is one of somebody's machine.

    A campaign names the directory of a scenario relative to its own. So it is right when both are in the repository.
    """
    scenarios = json.loads(manifest.read_text(encoding="utf-8")).get("scenarios", {})
    for name, entry in scenarios.items():
        place = str(entry["directory"])
        inside = (manifest.parent / place).resolve().is_relative_to(root.resolve())
        if place.startswith("/") or not inside or (".." in place and not (manifest.parent / place).is_dir()):
            yield 1, f"the scenario {name} was run from {place}, which is not in this repository"


def nox_sessions(text: str) -> frozenset[str]:
    """The names of the sessions in the text of a noxfile."""
    plain = re.findall(r"^@nox\.session\ndef (\w+)", text, re.MULTILINE)
    return frozenset({*plain, *re.findall(r'^@nox\.session\(name="([^"]+)"', text, re.MULTILINE)})


def committed_files() -> list[Path]:
    """All committed text files."""
    listing = proc.run(["git", "-C", ROOT, "ls-files", "-z"], timeout_s=30).text
    files = [ROOT / name for name in listing.split("\0") if name]
    return [file for file in files if file.is_file() and b"\0" not in file.read_bytes()[:8000]]


def problems() -> Iterator[str]:
    """Every problem, as ``FILE:LINE: problem``."""
    commands, sessions = cli_commands(), nox_sessions((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    for file in committed_files():
        name, text = str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")
        found = list(banned_problems(text)) if name != "LICENSE" else []
        if file.suffix == ".md":
            found += link_problems(file, text)
            # A published report quotes the commands of its day, and its version in a code span.
            if not name.startswith(PUBLISHED):
                found += [*command_problems(text, commands, sessions), *path_problems(ROOT, text)]
        if name.startswith(PUBLISHED) and file.name == "manifest.json":
            found += published_problems(ROOT, file)
        if name == DESIGN:
            found += [*listing_problems(package_names(ROOT), text), *number_problems(text)]
        if name == SCHEMA:
            found += schema_problems(text)
        yield from (f"{name}:{number}: {problem}" for number, problem in found)


def main() -> int:
    """Print every problem. Returns 1 if there is one."""
    found = list(problems())
    for problem in found:
        sys.stdout.write(f"{problem}\n")
    summary = f"{len(found)} problems" if found else "commands, links, paths and schema are right"
    sys.stdout.write(f"documentation: {summary}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
