"""What a box can see of the harness and leave on the host when it means harm."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import docker
import pytest

from bench.image.build import build_image
from bench.image.stores.docker import DockerStore
from bench.scenario.model import LoadedScenario
from bench.scenario.options import Value
from bench.scenario.readiness import ReadyLog
from bench.targets.base import Box, BoxProxy
from bench.util import proc
from bench.util.errors import BuildError
from tests.lab import Lab, ProxiedTarget
from tests.needs import host_cannot
from tests.waiting import wait_until

BASE: Final = "FROM boxbench/base-busybox:latest\n"
SECRET: Final = "BOXBENCH_SECRET"
# As root it reads the environment of every process that it can see.
LOOKS: Final = f"""\
for one in /proc/[0-9]*; do
    busybox tr '\\0' '\\n' <$one/environ 2>/dev/null | busybox grep -q '^{SECRET}=' && echo "seen in $one"
done
echo looked
exec busybox sleep 1000
"""
# Every process starts the next one and ends, for ever. Lists of them are never true, but the host is not flooded.
FORKS: Final = """\
next='busybox sh -c "$next" &'
export next
for one in 1 2 3 4; do busybox sh -c "$next"; done
echo looked
exec busybox sleep 1000
"""


def _scenario(make: Callable[..., LoadedScenario], name: str, script: str, more: str = "") -> LoadedScenario:
    command = f'{BASE}COPY script /script\n{more}CMD ["/usr/bin/busybox", "sh", "/script"]\n'
    return make(
        command, name=name, files={"script": script}, ready=ReadyLog(when="log", text="looked", timeout=90 * 10**9)
    )


class _Heard(BoxProxy):
    """Notes, when it is stopped, the processes that the workload has seen and that have the secret of this test."""

    def __init__(self, inner: Box, secret: str, seen: list[str]) -> None:
        super().__init__(inner)
        self._secret, self._seen = secret, seen

    def stop(self) -> None:
        wait_until(lambda: b"looked" in self.inner.output(ended=False).stdout, "what the workload has seen")
        *lines, last = self.inner.output(ended=False).stdout.decode().splitlines()
        assert last == "looked"
        # Other tests of this host may have a secret of their own at the same time.
        carrying = _carrying(f"{SECRET}={self._secret}")
        self._seen += [pid for pid in (line.rpartition("/")[2] for line in lines) if pid in carrying]
        super().stop()


@pytest.mark.parametrize("name", ["process", "namespaces", "bubblewrap", "runc", "docker", "docker-cli", "podman"])
def test_no_box_finds_the_harness_environment(
    lab: Lab, make_scenario: Callable[..., LoadedScenario], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = secrets.token_hex(8)
    monkeypatch.setenv(SECRET, secret)
    # A tool of the harness that has nothing to do with boxes keeps the environment.
    tool = proc.spawn(["sleep", "600"])
    seen: list[str] = []
    try:
        trialed = lab.run(
            name,
            _scenario(make_scenario, "looks", LOOKS),
            wrap=lambda target: ProxiedTarget(target, box=lambda box: _Heard(box, secret, seen)),
        )
    finally:
        proc.stop(tool)
    assert trialed.record.outcome == "ok", trialed.record.failure
    # In the root control a root workload is root on the host, and sees every process. This also shows that it looked.
    assert seen == ([str(tool.pid)] if name == "process" else [])
    trialed.assert_gone()


@pytest.mark.parametrize(
    ("name", "options"), [("process", {}), ("namespaces", {"pid": False}), ("namespaces", {}), ("runc", {})], ids=str
)
def test_nothing_is_left_of_processes_that_fork_for_ever(
    lab: Lab, make_scenario: Callable[..., LoadedScenario], name: str, options: dict[str, Value]
) -> None:
    mark = f"mark-{secrets.token_hex(8)}"
    loaded = _scenario(make_scenario, "forks", FORKS, more=f"ENV BOMB={mark}\n")
    trialed = lab.run(lab.make(name, **options), loaded)
    assert trialed.record.outcome == "ok", trialed.record.failure
    assert _carrying(f"BOMB={mark}") == []
    trialed.assert_gone()


def _carrying(entry: str) -> list[str]:
    """The processes of this host with an entry in their environment."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if entry.encode() in file.read_bytes().split(b"\0"):
                found.append(file.parent.name)
        except OSError:
            continue  # it has ended
    return found


@pytest.mark.parametrize("target", ["/tmp/elsewhere", "../../../tmp/elsewhere"])
def test_an_image_that_leads_our_files_elsewhere_is_refused(
    docker_client: docker.DockerClient, make_scenario: Callable[..., LoadedScenario], target: str
) -> None:
    link = f'RUN ["/usr/bin/busybox", "ln", "-s", "{target}", "/.boxbench"]\n'
    with pytest.raises(BuildError, match=r"/\.boxbench is not a directory but a link to '/tmp/elsewhere'"):
        build_image(DockerStore(docker_client), _scenario(make_scenario, "leads", LOOKS, more=link), lambda _text: None)


class _Examined(BoxProxy):
    """Notes, when it is stopped, what the kernel says of the VMM's process."""

    def __init__(self, inner: Box, status: dict[str, str]) -> None:
        super().__init__(inner)
        self._status = status

    def stop(self) -> None:
        text = Path(f"/proc/{self.main_pid()}/status").read_text(encoding="ascii", errors="replace")
        self._status.update((key, value) for key, _, value in (line.partition(":\t") for line in text.splitlines()))
        super().stop()


@pytest.mark.parametrize(("name", "options"), [("vmm", {}), ("vmm", {"via": "libvirt"}), ("microvm", {})], ids=str)
def test_a_guest_that_breaks_out_of_qemu_has_no_power(
    lab: Lab, loaded: LoadedScenario, name: str, options: dict[str, Value]
) -> None:
    if options.get("via") == "libvirt" and not lab.engines.libvirt.private:
        host_cannot("the host's libvirt gives QEMU the files of our directories only as our user")
    status: dict[str, str] = {}
    target = lab.make(name, **options)
    trialed = lab.run(target, loaded, wrap=lambda one: ProxiedTarget(one, box=lambda box: _Examined(box, status)))
    assert trialed.record.outcome == "ok", trialed.record.failure
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapPrm"], 16) == 0
    assert "0" not in status["Uid"].split("\t")
    assert (
        target.describe()["confinement"]
        == f"QEMU's seccomp sandbox; user {status['Uid'].split()[0]}:{status['Gid'].split()[0]}"
    )
    trialed.assert_gone()
