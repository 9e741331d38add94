"""A scenario that Boxbench wrote itself: its text is whole, so that it can be kept, stored and run again."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from bench.infer.ready import ReadyKeys, describe_ready
from bench.infer.reason import Reason
from bench.scenario.image_name import ImageFile, parse_image_name
from bench.scenario.target_table import TARGETS
from bench.scenario.targets import TargetSpec
from bench.util.text import plain

_WIDTH: Final = 100
_ENDPOINTS: Final = {"http": "replied", "exit": "ready"}
_MORE: Final = """\
# Settings to vary, a load test and all other keys: `boxbench schema` prints them.
# factors: {memory: [256MiB, 512MiB], concurrency: [1, 8]}
"""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Everything that a generated scenario consists of.

    Attributes:
        subject: what the user named.
        title: the same, in the question.
        workload: the key ``workload`` with absolute paths of this host.
        resources: ``cpus``, ``memory`` and ``disk`` as a file has them.
        why: by key (``ready``, ``memory``, ...), why it was chosen: a comment.
        design: the key ``design``; empty for the defaults.
        remarks: further sentences, such as what of a compose file has no meaning in a box.
    """

    subject: str
    title: str
    name: str
    workload: Mapping[str, Any]
    ready: ReadyKeys
    resources: Mapping[str, str | int]
    targets: Sequence[TargetSpec]
    baseline: str
    design: Mapping[str, int | bool] = field(default_factory=dict)
    why: Mapping[str, Reason] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    @property
    def question(self) -> str:
        """One sentence of at most 300 characters."""
        end = plain(describe_ready(self.ready))[:140]
        has_guests = any(TARGETS[spec.target].has_own_kernel for spec in self.targets)
        where = ", in a VM and in a container" if has_guests else ""
        return f"How long does {plain(self.title)[:80]} take until {end}{where}?"


def draft_text(draft: Draft, *, relative_to: Path | None = None) -> str:
    """The text of the scenario file.

    Args:
        relative_to: the absolute directory that the file will lie in; paths below it are written relative to it. None
            leaves all of them absolute, so that the file can lie anywhere.
    """
    workload = draft.workload if relative_to is None else relative_workload(draft.workload, relative_to)
    lines = [
        f"# Boxbench wrote this scenario for {plain(draft.title)}. `boxbench run` accepts it; change what you like."
    ]
    lines += [_comment(text) for text in draft.remarks]
    lines += [_block({"question": draft.question, "name": draft.name, "workload": dict(workload)})]
    lines += _explained(draft, "ready", {"ready": dict(draft.ready)})
    lines += ["resources:"]
    for key, value in draft.resources.items():
        lines += _explained(draft, key, {key: value}, indent="  ")
    lines += _explained(draft, "targets", {"targets": [_target(spec) for spec in draft.targets]})
    lines += [_block({"baseline": draft.baseline})]
    lines += [_block({"design": draft.design})] if draft.design else []
    headline = _ENDPOINTS.get(str(draft.ready["when"]), "ready")
    lines += ["# The instant that answers the question.", _block({"headline": headline}), _MORE.rstrip()]
    return "\n".join(lines) + "\n"


def absolute_workload(workload: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """The key ``workload`` with its paths absolute, which may be relative to the absolute ``directory``."""

    def absolute(path: str) -> str:
        return os.path.normpath(directory / path)

    return _with_paths({"context": ".", **workload}, absolute, lambda image: _absolute_image(image, directory))


def relative_workload(workload: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """The key ``workload`` with paths relative to ``directory`` where they lie below it."""

    def shorter(path: str) -> str:
        return str(Path(path).relative_to(directory)) if Path(path).is_relative_to(directory) else path

    def shorter_image(image: str) -> str:
        named = parse_image_name(image)
        return f"{named.kind}:{shorter(named.place)}" if isinstance(named, ImageFile) else image

    return _with_paths(workload, shorter, shorter_image)


def _absolute_image(image: str, directory: Path) -> str:
    try:
        named = parse_image_name(image)
    except ValueError:
        return image  # the model says what is wrong
    found = named.locate(directory) if isinstance(named, ImageFile) else None
    if found is None or not isinstance(named, ImageFile):
        return image
    name = f":{found[1]}" if found[1] else ""
    return f"{named.kind}:{os.path.normpath(directory / found[0])}{name}"


def _with_paths(
    workload: Mapping[str, Any], change: Callable[[str], str], change_image: Callable[[str], str]
) -> dict[str, Any]:
    """The key with its paths changed. A Dockerfile's path is relative to its context, so it stays."""
    changed = dict(workload)
    if "image" in workload:
        changed.pop("context", None)
        changed["image"] = change_image(str(workload["image"]))
    else:
        changed["context"] = change(str(workload["context"]))
    if "files" in workload:
        changed["files"] = {inside: change(path) for inside, path in workload["files"].items()}
    secrets = (workload.get("build") or {}).get("secrets")
    if secrets:
        changed["build"] = {**workload["build"], "secrets": {key: change(path) for key, path in secrets.items()}}
    return changed


def _target(spec: TargetSpec) -> Any:
    return {"target": spec.target, "options": dict(spec.options)} if spec.options else spec.target


def _explained(draft: Draft, key: str, value: Mapping[str, Any], indent: str = "") -> list[str]:
    text = textwrap.indent(_block(value), indent)
    return [_comment(f"{draft.why[key].text}.", indent), text] if key in draft.why else [text]


def _comment(sentence: str, indent: str = "") -> str:
    # A sentence may have words of an image. A line break in it would end the comment.
    start = f"{indent}# "
    return textwrap.fill(plain(sentence), _WIDTH, initial_indent=start, subsequent_indent=start, break_long_words=False)


class _Dumper(yaml.SafeDumper):
    """Lists of plain values on one line, mappings on lines of their own."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True

    def represent_list(self, data: Any) -> Any:
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(list, _Dumper.represent_list)
_Dumper.add_representer(tuple, _Dumper.represent_list)


def _block(value: Mapping[str, Any]) -> str:
    text: str = yaml.dump(
        dict(value), Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=10_000
    )
    return text.rstrip("\n")
