"""containerd's API calls as bytes. They are made on the host, since a gRPC library in the guest would be counted."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from bench.engines.containerd_api import NAMESPACE, RUNTIME, SNAPSHOTTER
from bench.engines.wire import message

__all__ = ["NAMESPACE", "Call", "start_calls"]

_SPEC_TYPE: Final = "types.containerd.io/opencontainers/runtime-spec/1/Spec"


@dataclass(frozen=True)
class Call:
    """One call: its file name in the guest, its HTTP/2 header block and its message."""

    name: str
    head: bytes
    message: bytes


def start_calls(name: str, *, image: str, parent: str, spec: bytes, output: str) -> tuple[Call, ...]:
    """The calls of the target ``containerd``: prepare a snapshot, create a container, create a task, start it.

    The message that creates the task lacks the snapshot's mounts. The guest appends them from the first answer.
    """
    container = message(
        {
            1: name,
            3: image,
            4: message({1: RUNTIME}),
            5: message({1: _SPEC_TYPE, 2: spec}),
            6: SNAPSHOTTER,
            7: name,
        }
    )
    labels = {"containerd.io/gc.root": "boxbench"}
    return (
        _call("snapshot", "snapshots.v1.Snapshots/Prepare", message({1: SNAPSHOTTER, 2: name, 3: parent, 4: labels})),
        _call("container", "containers.v1.Containers/Create", message({1: container})),
        _call("task", "tasks.v1.Tasks/Create", message({1: name, 5: output, 6: output})),
        _call("start", "tasks.v1.Tasks/Start", message({1: name})),
    )


def _call(name: str, method: str, body: bytes) -> Call:
    headers = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", f"/containerd.services.{method}"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("containerd-namespace", NAMESPACE),
    )
    return Call(name, b"".join(_literal(key) + _literal(value, first=False) for key, value in headers), body)


def _literal(text: str, *, first: bool = True) -> bytes:
    """A literal header field without indexing (RFC 7541, 6.2.2), so that no block depends on an earlier one."""
    raw = text.encode("ascii")
    if len(raw) > 126:
        raise ValueError(f"{text!r} is longer than a length byte can hold")
    return (b"\0" if first else b"") + struct.pack("B", len(raw)) + raw
