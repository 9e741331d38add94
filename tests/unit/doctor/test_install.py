"""The commands that doctor prints: for each distribution and each way in which Boxbench was installed."""

from __future__ import annotations

import json
import os
import shlex
import site
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.cli import doctor as command
from bench.doctor import install, machine, tools
from bench.doctor.check import Check, Host
from bench.doctor.install import NOTHING, Mend
from bench.doctor.machine import Machine
from bench.render.commands.checks import lines_text
from bench.util import proc
from bench.util.errors import HostUnfitError
from tests.commands import boxbench

PLACE = Path("/opt/venv")
PIPX = Machine("debian", "pipx", PLACE, ("/x/boxbench 0.1.whl",), sees_modules=False)
OTHER = replace(PIPX, own_python=False, python=PLACE / "bin/python", headers="")
"""A Python that is not the distribution's."""


BUILD = ("libvirt-dev", "pkg-config", "gcc")


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
        # Without the place from which it came, the environment is opened in place: no name is asked of a registry.
        (
            replace(PIPX, request=()),
            ("python3-libvirt",),
            ("/usr/bin/python3 -m venv --without-pip --system-site-packages /opt/venv",),
        ),
        (
            replace(PIPX, place=Path("/opt/pipx/venvs/boxbench"), has_binding=True),
            (),
            ("pipx install --global --force --system-site-packages '/x/boxbench 0.1.whl'",),
        ),
        # The installed binding cannot be imported: its package is named all the same.
        (replace(PIPX, sees_modules=True, has_binding=True), ("python3-libvirt",), ()),
        (OTHER, BUILD, ("pipx inject venv libvirt-python",)),
        (replace(OTHER, headers="python3.11-dev"), (*BUILD, "python3.11-dev"), ("pipx inject venv libvirt-python",)),
        (
            replace(PIPX, way="venv"),
            ("python3-libvirt",),
            ("/usr/bin/python3 -m venv --without-pip --system-site-packages /opt/venv",),
        ),
        (replace(OTHER, way="venv"), BUILD, ("/opt/venv/bin/python -m pip install libvirt-python",)),
        (
            replace(OTHER, way="venv", has_pip=False),
            BUILD,
            ("uv pip install --python /opt/venv/bin/python libvirt-python",),
        ),
        (
            replace(OTHER, way="user", managed=True, python=Path("/usr/bin/python3.11")),
            BUILD,
            ("/usr/bin/python3.11 -m pip install --user --break-system-packages libvirt-python",),
        ),
        (Machine("debian", "user", Path("/usr")), ("python3-libvirt",), ()),
        # uv cannot see modules of the system. A Python of its own has its headers; the distribution's are a package.
        (
            replace(OTHER, way="uv", request=("/x y/boxbench.whl[vm]",)),
            BUILD,
            ("uv tool install --force '/x y/boxbench.whl[vm]'",),
        ),
        (
            replace(OTHER, way="uv", request=(), headers="python3-dev", own_python=True),
            (*BUILD, "python3-dev"),
            ("uv pip install --python /opt/venv/bin/python libvirt-python",),
        ),
        (Machine("debian", "system", Path("/usr")), ("python3-libvirt",), ()),
        (Machine("debian", "checkout", PLACE), ("libvirt-dev", "pkg-config", "gcc", "python3-dev"), ()),
    ],
)
def test_the_binding_of_libvirt(machine: Machine, packages: tuple[str, ...], commands: tuple[str, ...]) -> None:
    assert install.binding(machine) == Mend(packages, commands)


MENDS = (Mend(install.QEMU[:1]), NOTHING, Mend(("gcc", "libc6-dev")), Mend(("gcc",), ("pipx inject a b",)))
QEMU = install.QEMU[0]
UNKNOWN = "# What this distribution calls these packages is not known. Debian's names: "


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
        (replace(PIPX, family=""), (f"{UNKNOWN}gcc libc6-dev {QEMU}", "pipx inject a b")),
        (
            replace(PIPX, root=False, has_sudo=False),
            (
                "# as root:",
                f"apt-get install -y --no-install-recommends gcc libc6-dev {QEMU}",
                "# not as root:",
                "pipx inject a b",
            ),
        ),
        (
            replace(PIPX, root=False, root_owns=True),
            (f"sudo apt-get install -y --no-install-recommends gcc libc6-dev {QEMU}", "sudo pipx inject a b"),
        ),
        (replace(PIPX, way="checkout", place=Path("/a b")), ("cd '/a b' && ./bootstrap setup",)),
    ],
)
def test_one_command_installs_everything(machine: Machine, lines: tuple[str, ...]) -> None:
    assert install.lines(machine, MENDS) == lines
    assert install.lines(machine, [NOTHING]) == ()


