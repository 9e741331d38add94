"""What the argument of ``boxbench run`` names: a scenario, or something that an image can be made of."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal

from bench.compose.load import compose_argument, compose_file_in
from bench.scenario.fields import NAME_PATTERN
from bench.scenario.image_name import FILE_KINDS, STORAGE, ImageFile, parse_image_name, parse_reference
from bench.scenario.target_table import TARGETS
from bench.util.errors import ScenarioError, UsageError
from bench.util.package_data import scenarios_named, shipped_scenarios
from bench.util.paths import exists, is_directory, is_file
from bench.util.text import plain

Kind = Literal["image", "dockerfile", "compose"]

_DOCKERFILES: Final = ("Dockerfile", "Containerfile")
_SCENARIO_SUFFIXES: Final = (".yaml", ".yml", ".toml")
_MOST_FOLDERS: Final = 100
"""Where a compose file is missing, so many directories beside it are searched for another one."""
_NEARLY: Final = 0.75
"""How alike a name and that of a bundled scenario are, at least, for the question whether it was meant."""


@dataclass(frozen=True)
class Subject:
    """Something that an image comes from.

    Attributes:
        kind: ``image`` is a reference or an archive.
        word: as the user named it.
        path: of the Dockerfile or compose file, or of the archive; None for a reference.
        service: of a compose file; None when none was named.
    """

    kind: Kind
    word: str
    path: Path | None = None
    service: str | None = None

    @property
    def name(self) -> str:
        """A name for its scenario: ``redis-7``, ``my-api``."""
        return scenario_name(self._plain_name())

    def _plain_name(self) -> str:
        if self.kind == "compose":
            return f"{self.path.absolute().parent.name if self.path else ''}-{self.service or ''}"
        if self.kind == "dockerfile" and self.path is not None:
            file = self.path.absolute()
            extra = "" if file.name in _DOCKERFILES else re.sub(r"(?i)\.?(docker|container)file\.?", "", file.name)
            return f"{file.parent.name}-{extra}" if extra else file.parent.name
        if self.path is not None:
            return re.sub(r"(\.oci|\.docker)?(\.tar)?(\.(gz|xz|zst|bz2))?$", "", self.path.name)
        return self.word.partition("@")[0].rpartition("/")[2].removeprefix(f"{STORAGE}:")


def scenario_name(text: str) -> str:
    """A name that a scenario can have, made of any text. 38 characters leave room for the suffix of a gate's side."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:38].strip("-")
    return name if re.fullmatch(NAME_PATTERN, name) else "image"


def parse_subject(word: str, *, scenarios_first: bool = True) -> Subject | None:
    """What an argument names. None: a scenario, by name, file or directory, or nothing that can be told apart from one.

    A scenario comes first: the name of a bundled one, a directory with a ``scenario.yaml``, and a YAML or TOML file. A
    word without tag, digest and slash is never an image, so that a misspelt name pulls nothing.

    Args:
        scenarios_first: a directory with a scenario and a Dockerfile is a scenario.

    Raises:
        UsageError, ScenarioError: it is none of all this, and what it may have meant is in the hint.
    """
    if word.partition(":")[0] in (*FILE_KINDS, STORAGE):
        return _archive(word)
    if not word:
        raise UsageError("an empty name names nothing", hint="check the variable that it comes from")
    path = Path(word)
    if exists(path):
        if not is_directory(path):
            return _of_file(word, path)
        is_scenario = exists(path / "scenario.yaml") or word in shipped_scenarios()
        found = None if is_scenario and scenarios_first else _of_directory(path, word)
        if found is not None or is_scenario:
            return found
        raise _empty_directory(path, word)
    if all(exists(found) for found in scenarios_named(word)):
        return None
    before, colon, after = word.rpartition(":")
    if colon and Path(before).suffix in (".yaml", ".yml"):
        if not is_file(Path(before)):
            raise _no_compose_file(Path(before), after, word)
        return Subject("compose", word, Path(before), after)
    if before in shipped_scenarios() and after in TARGETS:
        raise UsageError(
            f"{word}: {before} is a bundled scenario, and {after} is a target of ours, no tag of an image",
            hint=f"write `{before} -t {after}`",
        )
    return _of_name(word)


def is_hidden(word: str) -> bool:
    """Whether a directory with a Dockerfile or a compose file has the name of a bundled scenario, which comes first."""
    path = Path(word)
    return word in shipped_scenarios() and not exists(path / "scenario.yaml") and _of_directory(path, word) is not None


