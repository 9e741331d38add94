"""Connecting to libvirt: a URI that the user chose, the running daemon, or libvirt's driver in this process."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import psutil

from bench.host.run_directory import living_tags, new_tag, owned_dir, parse_tag, run_root
from bench.util.cache import cache_dir
from bench.util.errors import HostUnfitError, TeardownError
from bench.util.private import private_directory
from bench.util.threads import WatchedThread
from bench.util.tree import remove_tree

if TYPE_CHECKING:
    from types import ModuleType

# An embedded driver has no virtlogd, so QEMU writes the files of its character devices itself. QEMU runs as our user,
# since it opens our files. As a user who cannot open /dev/kvm, libvirt would probe QEMU before every start.
# QEMU becomes another user by itself once it has opened them, which libvirt's filter of system calls would forbid. So
# libvirt leaves it out, and whoever starts a domain adds QEMU's own options for both.
_EMBEDDED_CONF: Final = 'stdio_handler = "file"\nuser = "+{uid}"\ngroup = "+{gid}"\nseccomp_sandbox = 0\n'
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

    @property
    def embedded(self) -> bool:
        """Whether libvirt's driver runs in this process, with our settings."""
        return self.uri.startswith("qemu:///embed")

    def pid_file(self, domain: str) -> Path | None:
        """Where the driver in this process notes the pid of a domain's QEMU; None if a daemon runs the domain."""
        roots = parse_qs(urlsplit(self.uri).query).get("root", []) if self.embedded else []
        return Path(roots[0]) / "run" / "qemu" / f"{domain}.pid" if roots else None

    def describe(self) -> dict[str, str]:
        """Versions and kind of the connection, for records."""
        qemu = format_version(self.connection.getVersion())
        return {
            "libvirt": format_version(self.connection.getLibVersion()),
            "connection": "in process (qemu:///embed)" if self.embedded else self.uri,
            "vmm": f"QEMU {qemu}",
        }

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
        """The pids of libvirt's daemons, by name. Empty if the driver runs in this process or on another host."""
        if self.uri != "qemu:///system":
            return {}
        found = {process.name(): process.pid for process in psutil.process_iter(["name"])}
        return {name: found[name] for name in ("virtqemud", "libvirtd") if name in found}


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
            hint="pip install 'boxbench[vm]' (needs libvirt-dev, pkg-config and gcc); ./bootstrap setup does it",
        ) from None
    return libvirt  # type: ignore[no-any-return]


@contextmanager
def libvirt_engine() -> Iterator[LibvirtEngine]:
    """An open connection to libvirt, closed at the end.

    Raises:
        HostUnfitError: the Python binding is missing, or the connection cannot be opened.
    """
    library = import_libvirt()
    uri = _choose_uri()
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
    # Calls have no time limit of their own. A driver in this process refuses this: it has no daemon that could hang.
    with suppress(library.libvirtError):
        connection.setKeepAlive(_PING_S, _PINGS)
    try:
        yield LibvirtEngine(connection, library, uri)
    finally:
        connection.close()


def _choose_uri() -> str:
    named = os.environ.get("LIBVIRT_DEFAULT_URI")
    if named:
        return named
    if any(path.exists() and os.access(path, os.W_OK) for path in SYSTEM_SOCKETS):
        return "qemu:///system"
    if os.geteuid() != 0:
        return "qemu:///session"
    root = _embedded_root()
    private_directory(root / "etc")
    (root / "etc" / "qemu.conf").write_text(_EMBEDDED_CONF.format(uid=os.geteuid(), gid=os.getegid()), encoding="ascii")
    return f"qemu:///embed?root={root}"


# The directory stays locked until the process ends, because the driver uses its path until then.
_ownership = ExitStack()


@cache
def _embedded_root() -> Path:
    """The root directory of this process's embedded driver.

    There is one per process, since libvirt can open its embedded driver at only one path per process.
    """
    _remove_abandoned_roots()
    capabilities = private_directory((cache_dir() / "libvirt").resolve())
    root = run_root() / new_tag("libvirt")
    _ownership.enter_context(owned_dir(root))
    # libvirt caches here what it learns about each QEMU, which takes seconds, and notices when a QEMU changes.
    (root / "cache").symlink_to(capabilities)
    atexit.register(_remove, root)
    return root


def _remove_abandoned_roots() -> None:
    living = living_tags()
    for path in run_root().glob("boxbench-libvirt-*"):
        if parse_tag(path.name) is not None and path.name not in living:
            _remove(path)


def _remove(root: Path) -> None:
    # What stays is found by its tag.
    with suppress(TeardownError):
        remove_tree(root)


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
