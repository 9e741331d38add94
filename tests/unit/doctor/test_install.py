"""The commands that doctor prints: for each distribution and each way in which Boxbench was installed."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.cli import doctor as command
from bench.doctor import install, tools
from bench.doctor.check import Check, Host
from bench.doctor.install import NOTHING, Machine, Mend
from bench.render.commands.checks import lines_text
from bench.util import proc
from bench.util.errors import HostUnfitError
from tests.commands import boxbench

PLACE = Path("/opt/venv")
PIPX = Machine("debian", "pipx", PLACE, "/x/boxbench 0.1.whl", sees_modules=False)


@pytest.mark.parametrize(
    ("machine", "packages", "commands"),
    [
        # The distribution's own binding comes first, then one that is built.
        (
            PIPX,
            ("python3-libvirt",),
            ("pipx install --force --system-site-packages '/x/boxbench 0.1.whl'",),
        ),
        (replace(PIPX, has_binding=True), (), ("pipx install --force --system-site-packages '/x/boxbench 0.1.whl'",)),
        (replace(PIPX, sees_modules=True), ("python3-libvirt",), ()),
        (
            replace(PIPX, own_python=False),
            ("libvirt-dev", "pkg-config", "gcc"),
            ("pipx inject boxbench libvirt-python",),
        ),
        (
            replace(PIPX, way="venv"),
            ("python3-libvirt",),
            ("/usr/bin/python3 -m venv --without-pip --system-site-packages /opt/venv",),
        ),
        (
            replace(PIPX, way="venv", own_python=False),
            ("libvirt-dev", "pkg-config", "gcc"),
            ("/opt/venv/bin/python -m pip install libvirt-python",),
        ),
        # uv cannot see modules of the system. A Python of its own has its headers; the distribution's are a package.
        (
            replace(PIPX, way="uv", own_python=False),
            ("libvirt-dev", "pkg-config", "gcc"),
            ("uv tool install --force --with libvirt-python boxbench",),
        ),
        (
            replace(PIPX, way="uv"),
            ("libvirt-dev", "pkg-config", "gcc", "python3-dev"),
            ("uv tool install --force --with libvirt-python boxbench",),
        ),
        (Machine("debian", "system", Path("/usr")), ("python3-libvirt",), ()),
        (Machine("debian", "checkout", PLACE), ("libvirt-dev", "pkg-config", "gcc", "python3-dev"), ()),
    ],
)
def test_the_binding_of_libvirt(machine: Machine, packages: tuple[str, ...], commands: tuple[str, ...]) -> None:
    assert install.binding(machine) == Mend(packages, commands)


MENDS = (Mend(install.QEMU[:1]), NOTHING, Mend(("gcc", "libc6-dev")), Mend(("gcc",), ("pipx inject a b",)))
QEMU = install.QEMU[0]


@pytest.mark.parametrize(
    ("machine", "lines"),
    [
        (PIPX, (f"apt-get install -y --no-install-recommends gcc libc6-dev {QEMU}", "pipx inject a b")),
        (
            replace(PIPX, root=False, has_lists=False),
            (
                "sudo apt-get update",
                f"sudo apt-get install -y --no-install-recommends gcc libc6-dev {QEMU}",
                "pipx inject a b",
            ),
        ),
        (
            replace(PIPX, family="fedora"),
            (f"dnf install -y gcc glibc-static {install._FEDORA[QEMU]}", "pipx inject a b"),
        ),
        (replace(PIPX, family=""), ()),
        (replace(PIPX, way="checkout", place=Path("/a b")), ("cd '/a b' && ./bootstrap setup",)),
    ],
)
def test_one_command_installs_everything(machine: Machine, lines: tuple[str, ...]) -> None:
    assert install.lines(machine, MENDS) == lines
    assert install.lines(machine, [NOTHING]) == ()


def test_what_the_release_lacks_is_left_out_since_apt_would_install_nothing() -> None:
    first, *_ = install.lines(PIPX, MENDS, known={"gcc"})
    assert first == "apt-get install -y --no-install-recommends gcc"


def test_an_unknown_distribution_gets_debians_names() -> None:
    assert install.advice(replace(PIPX, family=""), Mend(("gcc",))) == "install gcc (Debian's names)"
    assert install.advice(PIPX, Mend(("gcc",), ("a b",))) == "install gcc, then run `a b`"
    assert install.advice(replace(PIPX, way="checkout"), NOTHING) == "run `./bootstrap setup`"


def test_apt_says_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def answer(argv: list[str], **_: object) -> proc.Result:
        asked.append(argv)
        return proc.Result(tuple(argv), 100, b"Package: gcc\nVersion: 4:14\n\nPackage: zstd\n", b"N: no docker-cli\n")

    monkeypatch.setattr(proc, "find_tool", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(proc, "run", answer)
    mends = (Mend(("zstd", "docker-cli")), Mend(("gcc",)))
    assert install.known_packages(PIPX, mends) == frozenset({"gcc", "zstd"})
    assert asked == [["/usr/bin/apt-cache", "--no-all-versions", "show", "docker-cli", "gcc", "zstd"]]
    assert install.known_packages(replace(PIPX, has_lists=False), mends) is None
    assert install.known_packages(replace(PIPX, family="fedora"), mends) is None
    assert install.known_packages(PIPX, [NOTHING]) is None


def _root(folder: Path, release: str) -> Path:
    (folder / "etc").mkdir()
    (folder / "etc/os-release").write_text(release)
    return folder


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ("ID=debian\n", "debian"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "debian"),
        ("ID=fedora\n", "fedora"),
        # It has neither QEMU's nor Docker's packages under Fedora's names.
        ('ID="rhel"\nID_LIKE="fedora"\n', ""),
        ("", ""),
    ],
)
def test_the_distribution(tmp_path: Path, release: str, family: str) -> None:
    assert install.this_machine(_root(tmp_path, release)).family == family


def test_a_checkout_is_one_and_has_lists_and_binding_where_they_are(tmp_path: Path) -> None:
    machine = install.this_machine(tmp_path)
    assert (machine.way, (machine.place / "bootstrap").is_file()) == ("checkout", True)
    assert (machine.has_lists, machine.has_binding) == (False, False)
    lists, modules = tmp_path / "var/lib/apt/lists", tmp_path / "usr/lib/python3/dist-packages"
    for folder in (lists, modules):
        folder.mkdir(parents=True)
    (lists / "mirror_main_binary-amd64_Packages.lz4").touch()
    (modules / "libvirt.py").touch()
    machine = install.this_machine(tmp_path)
    assert (machine.has_lists, machine.has_binding) == (True, True)


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({"pipx_metadata.json": {"main_package": {"package_or_url": "boxbench==1"}}}, "pipx"),
        ({"pipx_metadata.json": ["damaged"]}, "pipx"),
        ({"uv-receipt.toml": {}}, "uv"),
        ({}, "venv"),
    ],
)
def test_the_environment_says_who_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, Any], way: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert install._way(tmp_path / "bench", tmp_path) == (way, tmp_path)
    expected = "boxbench==1" if files and isinstance(files.get("pipx_metadata.json"), dict) else "boxbench"
    assert install._request(tmp_path) == expected


@pytest.mark.parametrize(("setting", "sees"), [("true", True), ("false", False)])
def test_an_environment_may_see_the_modules_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, sees: bool
) -> None:
    (tmp_path / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = {setting}\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert install.this_machine(tmp_path).sees_modules is sees


def test_rows_fit_a_terminal_and_are_the_same_command() -> None:
    lines = (
        f"apt-get install -y {' '.join(f'package-{n}' for n in range(30))}",
        "pipx install '/a b/c'",
        "cd x && ./y",
    )
    text = lines_text(lines)
    assert max(map(len, text.splitlines())) <= 80
    rows = text.split(":\n", 1)[1].replace("\\\n", " ").splitlines()
    assert [shlex.split(row) for row in rows] == [shlex.split(line) for line in lines]
    assert lines_text(()) == ""


def test_libvirt_without_a_daemon_is_missing_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise HostUnfitError("none", hint="install one")

    monkeypatch.setattr(tools, "find_program", none)
    monkeypatch.setitem(sys.modules, "libvirt", type("Fake", (), {"getVersion": staticmethod(lambda: 11_003_000)})())
    host = Host({}, Path("/nowhere"), Path("/"), PIPX)
    found = tools.check_libvirt(host)
    assert (found.status, found.mend) == ("fail", Mend(install.DAEMON))
    monkeypatch.setitem(sys.modules, "libvirt", None)
    found = tools.check_libvirt(host)
    assert found.mend.packages == ("python3-libvirt", *install.DAEMON)
    assert found.fix.endswith("the VM targets microvm and vmm do without it")


def test_doctor_ends_with_the_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    checks = [Check("qemu", "fail", "no QEMU", "install it", Mend(("qemu-utils",))), Check("root", "ok", "root")]
    monkeypatch.setattr(command, "diagnose", lambda **_: checks)
    monkeypatch.setattr(install, "this_machine", lambda: PIPX)
    monkeypatch.setattr(install, "known_packages", lambda *_: None)
    assert boxbench(monkeypatch, "doctor") == 5
    shown = capsys.readouterr().out
    assert shown.endswith(
        "\nTo install what is missing on this machine:\n  apt-get install -y --no-install-recommends qemu-utils\n"
    )
    assert boxbench(monkeypatch, "doctor", "--json") == 5
    first, second = json.loads(capsys.readouterr().out)
    assert first["mend"] == {"packages": ["qemu-utils"], "commands": []}
    assert second["mend"] == {"packages": [], "commands": []}
