"""Connecting to libvirt: a URI that the user chose, the daemon that runs, the user's own daemon, or a private one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from bench.engines.libvirt_daemon import PROGRAMS, LibvirtDaemon, private_daemon
from bench.host.cgroup import describe_engine_account
from bench.util.errors import HostUnfitError
from bench.util.threads import WatchedThread

if TYPE_CHECKING:
    from types import ModuleType

_ERRORS_ONLY: Final = "4"
_PING_S: Final = 30
"""How often a daemon of libvirt that says nothing is asked whether it lives."""
_PINGS: Final = 5
"""After so many questions without an answer the connection is closed, and its calls fail."""
SYSTEM_SOCKETS: Final = (Path("/run/libvirt/virtqemud-sock"), Path("/run/libvirt/libvirt-sock"))


@dataclass(frozen=True)
class LibvirtEngine:
    """An open connection to libvirt."""

    connection: Any
    """A libvirt.virConnect. The binding has no type hints."""
    library: ModuleType
    uri: str

    daemon: LibvirtDaemon | None = None
    """The daemon that Boxbench started and stops; None if libvirt is the host's or the user's."""

    @property
    def private(self) -> bool:
        """Whether a private daemon serves the connection, with our settings."""
        return self.daemon is not None

    def pid_file(self, domain: str) -> Path | None:
        """Where a private daemon notes the pid of a domain's QEMU; None if another daemon runs the domain."""
        return None if self.daemon is None else self.daemon.pid_file(domain)

    def describe(self) -> dict[str, str]:
        """Versions and kind of the connection, for records."""
        qemu = format_version(self.connection.getVersion())
        return {
            "libvirt": format_version(self.connection.getLibVersion()),
            "connection": self.uri if self.daemon is None else "qemu:///system of the private daemon",
            "daemon": self._describe_daemon(),
            "engine's CPU time": describe_engine_account(self.daemon_pids().values()),
            "vmm": f"QEMU {qemu}",
        }

    def _describe_daemon(self) -> str:
        if self.daemon is not None:
            return f"private {self.daemon.program}, started for this campaign"
        return "the host's own" if self.daemon_pids() else "not on this host, or in Boxbench's own process"

    def require_emulator(self, emulator: Path | None, machine: str) -> None:
        """Raise HostUnfitError if libvirt cannot use a QEMU.

        libvirt starts a QEMU that it does not know to learn its abilities, which takes seconds. This
        call makes it do so before the first measured start.

        Args:
            emulator: the user's choice; None means libvirt's own, which is not checked.
        """
        if emulator is None:
            return
        try:
            self.connection.getDomainCapabilities(str(emulator), "x86_64", machine, "qemu", 0)
        except self.library.libvirtError as error:
            raise HostUnfitError(
                f"libvirt cannot use {emulator}: {error}",
                hint="name a QEMU for x86_64 that this host can start, in the option emulator",
            ) from None

    def require_firmware(self, firmware: str, machine: str, emulator: Path | None = None) -> None:
        """Raise HostUnfitError if libvirt has no such firmware for a machine type.

        Args:
            firmware: ``seabios``, which QEMU includes, or ``ovmf``.
            machine: ``q35`` or ``pc``.
            emulator: a QEMU of the user's choice; None means libvirt's own.
        """
        if firmware != "ovmf":
            return
        capabilities = self.connection.getDomainCapabilities(emulator and str(emulator), "x86_64", machine, "qemu", 0)
        if "<value>efi</value>" not in capabilities.partition("</os>")[0]:
            raise HostUnfitError(
                f"libvirt knows no UEFI firmware for the machine type {machine}", hint="install the package ovmf"
            )

    def daemon_pids(self) -> dict[str, int]:
        """The pid of libvirt's daemon, by its name. Empty if it is on another host, or if there is none."""
        if self.daemon is not None:
            return {self.daemon.program: self.daemon.pid}
        users = {"qemu:///system": 0, "qemu:///session": os.geteuid()}
        if self.uri not in users:
            return {}
        found = {
            process.info["name"]: process.pid
            for process in psutil.process_iter(["name", "uids"])
            if process.info["uids"] is not None and process.info["uids"].real == users[self.uri]
        }
        return {name: found[name] for name in PROGRAMS if name in found}


def format_version(number: int) -> str:
    """A version of libvirt or of its driver, such as ``11.3.0`` for 11003000."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def import_libvirt() -> ModuleType:
    """The Python binding of libvirt. Raises HostUnfitError if it is not installed."""
    # The library reads this when it is loaded. Its warnings on stderr (a domain runs as root) do not help our users.
    os.environ.setdefault("LIBVIRT_DEBUG", _ERRORS_ONLY)
    try:
        import libvirt  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise HostUnfitError(
            f"the Python binding of libvirt cannot be imported: {error}",
            hint="`boxbench doctor` has the commands for this machine; the extra is boxbench[vm]",
        ) from None
    return libvirt  # type: ignore[no-any-return]


@contextmanager
def libvirt_engine(run_dir: Path) -> Iterator[LibvirtEngine]:
    """An open connection to libvirt, closed at the end. A private daemon, if it is needed, is below ``run_dir``.

    Raises:
        HostUnfitError: the Python binding is missing, the connection cannot be opened, or a private daemon does not
            start.
    """
    library = import_libvirt()
    named = _choose_uri()
    if named is not None:
        with _connected(library, named) as connection:
            yield LibvirtEngine(connection, library, named)
        return
    with private_daemon(run_dir) as daemon, _connected(library, daemon.uri) as connection:
        yield LibvirtEngine(connection, library, daemon.uri, daemon)


@contextmanager
def _connected(library: ModuleType, uri: str) -> Iterator[Any]:
    # The library raises exceptions. Without a handler it would also print them.
    library.registerErrorHandler(lambda _context, _error: None, None)
    _start_event_loop(library)
    try:
        connection = library.open(uri)
    except library.libvirtError as error:
        raise HostUnfitError(
            f"libvirt cannot open {uri}: {error}",
            hint="install libvirt-daemon-driver-qemu and qemu-system-x86, or name a connection in LIBVIRT_DEFAULT_URI",
        ) from None
    # Calls have no time limit of their own. A driver in this process, which the user may name, refuses this.
    with suppress(library.libvirtError):
        connection.setKeepAlive(_PING_S, _PINGS)
    try:
        yield connection
    finally:
        connection.close()


def _choose_uri() -> str | None:
    """The connection that the user named, the running daemon's, or the user's own; None: a private daemon is needed."""
    named = os.environ.get("LIBVIRT_DEFAULT_URI")
    if named:
        return named
    if any(path.exists() and os.access(path, os.W_OK) for path in SYSTEM_SOCKETS):
        return "qemu:///system"
    return None if os.geteuid() == 0 else "qemu:///session"


# libvirt has one event loop per process.
_loop: list[WatchedThread] = []


def _start_event_loop(library: ModuleType) -> None:
    """Start libvirt's event loop, once per process. It must run before the first connection and cannot be stopped."""
    if _loop:
        return
    library.virEventRegisterDefaultImpl()

    def loop() -> None:
        while True:
            library.virEventRunDefaultImpl()

    _loop.append(WatchedThread(loop, name="boxbench-libvirt"))
    _loop[0].start()


def check_event_loop() -> None:
    """Raise ThreadDiedError if libvirt's event loop has ended: its driver in this process would wait for it."""
    for thread in _loop:
        thread.check()