def test_what_the_release_lacks_is_left_out_since_apt_would_install_nothing() -> None:
    first, *_ = install.lines(PIPX, MENDS, known={"gcc"})
    assert first == "apt-get install -y --no-install-recommends gcc"


def test_a_name_that_is_not_known_is_debians() -> None:
    assert install.advice(replace(PIPX, family=""), Mend(("gcc",))) == "install gcc (Debian's names)"
    assert install.advice(PIPX, Mend(("gcc",), ("a b",))) == "install gcc, then run `a b`"
    assert install.advice(replace(PIPX, way="checkout"), NOTHING) == "run `./bootstrap setup`"
    fedora = replace(PIPX, family="fedora")
    mend = Mend(("libc6-dev", "user-mode-linux"))
    assert install.advice(fedora, mend) == "install glibc-static, then install user-mode-linux (Debian's names)"
    assert install.lines(fedora, [mend]) == (f"{UNKNOWN}user-mode-linux", "dnf install -y glibc-static")


def test_a_removed_docker_client_is_installed_for_the_python_that_runs() -> None:
    assert install.docker_client(Machine("debian", "user", Path("/usr"))) == Mend(("python3-docker",))
    local = replace(OTHER, way="system", python=Path("/usr/local/bin/python3"))
    assert install.docker_client(local).commands == ("/usr/local/bin/python3 -m pip install docker",)
    asked = replace(OTHER, way="uv", request=("/x/boxbench.whl[vm]",))
    assert install.docker_client(asked).commands == ("uv pip install --python /opt/venv/bin/python docker",)
    assert install.docker_client(replace(PIPX, way="checkout")) == NOTHING


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
        ("ID=ubuntu\nID_LIKE=debian\n", "debian"),
        # Their names are not known for sure.
        ("ID=arch\n", ""),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', ""),
        ("ID=alpine\n", ""),
        ("", ""),
    ],
)
def test_the_distribution(tmp_path: Path, release: str, family: str) -> None:
    assert machine.this_machine(_root(tmp_path, release)).family == family


def test_a_checkout_is_one_and_has_lists_and_binding_where_they_are(tmp_path: Path) -> None:
    _root(tmp_path, "ID=debian\n")
    found = machine.this_machine(tmp_path)
    assert (found.way, (found.place / "bootstrap").is_file()) == ("checkout", True)
    assert (found.has_lists, found.has_binding) == (False, False)
    lists, modules = tmp_path / "var/lib/apt/lists", tmp_path / "usr/lib/python3/dist-packages"
    for folder in (lists, modules):
        folder.mkdir(parents=True)
    (lists / "mirror_main_binary-amd64_Packages.lz4").touch()
    (modules / "libvirtmod.cpython-27-x86_64-linux-gnu.so").touch()
    assert not machine.this_machine(tmp_path).has_binding
    (modules / f"libvirtmod.cpython-{TAG}-x86_64-linux-gnu.so").touch()
    found = machine.this_machine(tmp_path)
    assert (found.has_lists, found.has_binding) == (True, True)


VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = VERSION.replace(".", "")


@pytest.mark.parametrize(
    ("base", "named", "own"),
    [("/usr", f"python{VERSION}", True), ("/usr", "python3.99", False), ("/usr/local", f"python{VERSION}", False)],
)
def test_modules_of_the_distribution_are_for_the_version_that_it_calls_python3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, named: str, own: bool
) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin" / named).touch()
    (tmp_path / "usr/bin/python3").symlink_to(named)
    monkeypatch.setattr(sys, "base_prefix", base)
    assert machine.own_python(tmp_path) is own
    headers = "python3-dev" if own else f"python{VERSION}-dev" if base == "/usr" else ""
    assert machine.this_machine(tmp_path).headers == headers


def test_commands_are_for_the_user_who_called_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert machine.this_machine(tmp_path).root
    monkeypatch.setenv("SUDO_UID", "1000")
    assert not machine.this_machine(tmp_path).root


