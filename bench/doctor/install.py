"""The commands that install on this machine what a check found missing.

Which they are depends on the distribution, and on how Boxbench itself was installed: a checkout has a script that
installs everything, and the environments of pipx do not see the Python modules of the distribution.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.doctor.machine import HEADERS, Machine
from bench.util import proc

BINDING: Final = "python3-libvirt"
DAEMON: Final = ("libvirt-daemon", "libvirt-daemon-driver-qemu")
DOCKER: Final = ("docker.io", "docker-cli")
BUILDX: Final = ("docker-buildx",)
QEMU: Final = ("qemu-system-arm" if platform.machine() == "aarch64" else "qemu-system-x86", "qemu-utils", "zstd")
UML: Final = ("user-mode-linux",)
MKE2FS: Final = ("e2fsprogs", "libarchive13t64")
MMDEBSTRAP: Final = ("mmdebstrap",)
COMPILER: Final = ("gcc", "libc6-dev")

_BUILD: Final = ("libvirt-dev", "pkg-config", "gcc")
_FEDORA: Final = {
    BINDING: "python3-libvirt",
    "libvirt-daemon": "libvirt-daemon",
    "libvirt-daemon-driver-qemu": "libvirt-daemon-driver-qemu",
    "libvirt-dev": "libvirt-devel",
    "pkg-config": "pkgconf-pkg-config",
    "gcc": "gcc",
    HEADERS: "python3-devel",
    "libc6-dev": "glibc-static",
    "python3-docker": "python3-docker",
    "docker.io": "moby-engine",
    "qemu-system-x86": "qemu-system-x86",
    "qemu-system-arm": "qemu-system-aarch64",
    "qemu-utils": "qemu-img",
    "zstd": "zstd",
    "e2fsprogs": "e2fsprogs",
    "libarchive13t64": "libarchive",
}
"""Fedora's names of Debian's packages, as far as they are sure."""


@dataclass(frozen=True)
class Mend:
    """What removes a problem."""

    packages: tuple[str, ...] = ()
    """Debian's names."""
    commands: tuple[str, ...] = ()
    """What is to be run after the packages were installed, without root's rights."""


NOTHING: Final = Mend()


def binding(machine: Machine) -> Mend:
    """What makes libvirt's Python binding importable.

    The distribution's own binding comes first, since it needs no compiler and fits the library. A Python that cannot
    import it builds one, and so does a checkout's environment.
    """
    if machine.way == "checkout":
        return Mend((*_BUILD, HEADERS))
    if not machine.own_python or machine.way == "uv":
        return Mend((*_BUILD, *([machine.headers] if machine.headers else [])), (_add(machine, "libvirt-python"),))
    packages = () if machine.has_binding and not machine.sees_modules else (BINDING,)
    return Mend(packages, () if machine.sees_modules else (_open(machine),))


def docker_client(machine: Machine) -> Mend:
    """What installs the Python package docker, on which Boxbench depends: something has removed it."""
    if machine.way in ("system", "user") and machine.own_python:
        return Mend(("python3-docker",))
    return Mend(commands=() if machine.way == "checkout" else (_add(machine, "docker"),))


def _add(machine: Machine, name: str) -> str:
    """The command that adds a package of Python to the environment."""
    if machine.way == "pipx":
        return shlex.join(["pipx", "inject", *_everyone(machine), machine.place.name, name])
    if machine.way == "uv" and machine.request and name == "libvirt-python":
        return shlex.join(["uv", "tool", "install", "--force", *machine.request])
    if machine.way == "uv" or not machine.has_pip:
        return shlex.join(["uv", "pip", "install", "--python", str(machine.python), name])
    options = ["--user"] if machine.way == "user" else []
    options += ["--break-system-packages"] if machine.managed else []
    return shlex.join([str(machine.python), "-m", "pip", "install", *options, name])


def _everyone(machine: Machine) -> list[str]:
    return ["--global"] if machine.place.is_relative_to("/opt/pipx") else []


