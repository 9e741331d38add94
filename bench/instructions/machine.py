"""The emulated machine whose clock counts instructions: everything that could differ from run to run is nailed down.

``-icount shift=0`` lets the guest's clocks advance by 1 ns per instruction, ``sleep=off`` lets a waiting guest jump to
its next timer instead of waiting for the host, ``align=off`` never looks at the host's clock. One processor; no disk,
no NIC, no input of any kind: the machine's only device beside its chips is a debug console that takes bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from bench.targets.vms.domain import TCG_CPU
from bench.targets.vms.qemu import BARE, find_qemu
from bench.util import proc
from bench.util.cache import file_digest
from bench.util.errors import HostUnfitError

# The rate at which this machine's TSC counts is the clock's own, so nothing is calibrated against anything.
# The kernel's tests of its ciphers are threads that run beside PID 1: where they stop being ahead of it is chance.
COMMAND_LINE: Final = (
    "quiet panic=-1 reboot=t no_timer_check tsc=reliable tsc_early_khz=1000000 nokaslr norandmaps"
    " random.trust_bootloader=on cryptomgr.notests rdinit=/.boxbench/counter"
)
SEED: Final = 1
_CLOCK: Final = ("-icount", "shift=0,sleep=off,align=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-smp", "1")
# Without a clock chip the kernel looks for one during a whole second of instructions.
_MACHINES: Final = {
    "microvm": ("-machine", "microvm,rtc=on,pit=off,pic=off,isa-serial=off", "-bios", "bios-microvm.bin"),
    "q35": ("-machine", "q35", "-bios", "bios-256k.bin"),
}
"""As the VM targets have them, but for the clock chip; q35 is libvirt's, without libvirt."""
_ROMS: Final = {
    "microvm": ("bios-microvm.bin", "linuxboot_dma.bin", "pvh.bin"),
    "q35": ("bios-256k.bin", "linuxboot_dma.bin", "kvmvapic.bin", "pvh.bin"),
}


def machine_argv(machine: str, *, memory_bytes: int, seed: int) -> list[str]:
    """What decides how the machine counts; the same words on every host."""
    cpu = ["-accel", "tcg,thread=single", "-cpu", TCG_CPU, "-m", f"{memory_bytes}B", "-seed", str(seed)]
    return [*BARE, *_MACHINES[machine], *_CLOCK, *cpu, "-append", COMMAND_LINE]


def boot_argv(name: str, words: Sequence[str], *, kernel: Path, initramfs: Path, said: Path) -> list[str]:
    """A whole command line. Raises HostUnfitError: no QEMU."""
    files = ["-kernel", str(kernel), "-initrd", str(initramfs)]
    console = ["-chardev", f"file,id=said,path={said}", "-device", "isa-debugcon,chardev=said,iobase=0xe9"]
    return [find_qemu(), "-name", f"guest={name}", *words, *files, *console]


@cache
def clock_inputs(machine: str) -> dict[str, str]:
    """QEMU's version and its firmware's digests: what must be equal for two counts to be comparable at all."""
    qemu = find_qemu()
    version = proc.run([qemu, "--version"], timeout_s=10).text.partition("\n")[0]
    inputs = {"qemu": version.removeprefix("QEMU emulator version ").strip()}
    directories = [Path(line) for line in proc.run([qemu, "-L", "help"], timeout_s=10).text.splitlines() if line]
    for name in _ROMS[machine]:
        found = next((directory / name for directory in directories if (directory / name).is_file()), None)
        if found is None:
            raise HostUnfitError(
                f"QEMU's firmware file {name} is in none of {', '.join(map(str, directories))}",
                hint="install the packages that QEMU's own depends on (seabios, qemu-system-data)",
            )
        inputs[f"firmware {name}"] = file_digest(found)
    return inputs


def text_digest(data: bytes) -> str:
    """Sixteen hex digits of a SHA-256, as ``file_digest`` gives them of a file."""
    return hashlib.sha256(data).hexdigest()[:16]
