"""Options that name a file of this host: another build of a runtime, another QEMU, another kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from bench.engines.libvirtd import LibvirtEngine
from bench.image.model import GuestKernel
from bench.scenario.model import TargetSpec
from bench.scenario.options import Choice, PathOption, Value, check_options, path_option, with_defaults
from bench.targets import smoke_test
from bench.targets.table import make_target
from bench.targets.vms import accel, guest, qemu
from bench.util import proc
from bench.util.cache import file_digest
from bench.util.errors import HostUnfitError, UsageError
from tests.unit.targets.test_vms import NO_ENGINES

PROGRAM: Final = PathOption("program", "runc")
DEFAULTS: Final = {
    "runc": {"runtime", "request", "isolation", "network", "writable layer", "limits"},
    "crun": {"runtime", "request", "isolation", "network", "writable layer", "limits"},
    "gvisor": {"runtime", "request", "isolation", "network", "writable layer", "limits", "platform", "flags"},
}
EMULATORS: Final = ("vmm", "microvm", "libvirt", "libvirt-full")
KERNELS: Final = ("microvm", "libvirt")


def program(path: Path, content: str = "#!/bin/sh\n") -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """No tool is started: each says its version, the same one; which were asked."""
    asked: list[str] = []

    def run(argv: Sequence[str | Path], **_more: Any) -> proc.Result:
        asked.append(str(argv[0]))
        said = b"QEMU emulator version 10.0.2 (Debian)\n" if "qemu" in str(argv[0]) else b"runc version 1.3\nmore\n"
        return proc.Result(tuple(map(str, argv)), 0, said, b"")

    def require_tool(name: str, *, package: str) -> str:
        del package
        return name if "/" in name else f"/usr/bin/{name}"

    monkeypatch.setattr(proc, "run", run)
    monkeypatch.setattr(proc, "require_tool", require_tool)
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    qemu.qemu_version.cache_clear()
    yield asked
    qemu.qemu_version.cache_clear()


def made(name: str, engines: Any = NO_ENGINES, **options: Path | str) -> Any:
    given: dict[str, Value] = {key: str(value) for key, value in options.items()}
    return make_target(TargetSpec(target=name, options=given), engines, accel="tcg")


# --- values ---


def bad_paths(directory: Path) -> dict[str, tuple[str, str]]:
    """What is wrong: the value, and what the error says of it."""
    plain = directory / "plain" / "runc"
    plain.parent.mkdir()
    plain.write_text("")
    return {
        "relative": ("bin/runc", "not an absolute path"),
        "a number": ("7", "not an absolute path"),
        "missing": (f"{directory}/none/runc", "no such file"),
        "not executable": (str(plain), "not executable"),
        "a directory": (str(plain.parent), "not a regular file"),
        "another name": (str(program(directory / "runc-new")), "its name is not runc"),
        "a comma": (f"{directory}/a,b/runc", "cannot have"),
        "a colon": (f"{directory}/a:b/runc", "cannot have"),
        "a bracket": (f"{directory}/a]b/runc", "cannot have"),
        "a space": (f"{directory}/a b/runc", "cannot have"),
        "a line": (f"{directory}/runc\n", "cannot have"),
    }


def test_a_bad_path_is_a_usage_error_with_value_and_next_step(tmp_path: Path) -> None:
    for value, words in bad_paths(tmp_path).values():
        with pytest.raises(UsageError) as caught:
            check_options("runc", {"program": value}, {"program": PROGRAM})
        assert f"target 'runc': option 'program' cannot be {value!r}: " in caught.value.message
        assert words in caught.value.message
        assert caught.value.hint


def test_what_is_no_text_is_no_path() -> None:
    with pytest.raises(UsageError, match="cannot be True: it is not an absolute path"):
        check_options("runc", {"program": True}, {"program": PROGRAM})


def test_files_and_directories_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    check_options("t", {"f": str(file), "d": str(tmp_path)}, {"f": PathOption("file"), "d": PathOption("directory")})
    with pytest.raises(UsageError, match="not a directory"):
        check_options("t", {"d": str(file)}, {"d": PathOption("directory")})
    with pytest.raises(UsageError, match="not a regular file"):
        check_options("t", {"f": str(tmp_path)}, {"f": PathOption("file")})


def test_a_path_has_no_default(tmp_path: Path) -> None:
    allowed: dict[str, Choice] = {"kind": ("a", "b"), "program": PROGRAM}
    link = tmp_path / "runc"
    link.symlink_to(program(tmp_path / "runc-1.3"))
    check_options("runc", {"program": str(link)}, allowed)
    assert with_defaults({"program": str(link)}, allowed) == {"kind": "a"}
    assert path_option({"program": str(link)}, "program") == link
    assert path_option({}, "program") is None


@pytest.mark.parametrize("name", EMULATORS)
def test_an_emulator_is_called_like_one(name: str, tmp_path: Path) -> None:
    """What a box left on the host is found by this name."""
    with pytest.raises(UsageError, match=r"its name is not qemu-system-\*") as caught:
        made(name, emulator=program(tmp_path / "new-qemu"))
    assert "symbolic link" in caught.value.hint


@pytest.mark.parametrize("name", KERNELS)
def test_modules_without_their_kernel_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs guest_kernel as well") as caught:
        made(name, guest_modules=tmp_path)
    assert "guest_kernel=" in caught.value.hint
    with pytest.raises(UsageError, match="not a regular file"):
        made(name, guest_kernel=tmp_path)


# --- runtimes ---


@pytest.mark.parametrize(("name", "tool"), [("runc", "runc"), ("crun", "crun"), ("gvisor", "runsc")])
def test_a_chosen_runtime_is_what_runs_and_what_is_described(
    name: str, tool: str, tmp_path: Path, versions: list[str]
) -> None:
    first, second = (program(tmp_path / build / tool, f"#!/bin/sh\n# {build}\n") for build in ("one", "two"))
    default, one, two = made(name), made(name, program=first), made(name, program=second)
    assert set(default.describe()) == DEFAULTS[name]
    assert default.describe()["runtime"] == "runc version 1.3"
    assert one.describe() == {**default.describe(), "program": f"{first}, sha256 {file_digest(first)}"}
    assert one.describe() != two.describe()
    assert set(versions) == {f"/usr/bin/{tool}", str(first), str(second)}
    state = Path("/run/state")
    assert one.runtime.argv(state, "run") == [str(first), *default.runtime.argv(state, "run")[1:]]
    # The answer to whether it works here is of this build.
    assert len({target.runtime.identity() for target in (default, one, two)}) == 3


def test_whether_a_runtime_works_is_asked_of_each_build(
    tmp_path: Path, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    identities: list[tuple[str, ...]] = []
    monkeypatch.setattr(smoke_test, "why_refused", lambda _tool, *identity, attempt: identities.append(identity))  # noqa: ARG005
    path = program(tmp_path / "runc", "one")
    made("runc", program=path).runtime.why_refused("runc")
    path.write_text("another build of that version")
    made("runc", program=path).runtime.why_refused("runc")
    assert len(set(identities)) == 2


# --- emulators ---


class _Library:
    class libvirtError(Exception):  # noqa: N801 - libvirt's name
        """What libvirt raises."""


class _Connection:
    """Knows one QEMU, and notes which it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def getVersion(self) -> int:  # noqa: N802 - libvirt's name
        return 10_000_000

    getLibVersion = getVersion  # noqa: N815 - libvirt's name

    def getDomainCapabilities(self, emulator: str | None, *_about: object) -> str:  # noqa: N802 - libvirt's name
        self.asked.append(emulator)
        if emulator is not None and "broken" in emulator:
            raise _Library.libvirtError("cannot execute binary")
        return "<os><value>efi</value></os>"


