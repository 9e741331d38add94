"""The commands that install on this machine what a check found missing.

Which they are depends on the distribution, and on how Boxbench itself was installed: a checkout has a script that
installs everything, and the environments of pipx do not see the Python modules of the distribution.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.host.release import os_release
from bench.util import proc

Family = Literal["debian", "fedora", ""]
"""The package manager: apt-get, dnf, or none that is known here."""
Way = Literal["checkout", "pipx", "uv", "venv", "system"]
"""How Boxbench was installed. ``system`` is a package of the distribution, or pip without an environment."""

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
_HEADERS: Final = "python3-dev"
_FEDORA: Final = {
    BINDING: "python3-libvirt",
    "libvirt-daemon": "libvirt-daemon",
    "libvirt-daemon-driver-qemu": "libvirt-daemon-driver-qemu",
    "libvirt-dev": "libvirt-devel",
    "pkg-config": "pkgconf-pkg-config",
    "gcc": "gcc",
    "python3-dev": "python3-devel",
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
_MODULES: Final = ("usr/lib/python3/dist-packages", "usr/lib64/python3*/site-packages")
"""Where Debian and Fedora have the modules of their own Python."""


@dataclass(frozen=True)
class Machine:
    """What decides how something is installed here."""

    family: Family
    way: Way
    place: Path
    """The checkout, or the Python environment."""
    request: str = "boxbench"
    """What pipx was asked to install: a name, a file or an address."""
    own_python: bool = True
    """Whether the Python is the distribution's, which could import the distribution's modules."""
    sees_modules: bool = True
    """Whether it does import them."""
    has_binding: bool = False
    """Whether the distribution's binding of libvirt is installed."""
    has_lists: bool = True
    """Whether APT knows any package: a fresh container has no lists."""
    root: bool = True


@dataclass(frozen=True)
class Mend:
    """What removes a problem."""

    packages: tuple[str, ...] = ()
    """Debian's names."""
    commands: tuple[str, ...] = ()
    """What is to be run after the packages were installed, without root's rights."""


NOTHING: Final = Mend()


def this_machine(root: Path = Path("/")) -> Machine:
    """The machine whose files are below ``root``, with the Python and the files of Boxbench that run now."""
    package = Path(__file__).resolve().parents[1]
    prefix = Path(sys.prefix)
    way, place = _way(package, prefix)
    try:
        settings = (prefix / "pyvenv.cfg").read_text(encoding="utf-8").replace(" ", "").lower()
    except OSError:
        settings = "include-system-site-packages=true"
    return Machine(
        family=_family(os_release(root / "etc/os-release")),
        way=way,
        place=place,
        request=_request(prefix),
        own_python=sys.base_prefix == "/usr",
        sees_modules="include-system-site-packages=true" in settings,
        has_binding=any(any(root.glob(f"{folder}/libvirt.py")) for folder in _MODULES),
        has_lists=any((root / "var/lib/apt/lists").glob("*_Packages*")),
        root=os.geteuid() == 0,
    )


def _way(package: Path, prefix: Path) -> tuple[Way, Path]:
    if (package.parent / "bootstrap").is_file():
        return "checkout", package.parent
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx", prefix
    if (prefix / "uv-receipt.toml").is_file():
        return "uv", prefix
    return ("venv" if sys.prefix != sys.base_prefix else "system"), prefix


def _family(release: dict[str, str]) -> Family:
    names = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if names & {"debian", "ubuntu"}:
        return "debian"
    return "fedora" if release.get("ID") == "fedora" else ""


def _request(prefix: Path) -> str:
    try:
        text = (prefix / "pipx_metadata.json").read_text(encoding="utf-8")
        found = json.loads(text)["main_package"]["package_or_url"]
    except (OSError, ValueError, LookupError, TypeError):
        return "boxbench"
    return found if isinstance(found, str) else "boxbench"


