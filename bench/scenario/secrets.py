"""Variables whose names say that their values are secret. The values stay out of everything that Boxbench stores."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml

from bench.scenario.model import LoadedScenario, Scenario, Workload, load_scenario
from bench.scenario.secret_names import NOT_SHOWN, hide, is_secret, secret_values, shown
from bench.util.errors import CampaignError, ScenarioError

__all__ = ["NOT_SHOWN", "hide", "is_secret", "secret_values", "shown", "with_secrets", "without_secrets"]

Candidates = Callable[[Path], Mapping[str, Workload]]
"""Finds the workloads of a directory, by names for messages."""

_SCENARIO_FILES: Final = (".yaml", ".yml", ".toml")


def without_secrets(loaded: LoadedScenario) -> LoadedScenario:
    """The scenario and its text as they may be stored: without the values of secret variables and build arguments.

    If a value cannot be taken out of the file's text with certainty, the scenario takes the place of the text, as JSON.
    """
    secrets = _secrets_of(loaded.scenario.workload)
    if not secrets:
        return loaded
    scenario = loaded.scenario.model_copy(update={"workload": _hidden(loaded.scenario.workload)})
    text = _text_without(loaded.text, secrets) or _as_json(scenario)
    return loaded.model_copy(update={"scenario": scenario, "text": text})


def with_secrets(stored: LoadedScenario, also: Candidates = lambda _directory: {}) -> LoadedScenario:
    """A stored scenario with the values that ``without_secrets`` took out, read again from the file of the scenario.

    Args:
        also: finds workloads in the scenario's directory beside those of scenario files.

    Raises:
        CampaignError: no file in the scenario's directory has this workload, or several have it with other values.
    """
    workload = stored.scenario.workload
    missing = [name for name, value in _secrets_of(workload).items() if value == NOT_SHOWN]
    if not missing:
        return stored
    files = (file for file in sorted(stored.directory.iterdir()) if file.suffix in _SCENARIO_FILES)
    own = {str(file): one for file in files if (one := _workload_in(file)) is not None}
    found = {**own, **also(stored.directory)}
    same = {name: one for name, one in found.items() if _hidden(one) == workload}
    first = next(iter(same.values()), None)
    if first is not None and all(one == first for one in same.values()):
        return stored.model_copy(update={"scenario": stored.scenario.model_copy(update={"workload": first})})
    if same:
        raise CampaignError(
            f"the scenario {stored.scenario.name!r} has secret values that are not stored ({', '.join(missing)}), and "
            f"these files have its workload with different values: {', '.join(same)}",
            hint="move all but the scenario's own file to other directories",
        )
    raise CampaignError(
        f"the scenario {stored.scenario.name!r} has secret values that are not stored ({', '.join(missing)}), and no "
        f"file in {stored.directory} has its workload",
        hint="put the scenario's file back as it was, or start a new campaign",
    )


def _workload_in(file: Path) -> Workload | None:
    try:
        return load_scenario(file).scenario.workload
    except ScenarioError:
        return None


def secret_names(workload: Workload) -> tuple[str, ...]:
    """The variables and build arguments whose values are not stored."""
    return tuple(_secrets_of(workload))


def _secrets_of(workload: Workload) -> dict[str, str]:
    """The secret variables and build arguments."""
    return {
        name: value
        for variables in (workload.env, workload.build.args)
        for name, value in variables.items()
        if is_secret(name)
    }


def _hidden(workload: Workload) -> Workload:
    """The workload without secret values, also where they stand in its other texts, as those of a compose file do."""
    values = secret_values(f"{name}={value}" for name, value in _secrets_of(workload).items())
    build = workload.build.model_copy(update={"args": _shown(workload.build.args, values)})
    changed: dict[str, Any] = {"env": _shown(workload.env, values), "build": build}
    for key in ("entrypoint", "command"):
        changed[key] = _words_without(getattr(workload, key), values)
    check = workload.healthcheck
    if check is not None:
        changed["healthcheck"] = check.model_copy(update={"test": _words_without(check.test, values)})
    return workload.model_copy(update=changed)


def _words_without(words: tuple[str, ...] | None, values: Sequence[str]) -> tuple[str, ...] | None:
    return None if words is None else tuple(hide(word, values, by=NOT_SHOWN) for word in words)


def _shown(variables: Mapping[str, str], values: Sequence[str]) -> dict[str, str]:
    return {name: hide(shown(name, value), values, by=NOT_SHOWN) for name, value in variables.items()}


def _text_without(text: str, secrets: Mapping[str, str]) -> str | None:
    """The text with one line changed for each secret; None if that does not take their values out.

    A value can have several lines, stand in an anchor, or be written with escapes.
    """
    for name in secrets:
        line = re.compile(rf"^(\s*[\"']?{re.escape(name)}[\"']?\s*[:=]\s*).+$", re.MULTILINE)
        text = line.sub(rf'\g<1>"{NOT_SHOWN}"', text)
    data = _parsed(text)
    words = [word for value in secrets.values() for word in value.split()]
    left = text + json.dumps(data, ensure_ascii=False, default=str)
    if any(word in left.replace(NOT_SHOWN, "") for word in words):
        return None
    workload = data.get("workload") or {}
    given = {**((workload.get("build") or {}).get("args") or {}), **(workload.get("env") or {})}
    return text if all(given.get(name) == NOT_SHOWN for name in secrets) else None


def _parsed(text: str) -> dict[str, Any]:
    """The content of a YAML or TOML file; empty if it is neither."""
    parsers: tuple[Callable[[str], Any], ...] = (yaml.safe_load, tomllib.loads)
    for parse in parsers:
        with suppress(yaml.YAMLError, ValueError):
            data = parse(text)
            if isinstance(data, dict):
                return data
    return {}


def _as_json(scenario: Scenario) -> str:
    return json.dumps(scenario.model_dump(mode="json", exclude_defaults=True), indent=1, ensure_ascii=False) + "\n"
