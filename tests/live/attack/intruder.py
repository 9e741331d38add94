"""A program: an unprivileged user of the host who tries to reach what belongs to the campaigns of root.

Usage: ``intruder.py JSON``; the JSON object has the keys of ``Aim``. It is started as root, imports what it needs, and
becomes the user before it touches anything. It prints ``ready`` after its first round. When stdin ends it does one more
round and prints a report as one line of JSON, with the keys of ``Report``.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

TAG: Final = re.compile(r"boxbench-[0-9a-f]{8}(?:-[a-z0-9]+)*")
CAMPAIGN_NAME: Final = "\0boxbench-campaign"
# Names below the directories of campaigns and boxes. Who cannot list a directory guesses.
GUESSES: Final = (
    "", "owner", "ch", "ch/events", "ch/commands", "ch/box.conf", "root", "root/.boxbench/ch/commands",
    "root/.boxbench/ch/events", "root/.boxbench/ch/box.conf", "root/setuid", "root/disk", "upper", "work", "stdout",
    "stderr", "events", "monitor", "qmp", "qemu.log", "disk.qcow2", "bundle/config.json", "config.json", "dockerd/sock",
    "dockerd/log", "dockerd/daemon.json", "dockerd/exec", "libvirt",
)  # fmt: skip
CACHE_FOLDERS: Final = ("", "agent", "tree", "tar", "boxes", "disk", "docker", "digest", "kernel", "initramfs", "saved")
PROCESS_FILES: Final = (
    "environ",
    "mem",
    "maps",
    "auxv",
    "root",
    "root/etc",
    "cwd",
    "exe",
    "fd",
    "io",
    "stack",
    "map_files",
)
CGROUPS: Final = Path("/sys/fs/cgroup")
CGROUP_FILES: Final = ("cgroup.procs", "tasks", "memory.max", "memory.limit_in_bytes", "cpuset.cpus", "cgroup.kill")
# /sys/fs/cgroup/<controller>/machine.slice/<domain>/libvirt/emulator.
_CGROUP_DEPTH: Final = 6
TRACING: Final = (Path("/sys/kernel/tracing/instances"), Path("/sys/kernel/debug/tracing/instances"))
_MOST_CHUNK: Final = 2**16
# Boxes have to live beside it.
_PAUSE_S: Final = 0.1


@dataclass(frozen=True)
class Aim:
    """What the intruder is told."""

    uid: int
    run_root: str
    cache: str
    own: str
    """A directory in which it may write."""
    secret: str
    """A text that it must not find in anything that it can read."""
    engine: str
    """The address of the Docker Engine that its false engines name."""
    lock: bool
    """Whether it holds the abstract name that campaigns of all users share."""


@dataclass
class Report:
    """What the intruder did and found."""

    rounds: int = 0
    tried: int = 0
    """Attempts on distinct files, sockets and processes."""
    tags: list[str] = field(default_factory=list)
    """Tags that it read somewhere: campaigns and boxes that lived beside it."""
    pids: int = 0
    """Processes of root with a tag that it tried to read."""
    gained: list[str] = field(default_factory=list)
    """What succeeded and must not."""
    ended: list[str] = field(default_factory=list)
    """Its processes with names of ours that somebody ended."""
    started: int = 0
    """How many of those it started."""


class Intruder:
    """The rounds of attempts, each on everything that can be seen at that moment."""

    def __init__(self, aim: Aim) -> None:
        self.aim = aim
        self.report = Report()
        self._tried: set[str] = set()
        self._pids: set[int] = set()
        self._tags: set[str] = set()
        self._gained: set[str] = set()
        self._false: dict[str, subprocess.Popen[bytes]] = {}
        self._old = set(_scratch())
        self._lock = self._hold_lock() if aim.lock else None

    def _hold_lock(self) -> socket.socket:
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        holder.bind(CAMPAIGN_NAME)
        return holder

    def round(self) -> None:
        """Try everything once."""
        words = set(self._visible_words())
        tags = {tag for word in words for tag in TAG.findall(word)}
        self._tags |= tags
        for path in sorted(self._places(words, self._tags)):
            self._try_path(path)
        self._try_groups()
        for line in _lines("/proc/net/unix"):
            self._try_socket(line.split()[-1])
        for folder in TRACING:
            self._try("list", folder, lambda path: _refuse_unless_ours(_names(path)))
        for tag in sorted(tags):
            self._imitate(tag)
        self.report.rounds += 1

    def finish(self) -> Report:
        """End the processes and return the report."""
        for name, process in self._false.items():
            if process.poll() is not None:
                self.report.ended.append(f"{name}: {process.returncode}")
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.report.started = len(self._false)
        self.report.tags, self.report.gained = sorted(self._tags), sorted(self._gained)
        self.report.tried, self.report.pids = len(self._tried), len(self._pids)
        return self.report

    def _visible_words(self) -> Iterator[str]:
        """Every word that an unprivileged user can read about mounts, sockets and processes."""
        for file in ("/proc/self/mountinfo", "/proc/net/unix"):
            for line in _lines(file):
                yield from re.split(r"[\s,=:]+", line)
        for pid in _pids():
            words = _read(f"/proc/{pid}/cmdline").replace("\0", " ")
            group = _read(f"/proc/{pid}/cgroup")
            if self.aim.secret in words and pid != os.getpid():
                self._gained.add(f"the secret in the command line of {pid}")
            if TAG.search(words + group) and _owner(pid) == 0:
                self._try_process(pid)
            yield from re.split(r"[\s,=:]+", words)
            yield group

    def _places(self, words: set[str], tags: set[str]) -> Iterator[Path]:
        tops = [Path(self.aim.run_root), Path(self.aim.cache)]
        yield from (tops[1] / folder for folder in CACHE_FOLDERS)
        for tag in tags:
            campaign = tag[: len("boxbench-12345678")]
            for base in (tops[0] / campaign, tops[0] / campaign / tag, tops[1] / "boxes" / tag):
                yield from (base / guess for guess in GUESSES)
        for word in words:
            if word.startswith("/") and any(top in Path(word).parents for top in tops):
                yield Path(word)
        yield from tops
        yield from (path for path in _scratch() if path not in self._old)

    def _try_path(self, path: Path) -> None:
        self._try("list", path, _names)
        self._try("read", path, lambda file: self._open(file, os.O_RDONLY))
        self._try("write", path, lambda file: self._open(file, os.O_WRONLY))
        for name in ("planted", "owner", "agent", "boxbench-00000000"):
            self._try("plant a link", path / name, lambda file: file.symlink_to("/etc/passwd"))
            self._try("plant a directory", path / name, os.mkdir)

    def _open(self, path: Path, flags: int) -> None:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode) and flags == os.O_WRONLY:
                proof = Path(self.aim.own) / "proof"
                line = f"exercise 5000 /usr/bin/busybox touch /proc/1/root{proof} {proof}\n"
                os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def _try_groups(self) -> None:
        for folder in _folders(CGROUPS, _CGROUP_DEPTH):
            if TAG.search(str(folder)):
                for name in CGROUP_FILES:
                    self._try("write", folder / name, lambda file: self._open(file, os.O_WRONLY))
                self._try("plant a directory", folder / "planted", os.mkdir)

    def _try_process(self, pid: int) -> None:
        self._pids.add(pid)
        entry = Path(f"/proc/{pid}")
        for name in PROCESS_FILES:
            self._try("read", entry / name, _read_some)
        for name in ("0", "1", "2", "3", "4", "5", "6", "7", "8"):
            self._try("read", entry / "fd" / name, lambda file: self._open(file, os.O_RDONLY))
            self._try("write", entry / "fd" / name, lambda file: self._open(file, os.O_WRONLY))
        self._try("signal", entry, lambda _path: os.kill(pid, signal.SIGCONT))

    def _try_socket(self, name: str) -> None:
        if not TAG.search(name) and not name.startswith((self.aim.run_root, self.aim.cache)):
            return
        address = "\0" + name[1:] if name.startswith("@") else name
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            self._try(f"connect ({kind.name}) to", Path(name), partial(_connect, address, kind))

    def _try(self, what: str, path: Path, attempt: Callable[[Path], object]) -> None:
        self._tried.add(f"{what} {path}")
        with suppress(OSError, ValueError):
            attempt(path)
            self._gained.add(f"{what} {path}")

    def _imitate(self, tag: str) -> None:
        """Start processes that look like ours, with the tag of somebody who lives."""
        home = f"{self.aim.run_root}/{tag}/dockerd"
        engine = ("--host", self.aim.engine, "--pidfile", f"{home}/pid", "--exec-root", f"{home}/exec")
        for name, words in (
            ("dockerd", (tag, *engine)),
            ("dockerd", ("--data-root", f"{self.aim.cache}/{tag}", "--host", "foo://nowhere")),
            ("dockerd", (tag, "--host")),
            ("qemu-system-x86_64", ("-name", f"guest={tag},debug-threads=on")),
            ("containerd-shim-runc-v2", ("-namespace", "moby", "-id", tag)),
            ("boxinit", ("run", tag)),
        ):
            key = f"{name} {' '.join(words)}"
            if key in self._false or len(self._false) >= 60:
                continue
            program = Path(self.aim.own, name)
            if not program.exists():
                shutil.copy(os.path.realpath("/bin/sh"), program)
            self._false[key] = subprocess.Popen(
                [str(program), "-c", "while :; do sleep 1000; done", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )


def _folders(top: Path, depth: int) -> Iterator[Path]:
    yield top
    if depth > 0:
        with suppress(OSError):
            for entry in os.scandir(top):
                if entry.is_dir(follow_symlinks=False):
                    yield from _folders(Path(entry.path), depth - 1)


def _refuse_unless_ours(names: list[str]) -> None:
    if not any(TAG.search(name) for name in names):
        raise ValueError


def _read_some(path: Path) -> None:
    if path.name in ("fd", "map_files", "etc"):
        _names(path)
    elif path.name in ("root", "cwd", "exe"):
        path.readlink()
    else:
        with path.open("rb", buffering=0) as file:
            # The kernel lets everybody open some of these, and shows nothing.
            if not file.read(_MOST_CHUNK):
                raise ValueError


def _scratch() -> Iterator[Path]:
    """Scratch directories of root."""
    with suppress(OSError):
        yield from (path for path in Path("/tmp").glob("boxbench-*") if path.lstat().st_uid == 0)


def _connect(address: str, kind: socket.SocketKind, _path: Path) -> None:
    with socket.socket(socket.AF_UNIX, kind) as peer:
        peer.setblocking(False)
        peer.connect(address)


def _pids() -> list[int]:
    return [int(name) for name in _names(Path("/proc")) if name.isdigit()]


def _owner(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return -1


def _read(path: str) -> str:
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _lines(path: str) -> list[str]:
    return [line for line in _read(path).split("\n") if line.strip()]


def _names(path: Path) -> list[str]:
    return [entry.name for entry in path.iterdir()]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.chdir("/")
    os.umask(0o022)


def main() -> None:
    """Do rounds until stdin ends."""
    aim = Aim(**json.loads(sys.stdin.readline()))
    _become(aim.uid)
    intruder = Intruder(aim)
    try:
        intruder.round()
        _say("ready")
        while not select.select([sys.stdin], [], [], _PAUSE_S)[0]:
            intruder.round()
        intruder.round()
    finally:
        # Its processes end with it, also after an error.
        report = intruder.finish()
    _say(json.dumps(asdict(report)))


if __name__ == "__main__":
    main()
