"""Starts of the VM of a cell without Boxbench: with one call of libvirt, and with the QEMU command line of libvirt."""

from __future__ import annotations

import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.engines.libvirtd import LibvirtEngine
from bench.image.vm.disk import ensure_disk, new_overlay
from bench.run.box import Setting
from bench.targets.base import Order, no_mark
from bench.targets.vms.libvirt import LibvirtTarget
from bench.util import proc
from bench.util.clock import Clock

READY = b" mark ready "


class BareVm:
    """Starts the VM of a cell repeatedly."""

    def __init__(self, setting: Setting, engine: LibvirtEngine, scratch: Path, clock: Clock) -> None:
        if not isinstance(setting.target, LibvirtTarget):
            raise TypeError(f"not a libvirt cell: {setting.target.name}")
        self._clock = clock
        self._engine = engine
        self._disk = ensure_disk(setting.image, setting.scenario.resources.disk)
        self._patience_s = setting.scenario.ready.timeout / 1e9
        order = Order(
            tag=scratch.name,
            directory=scratch,
            storage=scratch,
            image=setting.image,
            resources=setting.scenario.resources,
            ready=setting.scenario.ready,
            cpus=setting.cpus,
            mark=no_mark,
        )
        self._domain = setting.target.domain(order)
        native = engine.connection.domainXMLToNative("qemu-argv", self._domain.xml(), 0)
        self._argv = without_monitor(shlex.split(native.replace("\\\n", " ")))

    def by_qemu(self, _number: int) -> int:
        """The time in ns from copying the overlay to the agent's mark `ready`, with QEMU started directly."""
        with self._listener() as listener:
            begun = self._clock.now_ns()
            new_overlay(self._disk, self._domain.disks[0].path)
            process = proc.spawn(self._argv, stderr=subprocess.DEVNULL)
            try:
                return self._until_ready(listener) - begun
            finally:
                process.kill()
                process.wait()

    def by_libvirt(self, _number: int) -> int:
        """The same time with one call of libvirt."""
        with self._listener() as listener:
            begun = self._clock.now_ns()
            new_overlay(self._disk, self._domain.disks[0].path)
            domain = self._engine.connection.createXML(self._domain.xml(), 0)
            try:
                return self._until_ready(listener) - begun
            finally:
                domain.destroy()

    @contextmanager
    def _listener(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(self._domain.ports[0].path))
            listener.listen(1)
            listener.settimeout(self._patience_s)
            try:
                yield listener
            finally:
                self._domain.ports[0].path.unlink()
                self._domain.disks[0].path.unlink()

    def _until_ready(self, listener: socket.socket) -> int:
        with listener.accept()[0] as peer:
            seen = b""
            while READY not in seen:
                chunk = peer.recv(4096)
                if not chunk:
                    raise RuntimeError(f"the VM ended before it was ready; it said {seen[-200:]!r}")
                seen += chunk
            return self._clock.now_ns()


def without_monitor(argv: list[str]) -> list[str]:
    """The command line without the parts that need libvirt: environment, initial pause, secret key, monitor, logs."""
    first = next(number for number, word in enumerate(argv) if "qemu-system" in word and "=" not in word)
    words = iter(argv[first:])
    kept = []
    for word in words:
        if word == "-S":
            continue
        if word in ("-object", "-chardev", "-mon"):
            value = next(words)
            if "masterKey" not in value and "charmonitor" not in value:
                kept += [word, value]
            continue
        kept.append(word)
    return kept