def _archive(word: str) -> Subject:
    try:
        named = parse_image_name(word)
    except ValueError as error:
        raise UsageError(str(error), hint="write it like oci-archive:app.tar or oci:DIRECTORY") from None
    if not isinstance(named, ImageFile):
        return Subject("image", word)
    found = named.locate(Path.cwd())
    if found is None:
        raise UsageError(f"{plain(word)}: {plain(named.place)} does not exist", hint="name an archive that exists")
    if named.kind != "oci" and is_directory(found[0]):
        raise UsageError(
            f"{plain(word)}: {plain(named.place)} is a directory",
            hint="name a file; for an OCI layout write oci:DIRECTORY",
        )
    return Subject("image", word, found[0])


def _of_directory(path: Path, word: str) -> Subject | None:
    for name in _DOCKERFILES:
        if is_file(path / name):
            return Subject("dockerfile", word, path / name)
    compose = compose_file_in(path)
    return None if compose is None else Subject("compose", word, compose)


def _empty_directory(path: Path, word: str) -> UsageError:
    hint = "name a directory with a scenario.yaml or a Dockerfile"
    if is_file(path / "oci-layout"):
        hint = f"it is an OCI layout: write oci:{word}"
    return UsageError(
        f"{plain(word)}: the directory has neither scenario.yaml nor Dockerfile nor compose.yaml", hint=hint
    )


def _of_file(word: str, path: Path) -> Subject | None:
    if compose_argument(word) is not None:
        return Subject("compose", word, path)
    if path.suffix in _SCENARIO_SUFFIXES:
        return None
    if re.search(r"(?i)(docker|container)file", path.name):
        return Subject("dockerfile", word, path)
    if re.search(r"\.(tar|tgz)(\.(gz|xz|zst|bz2))?$", path.name):
        raise UsageError(
            f"{plain(word)}: the name does not say which kind of archive it is",
            hint=f"write oci-archive:{word}, or docker-archive:{word} for one of `docker save`",
        )
    raise UsageError(
        f"{plain(word)} is neither a scenario nor a Dockerfile by its name",
        hint="scenario files end in .yaml or .toml; a Dockerfile has Dockerfile or Containerfile in its name",
    )


def _no_compose_file(path: Path, service: str, word: str) -> UsageError:
    """The error about a compose file that is not there. Another one in or near its directory is in the hint."""
    folder = path.parent
    inside = sorted(folder.glob("*/"))[:_MOST_FOLDERS] if is_directory(folder) else []
    found = next((file for near in (folder, *inside, folder / "..") if (file := compose_file_in(near))), None)
    hint = "write it like compose.yaml:SERVICE"
    if found is not None:
        hint = f"did you mean {shlex.quote(f'{found}:{service}')}?"
    return UsageError(f"{plain(word)}: {plain(str(path))} does not exist", hint=plain(hint))


def _of_name(word: str) -> Subject | None:
    """An image's reference, or nothing."""
    before, _, service = word.rpartition(":")
    compose = compose_file_in(Path(before)) if before and "/" in word and is_directory(Path(before)) else None
    if compose is not None:
        raise UsageError(
            f"{plain(word)}: {plain(before)} is a directory, and a service is named after its compose file",
            hint=plain(f"write {shlex.quote(f'{compose}:{service}')}"),
        )
    if word.startswith((".", "/", "~")) or word.endswith("/") or Path(word).suffix in _SCENARIO_SUFFIXES:
        # The error about a scenario that cannot be read says what is wrong with it.
        return None
    why, also = "there is no such file, directory or bundled scenario", ""
    try:
        named = parse_reference(word)
    except ValueError as error:
        why = f"{why}, and as an image {plain(str(error))}"
    else:
        if named.tag or named.digest or named.registry or "/" in named.path:
            return Subject("image", word)
        also = f"; an image of this name is {word}:latest"
    meant = get_close_matches(word.lower(), shipped_scenarios(), n=1, cutoff=_NEARLY)
    if meant:
        hint = f"did you mean the bundled scenario {meant[0]}? `boxbench scenarios` lists them"
    else:
        hint = "name a scenario, a Dockerfile, a directory that has one, or an image with its tag, such as redis:7"
    raise ScenarioError(f"{plain(word)}: {why}", hint=f"{hint}{also}")
