"""The emulated machine whose clock counts instructions. Everything that could differ between two runs is fixed.

With ``-icount shift=0`` the guest's clocks advance by 1 ns per instruction. With ``sleep=off`` an idle guest jumps to
its next timer, and does not wait for the host. With ``align=off`` QEMU never compares with the host's clock. There is
one processor, no disk, no network and no input: the only device beside the chipset is a write-only debug console.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from bench.targets.vms.domain import TCG_CPU
from bench.targets.vms.qemu import BARE, confinement_argv, find_qemu
from bench.util import proc
from bench.util.cache import file_digest
from bench.util.errors import HostUnfitError

# The rate of this machine's time stamp counter is known, so that the kernel need not calibrate it.
# The kernel tests its ciphers in threads beside PID 1, and would interleave them differently in each boot.
COMMAND_LINE: Final = (
    "quiet panic=-1 reboot=t no_timer_check tsc=reliable tsc_early_khz=1000000 nokaslr norandmaps"
    " random.trust_bootloader=on cryptomgr.notests rdinit=/.boxbench/counter"
)
_CLOCK: Final = ("-icount", "shift=0,sleep=off,align=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-smp", "1")
# Without a clock chip the kernel searches for one during a second of the guest's time.
_MACHINES: Final = {
    "microvm": ("-machine", "microvm,rtc=on,pit=off,pic=off,isa-serial=off", "-bios", "bios-microvm.bin"),
    "q35": ("-machine", "q35", "-bios", "bios-256k.bin"),
}
"""The machines of the VM targets, with another clock chip. q35 is the machine that libvirt defines."""
_ROMS: Final = {
    "microvm": ("bios-microvm.bin", "linuxboot_dma.bin", "pvh.bin"),
    "q35": ("bios-256k.bin", "linuxboot_dma.bin", "kvmvapic.bin", "pvh.bin"),
}


def machine_argv(machine: str, *, seed: int) -> list[str]:
    """The arguments that determine the count, without the memory. They are the same on every host."""
    cpu = ["-accel", "tcg,thread=single", "-cpu", TCG_CPU, "-seed", str(seed)]
    return [*BARE, *_MACHINES[machine], *_CLOCK, *cpu, "-append", COMMAND_LINE]


def boot_argv(name: str, words: Sequence[str], *, kernel: Path, initramfs: Path, report: Path) -> list[str]:
    """The whole command line; the guest writes its report to the file ``report``. Raises HostUnfitError: no QEMU."""
    files = ["-kernel", str(kernel), "-initrd", str(initramfs)]
    console = ["-chardev", f"file,id=report,path={report}", "-device", "isa-debugcon,chardev=report,iobase=0xe9"]
    qemu = find_qemu()
    return [qemu, "-name", f"guest={name}", *confinement_argv(qemu), *words, *files, *console]


@cache
def clock_inputs(machine: str) -> dict[str, str]:
    """QEMU's version and the digests of its firmware. Counts are comparable only when these are equal."""
    qemu = find_qemu()
    version = proc.run([qemu, "--version"], timeout_s=10).text.partition("\n")[0]
    inputs = {"qemu": version.removeprefix("QEMU emulator version ").strip()}
    directories = [Path(line) for line in proc.run([qemu, "-L", "help"], timeout_s=10).text.splitlines() if line]
    for name in _ROMS[machine]:
        found = next((directory / name for directory in directories if (directory / name).is_file()), None)
        if found is None:
            raise HostUnfitError(
                f"QEMU's firmware file {name} is in none of {', '.join(map(str, directories))}",
                hint="install the packages that QEMU's package depends on (seabios, qemu-system-data)",
            )
        inputs[f"firmware {name}"] = file_digest(found)
    return inputs


def text_digest(data: bytes) -> str:
    """The first 16 hexadecimal digits of a SHA-256, as ``file_digest`` returns for a file."""
    return hashlib.sha256(data).hexdigest()[:16]
