"""The domains of the VM targets: what is in them, what an option changes, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from bench.targets.vms.domain import Boot, DiskFile, Domain, Machine, Port

PLAIN = Domain(
    name="boxbench-1-t0001",
    machine=Machine(accel="tcg"),
    vcpus=2,
    emulator_cpus=(0, 1, 4, 6),
    cpus=(4, 6),
    memory_bytes=2**28,
    owner=(0, 0),
    boot=Boot(Path("/k/vmlinuz"), Path("/k/initramfs"), "quiet"),
    disks=(DiskFile(Path("/s/disk.qcow2")),),
    ports=(Port("boxbench.events", Path("/d/events")), Port("boxbench.stdout", Path("/s/stdout"), to_file=True)),
)


def parsed(domain: Domain) -> Xml.Element:
    return Xml.fromstring(domain.xml())


def lines(domain: Domain) -> set[str]:
    """Every element with its attributes and text, by path: what differs is what changed."""
    found = set()

    def walk(element: Xml.Element, path: str) -> None:
        here = f"{path}/{element.tag}"
        found.add(f"{here} {sorted(element.attrib.items())} {(element.text or '').strip()}")
        for child in element:
            walk(child, here)

    walk(parsed(domain), "")
    return found


def test_a_plain_domain_has_these_devices_and_no_others() -> None:
    devices = parsed(PLAIN).find("devices")
    assert devices is not None
    assert [device.tag for device in devices] == ["disk", "controller", "memballoon", "audio", "channel", "channel"]
    # libvirt would add these unasked.
    assert [devices.find(tag).get(key) for tag, key in (("controller", "model"), ("memballoon", "model"))] == [  # type: ignore[union-attr]
        "none",
        "none",
    ]


def test_a_chosen_emulator_comes_first_and_is_all_that_differs() -> None:
    chosen = replace(PLAIN, machine=replace(PLAIN.machine, emulator=Path("/opt/q/bin/qemu-system-x86_64")))
    assert lines(chosen) - lines(PLAIN) == {"/domain/devices/emulator [] /opt/q/bin/qemu-system-x86_64"}
    assert lines(PLAIN) <= lines(chosen)


def test_limits_and_identity() -> None:
    root = parsed(PLAIN)
    assert root.findtext("name") == "boxbench-1-t0001"
    memory, vcpu = root.find("memory"), root.find("vcpu")
    assert memory is not None
    assert vcpu is not None
    assert (memory.text, memory.get("unit")) == (str(2**28), "b")
    assert (vcpu.text, vcpu.get("cpuset")) == ("2", "4,6")
    # Without it libvirt would bind all of QEMU to the CPUs of the virtual CPUs.
    assert [pin.get("cpuset") for pin in root.iterfind("cputune/emulatorpin")] == ["0,1,4,6"]
    assert {root.findtext(event) for event in ("on_poweroff", "on_reboot", "on_crash")} == {"destroy"}


def test_the_vmm_connects_to_us() -> None:
    sources = [(port.get("type"), port.find("source")) for port in parsed(PLAIN).iterfind("devices/channel")]
    found = [(kind, source.get("mode"), source.get("path")) for kind, source in sources if source is not None]
    assert found == [("unix", "connect", "/d/events"), ("file", None, "/s/stdout")]


@pytest.mark.parametrize(
    ("changed", "added"),
    [
        ({"machine": Machine("tcg", kind="pc")}, ["/os/type", "machine", "pc"]),
        ({"machine": Machine("tcg", firmware="ovmf")}, ["/os ", "firmware", "efi"]),
        ({"machine": Machine("tcg", nic=True)}, ["/devices/interface/link", "down"]),
        ({"serial": Path("/d/serial")}, ["/devices/serial/source", "connect", "/d/serial"]),
        ({"disks": (DiskFile(Path("/s/disk.raw"), "raw", "none"),)}, ["/disk/driver", "none", "raw"]),
        ({"debug_console": Path("/d/word")}, ["/serial/target/model", "isa-debugcon"]),
        ({"machine": Machine("tcg", rom=Path("/p.rom"))}, ["/os/loader", "rom", "/p.rom"]),
    ],
)
def test_an_option_changes_its_part_only(changed: dict[str, object], added: list[str]) -> None:
    before, after = lines(PLAIN), lines(replace(PLAIN, **changed))  # type: ignore[arg-type]
    fresh = after - before
    assert any(all(word in line for word in added) for line in fresh), fresh
    # What went is what the option replaces, in the same part of the machine.
    parts = {line.split(" ")[0].split("/")[2] for line in fresh}
    assert all(line.split(" ")[0].split("/")[2] in parts for line in before - after), before - after
    assert len(parts) == 1


def test_without_a_kernel_the_first_disk_boots() -> None:
    disks = (DiskFile(Path("/s/system.qcow2")), DiskFile(Path("/s/disk.qcow2")))
    own = parsed(replace(PLAIN, boot=None, disks=disks))
    assert own.find("os/kernel") is None
    assert [disk.find("boot") is not None for disk in own.iterfind("devices/disk")] == [True, False]
    assert [target.get("dev") for target in own.iterfind("devices/disk/target")] == ["vda", "vdb"]
    assert parsed(PLAIN).find("devices/disk/boot") is None


def test_an_emulated_cpu_is_named_and_kvm_passes_the_hosts_through() -> None:
    assert parsed(PLAIN).findtext("cpu/model") == "qemu64"
    whole = parsed(replace(PLAIN, machine=Machine("kvm")))
    assert whole.get("type") == "kvm"
    assert whole.find("cpu/feature") is None
    less = parsed(replace(PLAIN, machine=Machine("kvm", without=("arch-capabilities",))))
    feature = less.find("cpu/feature")
    assert feature is not None
    assert (feature.get("policy"), feature.get("name")) == ("disable", "arch-capabilities")


def test_a_name_with_markup_stays_a_name() -> None:
    hostile = replace(PLAIN, disks=(DiskFile(Path("/s/<a>&'\"/disk")),))
    source = parsed(hostile).find("devices/disk/source")
    assert source is not None
    assert source.get("file") == "/s/<a>&'\"/disk"
