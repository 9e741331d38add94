"""Inputs that were findings once, by reader."""

from __future__ import annotations

import re
from typing import Final

from tests.fuzz import image, stored, trace

_PAGE: Final = trace.pages()[0]
_ANATOMY: Final = stored.anatomies()[0]
_NO_START: Final = re.sub(rb'"starts":\[.*\],"overhead"', b'"starts":[],"overhead"', _ANATOMY)
_OTHER_ACCEL: Final = b'"accel":{"hello/q/icount{start=first}":"icount",'
_COUNTED: Final = stored.histories()[2].split(b"\n")
# The line has an accelerator for the first line's cell, and no count of it.
_OTHER_CELL: Final = (
    _COUNTED[1].replace(b'"cells":{"hello/runc', b'"cells":{"hello/q').replace(b'"accel":{', _OTHER_ACCEL)
)
_DIGITS: Final = b"9" * 5000
_UNKNOWN_TARGETS: Final = (
    b"question: q\nname: s\nready: {when: first-line}\ntargets: [" + b",".join([b"n"] * 1000) + b"]\n"
)
_ODD_HEADER: Final = bytes.fromhex(
    "00002a04000000000000010000100000020000000000040000ffff0005000040000008000000000003000000640006000100000000000401"
    "0000000000000e010400000001885f8b1d75d0620d263d4c4d6564000005000000000001000000000000001f01050000000140889acac8b2"
    "1234da8f816f40899acac8b5254207317f07a8ea8808b493ff"
)

KNOWN: Final[tuple[tuple[str, bytes], ...]] = (
    # A page that ends before its own header, or says that it is longer than it is.
    ("trace.pages", b"\1"),
    ("trace.pages", _PAGE[:8] + b"\xff\xff" + _PAGE[10:]),
    # An event that is shorter than its layout: 1 word instead of 12.
    ("trace.pages", _PAGE[:16] + b"\1\0\0\0" + _PAGE[20:]),
    ("trace.format", trace.formats()[0].replace(b"offset:16", b"offset:" + b"9" * 30)),
    ("trace.format", trace.formats()[0].replace(b"ID: 372", b"ID: " + _DIGITS)),
    ("host.files", "proc/stat\ncpu  ² 1 1 1 1 1 1 1 1\n".encode()),
    ("host.files", b"proc/meminfo\nMemTotal: " + _DIGITS + b" kB\n"),
    ("host.files", "proc/vmstat\npswpin ²\n".encode()),
    ("host.files", b"proc/pressure/cpu\nsome avg10=0.00 total=x\n"),
    ("host.files", b"proc/diskstats\n 254 0 vda x 2 3 4 5 6 7 8 9 10 11\n"),
    ("host.files", b"modinfo\n\0depends=virt\xffio\0"),
    ("image.archive", image.archives()[0].replace(b'[{"Layers": ["blobs/a", "two/layer.tar"]}]', b"null".ljust(43))),
    ("floor.json", b"\xff"),
    ("cached-probe", b""),
    ("cached-probe", b"\xff"),
    ("cached-probe", b"[" * 3000),
    ("cached-probe", b"7"),
    ("cached-probe", b'{"other": null}'),
    ("host.files", b"etc/os-release\n\xffID=debian\n"),
    ("host.files", b"sys/fs/cgroup/memory/box/cgroup.procs\nx\n" + _DIGITS + b"\n"),
    ("anatomy.json", _NO_START),
    ("anatomy.json", _ANATOMY.replace(b'"client"', b'"clients"')),
    ("anatomy.json", _ANATOMY.replace(b'"total_ns":', b'"total_ns":' + _DIGITS[:400])),
    ("history", stored.histories()[0].replace(b'"accel":{"hello/docker"', b'"accel":{"hello/other"')),
    ("history", stored.histories()[0].replace(b'"median":', b'"median":NaN,"low":')),
    # A NUL hid all later commands.
    ("agent.commands", b"ping\0a\n"),
    # Times that do not fit 64 bits in ns.
    ("agent.commands", b"exercise 9223372036854775807 /true\n"),
    ("agent.conf", b"argv /stay\nready tcp 80\npoll_us 9223372036854775807\n"),
    ("agent.commands", b"flush 900719925474099\n"),
    ("kata.toml", b'[[metric]]\nname = "boot-times"\ncheckvar = "to-workload"\nmaxval = 1e308\n'),
    ("host.files", b"proc/77/cgroup\n4:memory:/" + b"x" * 3000 + b"\n"),
    ("host.files", b"run/pid\n" + b"9" * 19 + b"\n"),
    ("host.files", b"proc/77/stat\n77 (a) S x 1\n"),
    ("qemu-monitor", b'{"QMP": {}}\n{"return": ' + b"[" * 3000 + b"\n"),
    ("qemu-monitor", b'{"QMP": {}}\n{"return": {}}\n{"error": 5}\n'),
    ("trace.format", b"field:" + b"a" * 200_000),
    ("history", _COUNTED[0] + b"\n" + _OTHER_CELL + b"\n"),
    ("image.archive", image.with_pax_length(b"9" * 30)),
    ("image.tree", image.with_pax_length(b"9" * 30)),
    # Errors that list a thousand problems.
    ("target", b"dial" + b",n" * 1000),
    ("scenario.yaml", _UNKNOWN_TARGETS),
    ("floor.json", re.sub(rb'"fingerprint":\s*"[^"]*"', b'"fingerprint":1e999', stored.floors()[0])),
    # The value of a header is no UTF-8.
    ("grpc", _ODD_HEADER),
    ("record", stored.storm_lines()[0].replace(b'"get_per_s": 5.5', b'"get_per_s": NaN')),
)