class _Engines:
    def __init__(self) -> None:
        self.connection = _Connection()
        self.libvirt = LibvirtEngine(self.connection, _Library, "test:///default")  # type: ignore[arg-type]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> GuestKernel:
    """This host's guest kernel, made up."""
    image = tmp_path / "vmlinuz-6.1"
    image.write_bytes(b"kernel")
    found = GuestKernel(image=image, release="6.1", source="made up", modules=())
    monkeypatch.setattr(guest, "find_guest_kernel", lambda: found)
    return found


def test_every_vm_target_says_which_qemu_it_runs(tmp_path: Path, versions: list[str], kernel: GuestKernel) -> None:
    del versions, kernel
    path = program(tmp_path / "q" / "qemu-system-x86_64")
    for name, options in (*((name, {}) for name in EMULATORS), ("vmm", {"via": "libvirt"})):
        default = made(name, _Engines(), **options).describe()
        chosen = made(name, _Engines(), emulator=path, **options).describe()
        assert "emulator" not in default
        words = {"vmm": "QEMU 10.0.2", "emulator": f"{path}, sha256 {file_digest(path)}"}
        assert chosen == {**default, **words}


def test_libvirt_learns_of_a_chosen_qemu_before_the_first_box(tmp_path: Path, kernel: GuestKernel) -> None:
    del kernel
    engines, path = _Engines(), program(tmp_path / "q" / "qemu-system-x86_64")
    assert made("libvirt", engines).why_unavailable() is None
    assert engines.connection.asked == []
    assert made("libvirt", engines, emulator=path, firmware="ovmf").why_unavailable() is None
    assert engines.connection.asked == [str(path), str(path)]
    broken = program(tmp_path / "broken" / "qemu-system-x86_64")
    for name in ("libvirt", "libvirt-full"):
        reason = made(name, engines, emulator=broken).why_unavailable()
        assert f"{name}: libvirt cannot use {broken}: cannot execute binary" in reason