def binding(machine: Machine) -> Mend:
    """What makes libvirt's Python binding importable.

    The distribution's own binding comes first, since it needs no compiler and fits the library. A Python that cannot
    import it builds one, and so does a checkout's environment.
    """
    if machine.way == "checkout":
        return Mend((*_BUILD, _HEADERS))
    if not machine.own_python or machine.way == "uv":
        headers = (_HEADERS,) if machine.own_python else ()
        return Mend((*_BUILD, *headers), (_add(machine, "libvirt-python"),))
    packages = () if machine.has_binding else (BINDING,)
    return Mend(packages, () if machine.sees_modules else (_open(machine),))


def docker_client(machine: Machine) -> Mend:
    """What installs the Python package docker, on which Boxbench depends: something has removed it."""
    if machine.way == "system":
        return Mend(("python3-docker",))
    return Mend(commands=() if machine.way == "checkout" else (_add(machine, "docker"),))


def _add(machine: Machine, name: str) -> str:
    """The command that adds a package of Python to the environment."""
    match machine.way:
        case "pipx":
            return f"pipx inject boxbench {name}"
        case "uv":
            return f"uv tool install --force --with {name} boxbench"
        case _:
            return shlex.join([str(machine.place / "bin/python"), "-m", "pip", "install", name])


def _open(machine: Machine) -> str:
    """The command that lets the environment see the distribution's modules."""
    if machine.way == "pipx":
        return shlex.join(["pipx", "install", "--force", "--system-site-packages", machine.request])
    # An environment that exists keeps what is in it. Debian has what installs pip in a package of its own.
    return shlex.join(["/usr/bin/python3", "-m", "venv", "--without-pip", "--system-site-packages", str(machine.place)])


def advice(machine: Machine, mend: Mend) -> str:
    """The next step in one sentence."""
    if machine.way == "checkout":
        return "run `./bootstrap setup`" + (f", which installs {', '.join(mend.packages)}" if mend.packages else "")
    names = _names(machine, mend.packages)
    steps = [f"install {', '.join(names)}"] if names else []
    steps += [f"run `{command}`" for command in mend.commands]
    whose = "" if machine.family else " (Debian's names)"
    return f"{', then '.join(steps)}{whose}"


def _names(machine: Machine, packages: Iterable[str]) -> tuple[str, ...]:
    if machine.family != "fedora":
        return tuple(packages)
    return tuple(_FEDORA[name] for name in packages if name in _FEDORA)


def lines(machine: Machine, mends: Sequence[Mend], known: Collection[str] | None = None) -> tuple[str, ...]:
    """The commands that mend all of it on this machine, in their order; nothing if its package manager is not known.

    Args:
        known: packages that this release has; others are left out. None: all.
    """
    if not any(mend.packages or mend.commands for mend in mends):
        return ()
    if machine.way == "checkout":
        return (f"cd {shlex.quote(str(machine.place))} && ./bootstrap setup",)
    wanted = dict.fromkeys(name for mend in mends for name in mend.packages if known is None or name in known)
    names = sorted(_names(machine, wanted))
    sudo = "" if machine.root else "sudo "
    found = []
    if machine.family == "debian" and names:
        found += [] if machine.has_lists else [f"{sudo}apt-get update"]
        found.append(f"{sudo}apt-get install -y --no-install-recommends {' '.join(names)}")
    elif machine.family == "fedora" and names:
        found.append(f"{sudo}dnf install -y {' '.join(names)}")
    elif names:
        return ()
    return (*found, *dict.fromkeys(command for mend in mends for command in mend.commands))


def known_packages(machine: Machine, mends: Iterable[Mend]) -> frozenset[str] | None:
    """The packages of these that this release of Debian or Ubuntu has; None if that cannot be asked."""
    names = sorted({name for mend in mends for name in mend.packages})
    tool = proc.find_tool("apt-cache")
    if not names or tool is None or machine.family != "debian" or not machine.has_lists:
        return None
    text = proc.run([tool, "--no-all-versions", "show", *names], timeout_s=60, check=False).text
    stanzas = (line.split(": ", 1) for line in text.splitlines() if line.startswith("Package: "))
    return frozenset(name for _, name in stanzas)
