"""How software is installed on this machine: its distribution, and how Boxbench itself came here."""

from __future__ import annotations

import importlib.util
import json
import os
import site
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from bench.host.release import os_release
from bench.util import proc

Family = Literal["debian", "fedora", ""]
"""The package manager: apt-get, dnf, or none that is known here."""
Way = Literal["checkout", "pipx", "uv", "venv", "user", "system"]
"""How Boxbench was installed. ``user`` is pip's ``--user``; ``system`` is a package of the distribution, or pip without
an environment."""

HEADERS: Final = "python3-dev"
"""The headers of Debian's own Python."""
_VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_MODULES: Final = ("usr/lib/python3/dist-packages", f"usr/lib64/python{_VERSION}/site-packages")
"""Where Debian and Fedora have the modules of their own Python."""


@dataclass(frozen=True)
class Machine:
    """What decides how something is installed here."""

    family: Family
    way: Way
    place: Path
    """The checkout, or the Python environment."""
    request: tuple[str, ...] = ()
    """The arguments with which pipx or uv installs Boxbench again from where it came; empty if that is not known.
    It is never a bare name: a package of our name in a registry is not ours."""
    own_python: bool = True
    """Whether this is the Python for which the distribution has modules."""
    python: Path = Path("/usr/bin/python3")
    """The Python that runs."""
    headers: str = HEADERS
    """Debian's package of its headers; empty if it brings them."""
    has_pip: bool = True
    """Whether that Python has pip: environments of uv have none."""
    managed: bool = False
    """Whether pip refuses to install for this Python unless it is told to."""
    sees_modules: bool = True
    """Whether the environment sees the distribution's modules."""
    has_binding: bool = False
    """Whether the distribution's binding of libvirt is installed."""
    has_lists: bool = True
    """Whether APT knows any package: a fresh container has no lists."""
    root: bool = True
    """Whether commands of the user's shell are root's."""
    has_sudo: bool = True
    root_owns: bool = False
    """Whether only root can change the environment, and the user is not root."""


def this_machine(root: Path = Path("/")) -> Machine:
    """The machine whose files are below ``root``, with the Python and the files of Boxbench that run now."""
    package, prefix = Path(__file__).resolve().parents[1], Path(sys.prefix)
    family = family_of(os_release(root / "etc/os-release"))
    way, place = way_of(package, prefix, family)
    settings = _settings(prefix)
    user, own = _user(), own_python(root)
    return Machine(
        family=family,
        way=way,
        place=place,
        request=pipx_request(prefix) if way == "pipx" else uv_request(prefix) if way == "uv" else (),
        own_python=own,
        python=Path(sys.executable),
        headers=HEADERS if own else f"python{_VERSION}-dev" if sys.base_prefix == "/usr" else "",
        has_pip=importlib.util.find_spec("pip") is not None,
        managed=way in ("user", "system") and (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").exists(),
        sees_modules="include-system-site-packages=true" in settings,
        has_binding=any(any(root.glob(f"{folder}/libvirtmod.cpython-{_tag()}-*")) for folder in _MODULES),
        has_lists=any((root / "var/lib/apt/lists").glob("*_Packages*")),
        root=user == 0,
        has_sudo=proc.find_tool("sudo") is not None,
        root_owns=way != "user" and user != 0 and _owner(place) == 0,
    )


def _tag() -> str:
    return _VERSION.replace(".", "")


def _settings(prefix: Path) -> str:
    try:
        return (prefix / "pyvenv.cfg").read_text(encoding="utf-8").replace(" ", "").lower()
    except OSError:
        return "include-system-site-packages=true"


def _user() -> int:
    """The user whose shell gets the commands: under sudo it is not root's."""
    caller = os.environ.get("SUDO_UID", "")
    return int(caller) if os.geteuid() == 0 and caller.isdecimal() else os.geteuid()


def _owner(place: Path) -> int | None:
    try:
        return place.stat().st_uid
    except OSError:
        return None


def own_python(root: Path) -> bool:
    """Whether the Python that runs is the one that ``/usr/bin/python3`` names.

    Modules of the distribution are compiled for that one. Another version may lie beside it in ``/usr/bin``.
    """
    named = (root / "usr/bin/python3").resolve().name
    return sys.base_prefix == "/usr" and named == f"python{_VERSION}"


def way_of(package: Path, prefix: Path, family: Family) -> tuple[Way, Path]:
    """How the code in ``package`` was installed, and where. Only APT is known to the script of a checkout."""
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx", prefix
    if (prefix / "uv-receipt.toml").is_file():
        return "uv", prefix
    if family == "debian" and (package.parent / "bootstrap").is_file():
        return "checkout", package.parent
    if sys.prefix != sys.base_prefix:
        return "venv", prefix
    return ("user" if package.is_relative_to(Path(site.getusersitepackages()).resolve()) else "system"), prefix


def family_of(release: dict[str, str]) -> Family:
    """The package manager of the distribution that ``/etc/os-release`` describes."""
    names = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if names & {"debian", "ubuntu"}:
        return "debian"
    return "fedora" if release.get("ID") == "fedora" else ""


def pipx_request(prefix: Path) -> tuple[str, ...]:
    """The arguments of ``pipx install`` that gave the environment, without options; empty if they are unknown."""
    try:
        main = json.loads((prefix / "pipx_metadata.json").read_text(encoding="utf-8"))["main_package"]
        wanted, suffix = main["package_or_url"], main.get("suffix", "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()
    if not isinstance(wanted, str) or not isinstance(suffix, str) or not _has_place(wanted):
        return ()
    return (*([f"--suffix={suffix}"] if suffix else []), wanted)


def uv_request(prefix: Path) -> tuple[str, ...]:
    """The arguments of ``uv tool install`` that gave the environment, with the extra ``vm``; empty if not known."""
    try:
        tool = tomllib.loads((prefix / "uv-receipt.toml").read_text(encoding="utf-8"))["tool"]
        (ours,) = (entry for entry in tool["requirements"] if entry["name"] == "boxbench")
        others = [entry for entry in tool["requirements"] if entry is not ours]
        extras = ",".join(sorted({*ours.get("extras", ()), "vm"}))
        python = [f"--python={tool['python']}"] if "python" in tool else []
        simple = all(set(entry) == {"name"} for entry in others)
        wanted = _uv_place(ours, extras)
        added = [f"--with={entry['name']}" for entry in others]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()
    return (*python, *added, *wanted) if simple and wanted else ()


def _uv_place(entry: dict[str, Any], extras: str) -> tuple[str, ...]:
    for key, option in (("path", ()), ("directory", ()), ("editable", ("--editable",))):
        if key in entry:
            return (*option, f"{entry[key]}[{extras}]") if _has_place(entry[key]) else ()
    return (f"boxbench[{extras}] @ {entry['url']}",) if "url" in entry else ()


def _has_place(wanted: str) -> bool:
    """Whether a request names an address, or a file that is still there."""
    return "://" in wanted or (wanted.startswith("/") and Path(wanted.split("[", 1)[0]).exists())
