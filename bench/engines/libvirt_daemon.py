"""A private daemon of libvirt, with its own socket, settings and state.

The paths of libvirt are fixed when it is built. So the daemon runs in a mount namespace of its own, in which
directories below the run directory are in their places. It loads the driver for QEMU only. A libvirt of the host is not
touched.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.engines.startup import comes_up, why_not_up
from bench.host.cgroup import engine_group
from bench.util import proc
from bench.util.cache import cache_dir
from bench.util.errors import HostUnfitError
from bench.util.private import private_directory

HOME: Final = "libvirt"
"""Where everything of a private daemon is in its run directory."""
CONFIG: Final = f"{HOME}/etc/daemon.conf"
PIDFILE: Final = f"{HOME}/pid"
PROGRAMS: Final = ("virtqemud", "libvirtd")
"""libvirt's daemon for QEMU, and the older one for everything. A host has one of them or both."""
UNPACKED: Final = Path(sys.prefix) / "libexec" / "libvirtd"
"""Where ./bootstrap puts the program on a host that has none. Its package would start a service."""
START_TIMEOUT_S: Final = 60.0
_LADDER: Final = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0))

# Each directory in the home, and where libvirt looks for it.
_PLACES: Final = {
    "run": "/run/libvirt", "lib": "/var/lib/libvirt", "etc": "/etc/libvirt", "log": "/var/log/libvirt",
}  # fmt: skip
# The arguments are pairs of directories, `--`, and the program with its arguments.
_ENTER: Final = (
    'while [ "$1" != -- ]; do mkdir -p "$2" && mount --bind "$1" "$2" || exit 1; shift 2; done; shift; exec "$@"'
)
_DRIVERS: Final = ("/usr/lib/*/libvirt/connection-driver", "/usr/lib64/libvirt/connection-driver")
_QEMU_DRIVER: Final = "libvirt_driver_qemu.so"

# A storm's calls come through one connection, and libvirt's default is 5 at a time. A stalled harness stays connected.
_DAEMON_CONF: Final = """\
unix_sock_dir = "{home}/sock"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
max_client_requests = 1000
keepalive_interval = -1
log_outputs = "3:file:{home}/log/daemon"
"""
# There is no virtlogd, so QEMU writes the files of its character devices itself. QEMU starts as root, since it opens
# our files. As a user who cannot open /dev/kvm, libvirt would probe QEMU before every start. QEMU becomes another user
# by itself once it has opened them, which libvirt's filter of system calls would forbid. So libvirt leaves it out, and
# whoever starts a domain adds QEMU's own options for both. The profiles of the host do not know our directories.
_QEMU_CONF: Final = """\
stdio_handler = "file"
user = "+0"
group = "+0"
seccomp_sandbox = 0
security_driver = "none"
"""


@dataclass(frozen=True)
class LibvirtDaemon:
    """A private daemon that runs."""

    program: str
    """Its name: one of ``PROGRAMS``."""
    pid: int
    home: Path

    @property
    def uri(self) -> str:
        """The URI of a connection to it."""
        return f"qemu+unix:///system?socket={_socket(self.home, self.program)}"

    def pid_file(self, domain: str) -> Path:
        """Where it notes the pid of a domain's QEMU."""
        return self.home / "run" / "qemu" / f"{domain}.pid"


@contextmanager
def private_daemon(run_dir: Path) -> Iterator[LibvirtDaemon]:
    """Start a daemon below a run directory, and end it. Its domains must have ended before.

    Raises:
        HostUnfitError: no daemon of libvirt is installed, or it does not start.
    """
    program = find_program()
    home = _made_home(run_dir)
    log = home / "log" / "start"
    # On a hybrid host libvirt makes no v1 group that counts a VM's CPU time: it relies on the v2 tree.
    with engine_group(f"{run_dir.name}-libvirt", unified=True) as account:
        with log.open("wb") as stream:
            process = proc.spawn(
                _argv(program, run_dir),
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=_only_qemu(home),
                keep=(*proc.ENGINE_VARIABLES, *proc.QEMU_VARIABLES),
            )
        try:
            _wait_until_up(_socket(home, program.name), process, log)
            if account is not None:
                account.add(process.pid)
            yield LibvirtDaemon(program.name, process.pid, home)
        finally:
            proc.stop(process, ladder=_LADDER)


def find_program() -> Path:
    """The daemon of libvirt that a private one is started from. Raises HostUnfitError: none is installed."""
    found = [path for name in PROGRAMS if (path := proc.find_tool(name)) is not None]
    if found:
        return Path(found[0])
    if UNPACKED.is_file():
        return UNPACKED
    raise HostUnfitError(
        f"no daemon of libvirt is installed ({' or '.join(PROGRAMS)})",
        hint="install the package libvirt-daemon; `boxbench doctor` has the command for this machine",
    )


def _made_home(run_dir: Path) -> Path:
    home = run_dir / HOME
    for name in (*_PLACES, "sock"):
        private_directory(home / name)
    (run_dir / CONFIG).write_text(_DAEMON_CONF.format(home=home), encoding="utf-8")
    (home / "etc" / "qemu.conf").write_text(_QEMU_CONF, encoding="ascii")
    return home


def _argv(program: Path, run_dir: Path) -> list[str]:
    # libvirt caches what it learns about each QEMU, which takes seconds, and notices when a QEMU changes.
    cache = private_directory((cache_dir() / "libvirt").resolve())
    places = {cache: "/var/cache/libvirt"} | {run_dir / HOME / name: place for name, place in _PLACES.items()}
    return [
        proc.require_tool("unshare", package="util-linux"),
        "--mount",
        # What is mounted on the host is seen inside too, and not the other way round.
        *("--propagation", "slave"),
        *("sh", "-c", _ENTER, "sh"),
        *(word for inside, place in places.items() for word in (str(inside), place)),
        "--",
        *(str(program), "--config", str(run_dir / CONFIG), "--pid-file", str(run_dir / PIDFILE)),
    ]


def _only_qemu(home: Path) -> dict[str, str]:
    """Variables with which libvirtd finds no other driver. Those for networks and devices change the host."""
    found = [path for pattern in _DRIVERS for path in Path("/").glob(f"{pattern[1:]}/{_QEMU_DRIVER}")]
    if not found:
        return {}
    drivers = private_directory(home / "drivers")
    link = drivers / _QEMU_DRIVER
    link.unlink(missing_ok=True)
    link.symlink_to(found[0])
    return {"LIBVIRT_DRIVER_DIR": str(drivers)}


def _socket(home: Path, program: str) -> Path:
    return home / "sock" / ("virtqemud-sock" if program == "virtqemud" else "libvirt-sock")


def _wait_until_up(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    if comes_up(socket, process, timeout_s=START_TIMEOUT_S):
        return
    lines = [line for file in (log.with_name("daemon"), log) for line in _lines(file)]
    reason = why_not_up("a private daemon of libvirt", process, timeout_s=START_TIMEOUT_S)
    raise HostUnfitError(
        f"{reason}: {lines[0][:500] if lines else 'its log is empty'}",
        hint="start libvirt by hand, or name a connection in LIBVIRT_DEFAULT_URI",
    )


def _lines(file: Path) -> list[str]:
    return proc.tail(file.read_bytes()).splitlines()[-1:] if file.exists() else []
