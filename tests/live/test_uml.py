"""User-mode Linux and a hostile workload: hostfs is built in, yet root in the guest reaches nothing of the host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from bench.scenario.model import LoadedScenario
from bench.scenario.readiness import ReadyLog
from bench.targets.base import Box, BoxProxy
from tests.lab import Lab, ProxiedTarget
from tests.waiting import wait_until

pytestmark = pytest.mark.live

# Everything that the guest's root sees of the host, and what it can do there.
HOSTILE: Final = r"""
b() { /usr/bin/busybox "$@"; }
b mkdir -p /host /mnt
for root in / /.. /proc/1/root ../../..; do
    b mount -t hostfs none /host -o $root || continue
    for name in /host/*; do echo "sees ${name#/host/}"; done
    for name in etc root run home proc/1 proc/self dev sys var usr; do
        [ -e /host/$name ] && echo "reaches $name"
    done
    (: >/host/planted) && echo "can plant"
    b chmod 4755 /host/root.cow /host/linux* && echo "can chmod"
    b mknod /host/tmp/disk b 8 0 && echo "can mknod"
    b umount /host
done 2>/dev/null
b dd if=/dev/zero of=/big bs=1M count=80 2>/dev/null
b ifconfig -a | b grep -q '^[^l ]' && echo "has a network"
echo looked
exec /usr/bin/busybox sleep 1000
"""
DOCKERFILE: Final = """\
FROM boxbench/base-busybox:latest
COPY script /script
CMD ["/usr/bin/busybox", "sh", "/script"]
"""
JAIL: Final = {"base", "initrd", "lib", "lib64", "linux.uml", "proc", "root.cow", "tmp"}


class _Asked(BoxProxy):
    """Notes what the workload has said before the box is stopped."""

    def __init__(self, inner: Box, said: list[str]) -> None:
        super().__init__(inner)
        self._said = said

    def stop(self) -> None:
        wait_until(lambda: b"looked" in self.inner.output(ended=False).stdout, "what the workload has seen")
        self._said += self.inner.output(ended=False).stdout.decode().splitlines()
        super().stop()


def test_root_in_the_guest_sees_only_its_own_jail(
    lab: Lab, make_scenario: Callable[..., LoadedScenario], tmp_path: Path
) -> None:
    del tmp_path
    loaded = make_scenario(
        DOCKERFILE,
        name="hostile-uml",
        files={"script": HOSTILE},
        ready=ReadyLog(when="log", text="looked", timeout=90 * 10**9),
    )
    said: list[str] = []
    trialed = lab.run("uml", loaded, wrap=lambda target: ProxiedTarget(target, box=lambda box: _Asked(box, said)))
    assert trialed.record.outcome == "ok", trialed.record.failure
    seen = {line.removeprefix("sees ") for line in said if line.startswith("sees ")}
    # It did mount hostfs: it saw the kernel that runs it.
    assert "linux.uml" in seen
    assert seen <= JAIL
    assert [line for line in said if not line.startswith("sees ")] == ["looked"]
    # It filled its disk and no more.
    assert trialed.record.disk_bytes["box.at_stop"] <= loaded.scenario.resources.disk + 2**20
    trialed.assert_gone()
