"""bootstrap on made-up hosts, with a PATH that has a fake apt, sudo and Python. Nothing real is installed."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from bench.util import proc
from tests.needs import host_cannot, need
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.host

SCRIPT: Final = Path(__file__).parents[3] / "bootstrap"
# What a fresh Debian has without asking (coreutils, dash, findutils).
BASE_TOOLS: Final = (
    "sh",
    "cat",
    "cksum",
    "cut",
    "dirname",
    "env",
    "head",
    "mkdir",
    "mktemp",
    "rm",
    "tail",
    "cp",
    "chmod",
    "ln",
)
FOUND_ON_PATH: Final = (
    *("gcc", "pkg-config", "qemu-img", "mmdebstrap", "zstd", "git", "docker"),
    *("crun", "runsc", "bwrap", "containerd", "podman", "hyperfine", "linux.uml"),
    *("cpio", "strace", "shellcheck", "skopeo", "docker-registry", "curl", "tc", "chromium", "groff"),
    *("grub-mkimage", "mformat", "virt-xml-validate", "libvirtd"),
)

FAKE_PYTHON: Final = """\
    #!/bin/sh
    case "$1" in
        -) cat >/dev/null; exit 0 ;;
        -V | -VV) echo "Python 3.99.0" ;;
        -c) exit 0 ;;
        -m)
            shift
            echo "$*" >>"$LOG"
            if [ "$1" = venv ]; then
                mkdir -p "$2/bin"
                cp "$0" "$2/bin/python"
            fi
            if [ "$1" = pip ]; then
                printf '#!/bin/sh\\necho boxbench "$@" >>"$LOG"; exit 5\\n' >"${0%python}boxbench"
                chmod +x "${0%python}boxbench"
            fi ;;
    esac
"""


class FakeHost:
    """A clone in a folder, and a PATH with only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "my clone"
        self.clone.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.log = folder / "log"
        self.log.touch()
        shutil.copy(SCRIPT, self.clone)
        (self.clone / "pyproject.toml").write_text("[project]\n", encoding="ascii")
        (self.clone / "tests").mkdir()
        (self.clone / "tests/constraints.txt").touch()
        for name in BASE_TOOLS:
            (self.bin / name).symlink_to(shutil.which(name) or "/missing")
        self.fake("id", "echo ${FAKE_UID:-0}")
        self.fake("uname", "echo x86_64")
        self.fake("qemu-system-x86_64", "exit 0")
        self.write("python3", FAKE_PYTHON)

    def write(self, name: str, text: str) -> None:
        file = self.bin / name
        file.unlink(missing_ok=True)
        file.write_text(dedent(text), encoding="ascii")
        file.chmod(0o755)

    def fake(self, name: str, body: str) -> None:
        self.write(name, f"#!/bin/sh\n{body}\n")

    def with_apt(self) -> None:
        """apt-get that notes what it is told and "installs" what is on PATH under its own name."""
        self.fake("apt-get", f'echo "apt-get $DEBIAN_FRONTEND $*" >>"$LOG"; {self._install()}')
        self.fake("apt-cache", '[ "$2" != docker-cli ]')

    def _install(self) -> str:
        touch = f'printf "#!/bin/sh\\n" >{self.bin}/$1 && chmod +x {self.bin}/$1'
        return f"i() {{ {touch}; }}; for p in " + " ".join(FOUND_ON_PATH) + "; do i $p; done"

    def with_everything(self) -> None:
        for name in FOUND_ON_PATH:
            self.fake(name, "exit 0")

    def run(self, *words: str, **env: str) -> proc.Result:
        return proc.run(
            [self.bin / "sh", self.clone / "bootstrap", *words],
            timeout_s=60,
            check=False,
            env={"PATH": str(self.bin), "LOG": str(self.log), **env},
        )

    def logged(self) -> str:
        return self.log.read_text(encoding="utf-8")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def test_it_is_executable_and_plain_sh() -> None:
    assert SCRIPT.stat().st_mode & stat.S_IXUSR
    assert SCRIPT.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    for shell in ("sh", "dash", "bash"):
        if shutil.which(shell):
            proc.run([shell, "-n", SCRIPT], timeout_s=LIMIT_S)


def test_shellcheck_has_nothing_to_say() -> None:
    if shutil.which("shellcheck") is None:
        need("shellcheck is not installed")
    root = SCRIPT.parent
    proc.run(["shellcheck", SCRIPT, root / ".ci/run", *sorted((root / "ci").glob("*.sh"))], timeout_s=60)


@pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("-h",)])
def test_alone_it_explains_itself_and_does_nothing(host: FakeHost, words: tuple[str, ...]) -> None:
    result = host.run(*words)
    assert result.returncode == 0
    for command in ("setup", "quickstart", "tests"):
        assert f"\n  {command} " in result.text
    assert host.logged() == ""


def test_an_unknown_command_is_a_usage_error(host: FakeHost) -> None:
    result = host.run("instal")
    assert result.returncode == 2
    assert b"error: there is no command instal" in result.stderr
    assert host.logged() == ""


def test_missing_packages_are_named_with_why_and_installed(host: FakeHost) -> None:
    host.with_apt()
    result = host.run("setup")
    assert result.returncode == 0, result.stderr.decode()
    assert b"  gcc                          compiles the agent that runs in every box\n" in result.stderr
    assert b"  qemu-utils                   makes the disk overlays of virtual machines\n" in result.stderr
    update, install = [line for line in host.logged().splitlines() if line.startswith("apt-get")]
    assert update.endswith(" update")
    assert "noninteractive" in install
    assert "install -y --no-install-recommends" in install
    assert {"gcc", "pkg-config", "qemu-utils", "mmdebstrap", "zstd", "git"} <= set(install.split())
    assert "docker-cli" not in install.split()


def test_a_second_run_installs_nothing(host: FakeHost) -> None:
    host.with_apt()
    host.run("setup")
    before = host.logged()
    result = host.run("setup")
    assert result.returncode == 0
    assert host.logged() == before


def test_the_environment_is_made_of_the_project_with_libvirt(host: FakeHost) -> None:
    host.with_everything()
    host.run("setup")
    lines = host.logged().splitlines()
    assert lines[0] == f"venv {host.clone}/.venv"
    assert lines[-1].endswith("--editable .[vm,pptx]")
    host.run("tests")
    held = f"--constraint {host.clone}/tests/constraints.txt"
    assert any(line.endswith(f"--editable .[vm] --group dev {held}") for line in host.logged().splitlines())


def _without_libvirtd(host: FakeHost, *, mirror_has: str) -> None:
    """A host with everything but libvirt's daemon, whose mirror has it in one version only."""
    host.with_everything()
    (host.bin / "libvirtd").unlink()
    host.fake("dpkg-query", "printf 1.2")
    host.fake(
        "apt-get",
        'echo "apt-get $*" >>"$LOG"; case "$*" in *update) exit 0 ;; esac; '
        f'[ "$3" = "{mirror_has}" ] && echo >libvirt-daemon_1.deb',
    )
    program = "mkdir -p usr/sbin; printf '#!/bin/sh\\nexit 0\\n' >usr/sbin/libvirtd; chmod +x usr/sbin/libvirtd"
    host.fake("dpkg-deb", f'[ "$1 $3" = "-x ." ] && {{ {program}; }}')


@pytest.mark.parametrize("mirror_has", ["libvirt-daemon=1.2", "libvirt-daemon"])
def test_libvirts_daemon_is_unpacked_and_not_installed(host: FakeHost, mirror_has: str) -> None:
    _without_libvirtd(host, mirror_has=mirror_has)
    result = host.run("setup")
    assert result.returncode == 0, result.stderr.decode()
    assert (host.clone / ".venv/libexec/libvirtd").stat().st_mode & stat.S_IXUSR
    assert "apt-get install" not in host.logged()
    before = host.logged()
    host.run("setup")
    assert host.logged() == before, "a second run has it"


def test_without_libvirts_daemon_the_rest_works(host: FakeHost) -> None:
    _without_libvirtd(host, mirror_has="nothing")
    result = host.run("setup")
    assert result.returncode == 0, result.stderr.decode()
    assert b"hint: install the package libvirt-daemon" in result.stderr


def test_the_registry_is_unpacked_and_not_installed(host: FakeHost) -> None:
    host.with_everything()
    (host.bin / "docker-registry").unlink()
    host.fake("apt-get", 'echo "apt-get $*" >>"$LOG"; echo >docker-registry_1.deb')
    program = (
        "mkdir -p usr/bin; printf '#!/bin/sh\\nexit 0\\n' >usr/bin/docker-registry; chmod +x usr/bin/docker-registry"
    )
    host.fake("dpkg-deb", f'[ "$1 $3" = "-x ." ] && {{ {program}; }}')
    assert host.run("quickstart").returncode == 5
    assert "docker-registry" not in host.logged()
    assert host.run("setup").returncode == 0
    assert (host.clone / ".venv/libexec/docker-registry").stat().st_mode & stat.S_IXUSR
    assert "apt-get install" not in host.logged()


