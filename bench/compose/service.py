"""One service, key by key, as the workload and the resources of a scenario."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any, Final

from bench.compose.build import BuildReader, refuse_keys
from bench.compose.dotenv import layered, read_variables
from bench.compose.interpolate import Lookup
from bench.compose.item import Item, Reader, Source, choice_of, present
from bench.compose.keys import (
    DEPLOY_MEANINGLESS,
    HEALTHCHECK,
    MEANINGLESS,
    REFUSED,
    REFUSED_VALUES,
    REMARKS,
    SERVICE,
)
from bench.compose.mounts import MountReader
from bench.compose.ports import Ports, ports_of
from bench.compose.quantity import duration_ns, duration_text, size_bytes, size_text, whole_cpus
from bench.util.errors import ScenarioError
from bench.util.paths import is_file
from bench.util.text import plain

WITHOUT: Final = "copy the compose file without this key, if the workload can do without"
_PULLS: Final = {"always": "always", "never": "never", "missing": "missing", "if_not_present": "missing"}
_ENGINE_NAMES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_STOP_NS: Final = 10 * 10**9
"""The time between the stop signal and SIGKILL, of Compose and of every box."""


class ServiceReader:
    """Reads one service.

    Args:
        source: the compose file.
        service: the service, with everything that it extends.
        lookup: variables of the environment.
    """

    def __init__(self, source: Source, service: Item, lookup: Lookup, reader: Reader) -> None:
        self._service = service
        self._reader = reader
        self._problems = reader.problems
        self._lookup = lookup
        self._directory = source.directory
        self._mounts = MountReader(source, reader, home=lookup("HOME"))
        self.notes: list[str] = []

    def workload(self) -> dict[str, Any]:
        """The key ``workload`` of a scenario, as it is written in a file."""
        self._check_keys()
        found = self._image() | self._command() | self._process()
        if env := self._environment():
            found["env"] = env
        if check := self._healthcheck(self._service.child("healthcheck")):
            found["healthcheck"] = check
        self._mounts.volumes(self._service.child("volumes"))
        self._mounts.tmpfs(self._service.child("tmpfs"))
        for kind in ("configs", "secrets"):
            self._mounts.grants(kind, self._service.child(kind))
        self.notes += self._mounts.found.remarks
        if self._mounts.found.volumes:
            found["volumes"] = list(self._mounts.found.volumes)
        if self._mounts.found.files:
            found["files"] = self._mounts.found.files
        return found

    def resources(self) -> dict[str, Any]:
        """The key ``resources`` of a scenario: what the service limits."""
        found: dict[str, Any] = {}
        limits = self._limits()
        if (cpus := self._one_of("cpus", limits.get("cpus"))) is not None:
            found |= self._cpus(cpus)
        if (memory := self._one_of("mem_limit", limits.get("memory"))) is not None:
            size = size_bytes(self._reader.text(memory) or "")
            if size is None:
                self._problems.wrong_form(memory, "a size such as 512m")
            elif size:
                found["memory"] = size_text(size)
        return found

    def ports(self) -> Ports:
        """The ports in the box."""
        found = ports_of(self._service.child("ports"), self._service.child("expose"), self._reader)
        if found.others:
            self.notes.append(f"ports: {', '.join(found.others)} cannot be probed: only TCP ports can.")
        if self._service.child("ports") is not None:
            self.notes.append("ports: nothing is published on the host; the ports are the box's own.")
        return found

    def _check_keys(self) -> None:
        self._problems.unknown(self._service, SERVICE)
        refuse_keys(self._service, REFUSED, self._problems, WITHOUT)
        for key, (beginnings, why) in REFUSED_VALUES.items():
            item = self._service.child(key)
            text = self._reader.text(item)
            if item is not None and text is not None and text.startswith(beginnings):
                self._problems.add(item, f"{plain(text)!r} cannot be honoured: {why}", WITHOUT)
            elif key == "network_mode" and text not in (None, "none"):
                self.notes.append(f"network_mode: {plain(text or '')} is left out: {REMARKS['networks']}.")
        left_out = [key for key, _ in present(self._service.value) if key in MEANINGLESS]
        if left_out:
            verb = "have" if len(left_out) > 1 else "has"
            self.notes.append(
                f"{' and '.join([', '.join(left_out[:-1]), left_out[-1]][len(left_out) < 2 :])} {verb} no "
                "meaning in a box."
            )
        for key, item in present(self._service.value):
            if key in REMARKS:
                self.notes.append(f"{key} is left out: {REMARKS[key].format(names=_names(item))}.")

    def _image(self) -> dict[str, Any]:
        image, build = self._service.child("image"), self._service.child("build")
        self._check_platform(self._service.child("platform"))
        pull = self._pull(self._service.child("pull_policy"))
        if build is not None:
            if image is not None:
                self.notes.append(
                    f"image: the service is built, so {plain(self._reader.text(image) or '')} is not used."
                )
            reader = BuildReader(
                self._reader,
                directory=self._directory,
                secret_file=lambda item, name: self._mounts.declared_file("secrets", item, name),
                variable=self._lookup,
            )
            for one in self._reader.items(build.child("platforms"))[:1]:
                self._check_platform(one)
            return reader.read(build)
        reference = self._reader.text(image)
        if not reference:
            self._problems.add(image or self._service, "has neither image nor build", "add `image: NAME` or `build: .`")
            return {}
        return {"image": reference} | ({"pull": pull} if pull != "missing" else {})

    def _check_platform(self, item: Item | None) -> None:
        given = self._reader.text(item)
        machine = platform.machine()
        ours = f"linux/{_ENGINE_NAMES.get(machine, machine)}"
        if item is not None and given and given != "linux" and not f"{given}/".startswith(f"{ours}/"):
            hint = f"remove it, so that the image is one of {ours}"
            self._problems.add(item, f"{plain(given)!r} does not run on this host, which is {ours}", hint)

    def _pull(self, item: Item | None) -> str:
        policy = self._reader.text(item) or "missing"
        if policy not in _PULLS and policy != "build":
            self.notes.append(f"pull_policy: {plain(policy)} is left out: an image is pulled when it is missing.")
        return _PULLS.get(policy, "missing")

    def _command(self) -> dict[str, Any]:
        entrypoint, command = (self._service.child(key) for key in ("entrypoint", "command"))
        words = {"entrypoint": self._reader.words(entrypoint), "command": self._reader.words(command)}
        found = {key: list(given) for key, given in words.items() if given is not None}
        if not found.get("command", ["default"]):
            del found["command"]
            if entrypoint is None and command is not None:
                hint = "leave the key out for the image's command, or write the command"
                self._problems.add(command, "is empty, and engines then run the image's command all the same", hint)
        return found

    def _process(self) -> dict[str, Any]:
        keys = {"user": "user", "working_dir": "workdir", "stop_signal": "stop_signal"}
        found = {ours: text for key, ours in keys.items() if (text := self._reader.text(self._service.child(key)))}
        grace = self._service.child("stop_grace_period")
        if grace is not None and self._duration(grace) not in (None, _STOP_NS):
            self.notes.append("stop_grace_period is left out: a box has 10 s between its stop signal and SIGKILL.")
        return found

    def _environment(self) -> dict[str, str]:
        found: dict[str, str | None] = {}
        for item in self._reader.one_or_more(self._service.child("env_file")):
            found |= self._env_file(item, found)
        for name, value in self._reader.pairs(self._service.child("environment")).items():
            found[name] = self._lookup(name) if value.value is None else self._reader.text(value)
        missing = [name for name, value in found.items() if value is None]
        if missing:
            self.notes.append(f"environment: {choice_of(missing)} has no value here, so the box does not have it.")
        return {name: value for name, value in found.items() if value is not None}

    def _env_file(self, item: Item, found: Mapping[str, str | None]) -> dict[str, str | None]:
        entry = item if isinstance(item.value, dict) else item.with_value({"path": item})
        self._problems.unknown(entry, ("path", "required", "format"))
        path, form = self._reader.text(entry.child("path")), self._reader.text(entry.child("format"))
        required = entry.child("required")
        if path is None or form not in (None, "raw"):
            self._problems.wrong_form(entry.child("format") or item, "a path, with no format or the format raw")
            return {}
        file = item.source.directory / path
        if required is not None and not self._reader.flag(required) and not is_file(file):
            return {}
        try:
            lookup = layered(found.get, self._lookup)
            return read_variables(file, lookup, form="raw" if form else "compose", hint="correct env_file, or write it")
        except ScenarioError as error:
            self._problems.add(item, error.message, error.hint)
            return {}

    def _healthcheck(self, item: Item | None) -> dict[str, Any]:
        if item is None:
            return {}
        self._problems.unknown(item, HEALTHCHECK)
        check = self._reader.mapping(item)
        if self._reader.flag(check.get("disable")):
            return {"test": ["NONE"]}
        test = check.get("test")
        found: dict[str, Any] = {} if test is None or test.value is None else {"test": self._test(test)}
        timeout = check.get("timeout")
        if timeout is not None and timeout.value is not None and (limit := self._duration(timeout)):
            found["timeout"] = duration_text(limit)
        return found

    def _test(self, item: Item) -> str | list[str]:
        if not isinstance(item.value, list):
            return self._reader.text(item) or ""
        words = list(self._reader.words(item) or ())
        kind = words[0] if words else ""
        if {"NONE": len(words) == 1, "CMD": len(words) > 1, "CMD-SHELL": len(words) == 2}.get(kind):
            return words
        hint = "a list begins with NONE, CMD or CMD-SHELL; a shell runs a text"
        self._problems.add(item, f"begins with {plain(kind)!r} and has {len(words)} words", hint)
        return words

    def _duration(self, item: Item) -> int | None:
        found = duration_ns(self._reader.text(item) or "")
        if found is None:
            self._problems.wrong_form(item, "a duration such as 1m30s")
        return found

    def _limits(self) -> dict[str, Item]:
        deploy = self._service.child("deploy")
        if deploy is None:
            return {}
        self._problems.unknown(deploy, DEPLOY_MEANINGLESS | {"resources"})
        left_out = [f"deploy.{key}" for key, _ in present(self._reader.mapping(deploy)) if key in DEPLOY_MEANINGLESS]
        resources = deploy.child("resources")
        limits, reserved = (resources.child(key) if resources else None for key in ("limits", "reservations"))
        if reserved is not None and reserved.child("devices") is not None:
            refuse_keys(reserved, {"devices": REFUSED["devices"]}, self._problems, WITHOUT)
        left_out += ["deploy.resources.reservations"] if reserved is not None else []
        if limits is not None:
            self._problems.unknown(limits, ("cpus", "memory", "pids"))
            left_out += ["deploy.resources.limits.pids"] if limits.child("pids") is not None else []
        if left_out:
            self.notes.append(f"{choice_of(left_out)} is left out: one box is measured at a time, with its own limits.")
        return {key: item for key, item in self._reader.mapping(limits).items() if item.value is not None}

    def _one_of(self, key: str, limit: Item | None) -> Item | None:
        """A limit of the service, or the same one of ``deploy``, which must not differ."""
        own = self._service.child(key)
        if own is not None and limit is not None and self._reader.text(own) != self._reader.text(limit):
            self._problems.add(own, "differs from deploy.resources.limits", "keep one of the two")
        return own or limit

    def _cpus(self, item: Item) -> dict[str, Any]:
        text = self._reader.text(item) or ""
        cpus = whole_cpus(text)
        if cpus is None:
            self._problems.wrong_form(item, "a number of CPUs such as 2 or 0.5")
        elif cpus and float(text) != cpus:
            self.notes.append(f"cpus: a box has whole CPUs, so it has {cpus} instead of {float(text):g}.")
        return {"cpus": cpus} if cpus else {}


def _names(item: Item) -> str:
    """The services that a key names."""
    entries = item.value if isinstance(item.value, list | dict) else [item.value]
    names = [str(one.value if isinstance(one, Item) else one) for one in entries]
    return choice_of([name.partition(":")[0] for name in names])