@pytest.mark.parametrize(
    ("family", "files", "way"),
    [
        ("debian", {"pipx_metadata.json": ""}, "pipx"),
        ("debian", {"uv-receipt.toml": ""}, "uv"),
        ("debian", {"bootstrap": ""}, "checkout"),
        # The script of a checkout installs with apt-get only.
        ("fedora", {"bootstrap": ""}, "venv"),
        ("debian", {}, "venv"),
    ],
)
def test_the_environment_says_who_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: Any, files: dict[str, str], way: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert machine.way_of(tmp_path / "bench", tmp_path, family) == (way, tmp_path)


def test_without_an_environment_it_is_the_users_or_everyones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(tmp_path / "mine"))
    assert machine.way_of(tmp_path / "mine/bench", tmp_path, "debian")[0] == "user"
    assert machine.way_of(tmp_path / "dist-packages/bench", tmp_path, "debian")[0] == "system"


def _pipx(wanted: Any, **more: Any) -> str:
    return json.dumps({"main_package": {"package_or_url": wanted, "suffix": "", **more}})


def test_pipx_installs_again_from_where_it_came(tmp_path: Path) -> None:
    wheel = tmp_path / "a b.whl"
    wheel.touch()

    def request(text: str) -> tuple[str, ...]:
        (tmp_path / "pipx_metadata.json").write_text(text)
        return machine.pipx_request(tmp_path)

    assert request(_pipx(f"{wheel}[pptx]")) == (f"{wheel}[pptx]",)
    assert request(_pipx(str(wheel), suffix="@1")) == ("--suffix=@1", str(wheel))
    assert request(_pipx("git+https://host/boxbench")) == ("git+https://host/boxbench",)
    for unknown in (_pipx("boxbench"), _pipx("boxbench==1"), _pipx(f"{tmp_path}/gone.whl"), _pipx(3), "[]", "{"):
        assert request(unknown) == ()


def test_uv_installs_again_from_where_it_came_with_the_extra_vm(tmp_path: Path) -> None:
    (tmp_path / "x.whl").touch()
    place = f'path = "{tmp_path}/x.whl"'

    def request(entries: str, more: str = "") -> tuple[str, ...]:
        (tmp_path / "uv-receipt.toml").write_text(f"[tool]\nrequirements = [{entries}]\n{more}\n")
        return machine.uv_request(tmp_path)

    assert request(f'{{ name = "boxbench", {place} }}') == (f"{tmp_path}/x.whl[vm]",)
    assert request(f'{{ name = "boxbench", extras = ["pptx"], {place} }}, {{ name = "six" }}', 'python = "3.12"') == (
        "--python=3.12",
        "--with=six",
        f"{tmp_path}/x.whl[pptx,vm]",
    )
    assert request(f'{{ name = "boxbench", editable = "{tmp_path}" }}') == ("--editable", f"{tmp_path}[vm]")
    assert request('{ name = "boxbench", url = "https://h/x.whl" }') == ("boxbench[vm] @ https://h/x.whl",)
    for unknown in (
        '{ name = "boxbench" }',
        f'{{ name = "boxbench", path = "{tmp_path}/gone.whl" }}',
        f'{{ name = "boxbench", {place} }}, {{ name = "six", specifier = "<2" }}',
        "3",
        "",
        "[",
    ):
        assert request(unknown) == ()


@pytest.mark.parametrize(("setting", "sees"), [("true", True), ("false", False)])
def test_an_environment_may_see_the_modules_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, sees: bool
) -> None:
    (tmp_path / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = {setting}\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert machine.this_machine(tmp_path).sees_modules is sees


def test_no_command_asks_a_registry_for_a_package_of_our_name() -> None:
    # The name of pipx's environment may be ours; the place from which it came is none of a registry.
    for way in ("pipx", "uv", "venv", "user", "system"):
        for own in (True, False):
            there = replace(PIPX, way=way, own_python=own, request=(), place=Path("/v/boxbench"))
            for mend in (install.binding(there), install.docker_client(there)):
                for words in map(shlex.split, mend.commands):
                    assert words[-1] != "boxbench"
                    assert "boxbench" not in words or words[:2] == ["pipx", "inject"]


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
    rows = lines_text([f"# It's: {' '.join(f'package-{n}' for n in range(30))}"]).splitlines()[2:]
    assert len(rows) > 3
    assert all(row.startswith("  # ") and len(row) <= 80 for row in rows)
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
    monkeypatch.setattr(command, "this_machine", lambda: PIPX)
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
