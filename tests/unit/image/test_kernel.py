"""The guest kernel: modules in load order, decompressed; kernels named by the user."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from bench.image.vm.kernel import find_guest_kernel, named_kernel
from bench.image.vm.modules import load_order, parse_modinfo, prepare_modules
from bench.util.errors import HostUnfitError


def module(depends: str = "", soft: str = "") -> bytes:
    info = f"license=GPL\0depends={depends}\0" + (f"softdep=pre: {soft}\0" if soft else "") + "name=x\0"
    return b"\x7fELF....\0" + info.encode() + b"\0more"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    directory = tmp_path / "6.1-test"
    kernel = directory / "kernel"
    (kernel / "fs").mkdir(parents=True)
    (kernel / "drivers").mkdir()
    (kernel / "fs" / "ext4.ko.xz").write_bytes(lzma.compress(module("jbd2,mbcache", "crc32c missing")))
    (kernel / "fs" / "jbd2.ko.gz").write_bytes(gzip.compress(module()))
    (kernel / "fs" / "mbcache.ko").write_bytes(module())
    (kernel / "fs" / "crc32c.ko").write_bytes(module())
    (kernel / "drivers" / "virtio-blk.ko").write_bytes(module("virtio"))
    (directory / "modules.builtin").write_text(
        "kernel/drivers/virtio.ko\nkernel/virtio_pci.ko\nkernel/virtio_console.ko"
    )
    return directory


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name.split("-", 1)[1] for path in paths]


def test_dependencies_come_first_and_builtins_are_left_out(modules: Path) -> None:
    prepared = prepare_modules(modules, "6.1-test")
    assert names(prepared) == ["virtio_blk.ko", "jbd2.ko", "mbcache.ko", "crc32c.ko", "ext4.ko"]
    assert prepared[1].read_bytes() == module()


def test_a_missing_module_is_an_error(modules: Path) -> None:
    (modules / "modules.builtin").write_text("kernel/virtio.ko\nkernel/virtio_pci.ko")
    with pytest.raises(HostUnfitError, match=r"virtio_console of 6\.1-test"):
        prepare_modules(modules, "6.1-test")


def test_an_optional_module_is_used_when_it_exists(modules: Path) -> None:
    (modules / "kernel" / "drivers" / "virtio_mmio.ko").write_bytes(module("virtio"))
    assert names(prepare_modules(modules, "6.1-test"))[-1] == "virtio_mmio.ko"


def test_no_directory_means_all_built_in() -> None:
    assert prepare_modules(None, "6.1") == ()


def test_modinfo() -> None:
    assert parse_modinfo(module("a,b-c", "d e")) == (("a", "b_c"), ("d", "e"))
    assert parse_modinfo(module()) == ((), ())
    assert parse_modinfo(b"") == ((), ())


def test_circular_dependencies_end() -> None:
    needs = {"a": ["b"], "b": ["a"], "c": ["a"]}
    assert load_order(["c", "a"], lambda name: needs[name]) == ("b", "a", "c")


def test_a_named_kernel_comes_first(modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "vmlinuz-6.1-test"
    image.write_bytes(b"kernel")
    monkeypatch.setenv("BOXBENCH_KERNEL", str(image))
    monkeypatch.setenv("BOXBENCH_MODULES", str(modules))
    kernel = find_guest_kernel()
    assert (kernel.image, kernel.release) == (image, "6.1-test")
    assert "BOXBENCH_KERNEL" in kernel.source
    assert len(kernel.modules) == 5


def test_a_kernel_of_an_option_is_named_by_its_content(modules: Path, tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz-new"
    image.write_bytes(b"one build")
    first = named_kernel(image, modules)
    assert (first.release, first.modules_dir) == ("6.1-test", modules)
    assert first.source.startswith(f"{image}, sha256 ")
    assert f", modules {modules}, content " in first.source
    image.write_bytes(b"another build")
    second = named_kernel(image, modules)
    (modules / "kernel" / "fs" / "crc32c.ko").write_bytes(module("", "") + b"rebuilt")
    third = named_kernel(image, modules)
    assert len({kernel.source for kernel in (first, second, third)}) == 3
    alone = named_kernel(image, None)
    assert (alone.release, alone.modules) == ("new", ())
    assert "modules" not in alone.source


def test_a_named_kernel_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXBENCH_KERNEL", str(tmp_path / "none"))
    with pytest.raises(HostUnfitError, match="guest kernel missing"):
        find_guest_kernel()