def _open(machine: Machine) -> str:
    """The command that lets the environment see the distribution's modules."""
    if machine.way == "pipx" and machine.request:
        return shlex.join(
            ["pipx", "install", *_everyone(machine), "--force", "--system-site-packages", *machine.request]
        )
    # An environment that exists keeps what is in it. Debian has what installs pip in a package of its own.
    return shlex.join(["/usr/bin/python3", "-m", "venv", "--without-pip", "--system-site-packages", str(machine.place)])


def advice(machine: Machine, mend: Mend) -> str:
    """The next step in one sentence."""
    if machine.way == "checkout":
        return "run `./bootstrap setup`" + (f", which installs {', '.join(mend.packages)}" if mend.packages else "")
    names, unknown = _names(machine, mend.packages)
    steps = [f"install {', '.join(names)}"] if names else []
    steps += [f"install {', '.join(unknown)} (Debian's names)"] if unknown else []
    steps += [f"run `{command}`" for command in mend.commands]
    return ", then ".join(steps)


def _names(machine: Machine, packages: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The distribution's names of Debian's packages, and Debian's names of those for which it is not known."""
    wanted = tuple(packages)
    if machine.family == "debian":
        return wanted, ()
    known = _FEDORA if machine.family == "fedora" else {}
    return tuple(known[name] for name in wanted if name in known), tuple(n for n in wanted if n not in known)


def lines(machine: Machine, mends: Sequence[Mend], known: Collection[str] | None = None) -> tuple[str, ...]:
    """The commands that mend all of it on this machine, in their order, and comments of a shell that begin with ``#``.

    Args:
        known: packages that this release has; others are left out. None: all.
    """
    if not any(mend.packages or mend.commands for mend in mends):
        return ()
    if machine.way == "checkout":
        return (f"cd {shlex.quote(str(machine.place))} && ./bootstrap setup",)
    wanted = dict.fromkeys(name for mend in mends for name in mend.packages if known is None or name in known)
    names, unknown = _names(machine, wanted)
    asks = [f"# What this distribution calls these packages is not known. Debian's names: {' '.join(sorted(unknown))}"]
    installs = list(_installs(machine, sorted(names)))
    commands = list(dict.fromkeys(command for mend in mends for command in mend.commands))
    return (
        *(asks if unknown else ()),
        *_as_root(machine, installs),
        *(_as_root(machine, commands) if machine.root_owns else _as_user(machine, installs, commands)),
    )


def _installs(machine: Machine, names: Sequence[str]) -> Iterator[str]:
    """The commands that install packages under the distribution's names."""
    if machine.family == "debian" and names:
        if not machine.has_lists:
            yield "apt-get update"
        yield f"apt-get install -y --no-install-recommends {' '.join(names)}"
    elif names:
        yield f"dnf install -y {' '.join(names)}"


def _as_root(machine: Machine, commands: Sequence[str]) -> Iterator[str]:
    """Commands with root's rights, or below a comment where nothing gives them."""
    if machine.root or not commands:
        yield from commands
    elif machine.has_sudo:
        yield from (f"sudo {command}" for command in commands)
    else:
        yield from ("# as root:", *commands)


def _as_user(machine: Machine, before: Sequence[str], commands: Sequence[str]) -> Iterator[str]:
    """Commands with the user's rights; a comment says so if root has run those before them."""
    if before and commands and not (machine.root or machine.has_sudo):
        yield "# not as root:"
    yield from commands


def known_packages(machine: Machine, mends: Iterable[Mend]) -> frozenset[str] | None:
    """The packages of these that this release of Debian or Ubuntu has; None if that cannot be asked."""
    names = sorted({name for mend in mends for name in mend.packages})
    tool = proc.find_tool("apt-cache")
    if not names or tool is None or machine.family != "debian" or not machine.has_lists:
        return None
    text = proc.run([tool, "--no-all-versions", "show", *names], timeout_s=60, check=False).text
    stanzas = (line.split(": ", 1) for line in text.splitlines() if line.startswith("Package: "))
    return frozenset(name for _, name in stanzas)