def test_a_changed_pyproject_installs_again_but_keeps_the_environment(host: FakeHost) -> None:
    host.with_everything()
    host.run("setup")
    with (host.clone / "pyproject.toml").open("a", encoding="ascii") as file:
        file.write("# changed\n")
    host.run("setup")
    assert host.logged().count("venv ") == 1
    assert host.logged().count("--editable") == 2


def test_a_moved_clone_gets_a_new_environment(host: FakeHost) -> None:
    host.with_everything()
    host.run("setup")
    host.clone = host.clone.rename(host.clone.with_name("elsewhere"))
    assert host.run("setup").returncode == 0
    assert host.logged().count("venv ") == 2


def test_an_environment_whose_python_is_gone_is_made_again(host: FakeHost) -> None:
    host.with_everything()
    host.run("setup")
    (host.clone / ".venv/bin/python").unlink()
    assert host.run("setup").returncode == 0
    assert host.logged().count("venv ") == 2


@pytest.mark.parametrize(("command", "uid"), [("setup", "0"), ("quickstart", "0"), ("setup", "1000")])
def test_it_says_how_to_call_what_it_set_up(host: FakeHost, command: str, uid: str) -> None:
    host.with_everything()
    said = host.run(command, FAKE_UID=uid).stderr.decode()
    assert f"ready: the program is {host.clone}/.venv/bin/boxbench; this makes it boxbench in this shell:\n" in said
    assert f'\n  . "{host.clone}/.venv/bin/activate"\n' in said
    assert (f'sudo "{host.clone}/.venv/bin/boxbench" run hello' in said) == (uid != "0")


def test_quickstart_passes_words_and_exit_code_through(host: FakeHost) -> None:
    host.with_everything()
    result = host.run("quickstart", "--blocks", "9", "a b")
    assert result.returncode == 5
    assert host.logged().splitlines()[-1] == "boxbench quickstart --blocks 9 a b"


def test_tests_runs_every_session_in_order(host: FakeHost) -> None:
    host.with_everything()
    assert host.run("tests", "-k", "plan").returncode == 0
    assert host.logged().splitlines()[-1] == "nox --sessions static tests live -- -k plan"


def test_an_engine_that_is_there_is_left_alone(host: FakeHost) -> None:
    host.with_apt()
    host.fake("docker", "exit 0")
    host.run("setup")
    assert "docker.io" not in host.logged()


def test_without_root_sudo_is_asked(host: FakeHost) -> None:
    host.with_apt()
    host.fake("sudo", 'echo "sudo $*" >>"$LOG"; exec "$@"')
    assert host.run("setup", FAKE_UID="1000").returncode == 0
    sudos = [line for line in host.logged().splitlines() if line.startswith("sudo")]
    assert len(sudos) == 2
    assert "pip" not in "".join(sudos)


def test_without_root_and_sudo_the_command_to_run_is_shown(host: FakeHost) -> None:
    if Path("/usr/sbin/sudo").exists():
        host_cannot("hide its sudo behind a fake PATH")
    host.with_apt()
    result = host.run("setup", FAKE_UID="1000")
    assert result.returncode == 5
    assert b"hint: as root: apt-get install --no-install-recommends gcc" in result.stderr
    assert host.logged() == ""


def test_a_complete_host_needs_neither_root_nor_apt(host: FakeHost) -> None:
    host.with_everything()
    result = host.run("setup", FAKE_UID="1000")
    assert result.returncode == 0
    assert b"apt" not in result.stderr


def test_an_unknown_distribution_gets_a_list_and_exit_code_5(host: FakeHost) -> None:
    result = host.run("setup")
    assert result.returncode == 5
    assert b"error: this is neither Debian nor Ubuntu" in result.stderr
    assert b"mmdebstrap" in result.stderr
    assert host.logged() == ""


def test_a_failing_apt_shows_its_last_lines(host: FakeHost) -> None:
    host.with_apt()
    host.fake("apt-get", "seq -s ' ' 1 5 2>/dev/null; echo 'E: the mirror is down' >&2; exit 100")
    result = host.run("setup")
    assert result.returncode == 5
    assert b"E: the mirror is down" in result.stderr
    assert b"error: apt-get update failed" in result.stderr


def test_no_output_file_is_left_behind(host: FakeHost, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    host.with_apt()
    host.run("setup", TMPDIR=str(scratch))
    assert list(scratch.iterdir()) == []