def test_a_program_that_is_no_qemu_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path / "qemu-system-x86_64")
    monkeypatch.setattr(qemu, "qemu_version", lambda _path: "busybox 1.36")
    for name in ("vmm", "microvm"):
        assert f"{path} is not QEMU" in made(name, emulator=path).why_unavailable()
    with pytest.raises(HostUnfitError, match="its --version prints 'busybox"):
        qemu.require_qemu(path)


def test_a_held_qemu_is_the_chosen_one(
    tmp_path: Path, versions: list[str], kernel: GuestKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    del versions, kernel
    assert qemu.find_qemu() == "/usr/bin/qemu-system-x86_64"
    path = program(tmp_path / "q" / "qemu-system-x86_64")
    assert qemu.find_qemu(path) == str(path)
    seen: list[Path | None] = []

    def virtual_cpu(emulator: Path | None = None) -> accel.VirtualCpu:
        seen.append(emulator)
        return accel.VirtualCpu(None)

    monkeypatch.setattr(accel, "virtual_cpu", virtual_cpu)
    monkeypatch.setattr(qemu, "virtual_cpu", virtual_cpu)
    assert (
        make_target(TargetSpec(target="vmm", options={"emulator": str(path)}), NO_ENGINES, accel="auto").accel == "kvm"
    )
    assert qemu.accel_argv("kvm", vcpus=1, emulator=path)[:4] == ["-accel", "kvm", "-cpu", "host"]
    assert qemu.machine_for("kvm", emulator=path).emulator == path
    assert seen == [path] * 3


def test_the_decision_about_kvm_is_of_a_build_and_a_kernels_content(
    tmp_path: Path, versions: list[str], kernel: GuestKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two QEMUs of one version, two kernels of one release: each is tried, and each only once."""
    del versions
    first, second = (program(tmp_path / n / "qemu-system-x86_64", f"#!/bin/sh\n# {n}\n") for n in ("one", "two"))
    tried: list[str] = []
    monkeypatch.setattr(accel, "virtual_cpu", lambda _emulator=None: accel.VirtualCpu(None))
    monkeypatch.setattr(accel, "_boot", lambda program, *_more: tried.append(program))
    for emulator in (first, second, first):
        assert accel.choose_accel("auto", lambda: kernel, emulator=emulator) == "kvm"
    kernel.image.write_bytes(b"rebuilt")
    accel.why_no_kvm(kernel, emulator=first)
    assert tried == [str(first), str(second), str(first)]


# --- kernels ---


@pytest.mark.parametrize("name", KERNELS)
def test_a_chosen_kernel_is_what_boots_and_what_is_described(
    name: str, tmp_path: Path, versions: list[str], kernel: GuestKernel
) -> None:
    del versions
    image = tmp_path / "vmlinuz-new"
    image.write_bytes(b"new")
    default, chosen = made(name, _Engines()), made(name, _Engines(), guest_kernel=image)
    assert default.describe()["guest kernel"] == "6.1 (made up), compressed"
    words = f"new ({image}, sha256 {file_digest(image)}), compressed"
    assert chosen.describe() == {**default.describe(), "guest kernel": words}
    guests = [getattr(target, "guest", None) or target._guest for target in (default, chosen)]
    assert [guest.kernel_file for guest in guests] == [kernel.image, image]
