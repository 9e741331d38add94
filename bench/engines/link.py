"""A link of a stated bandwidth: two network namespaces of ours, joined by a pair of virtual interfaces.

One namespace is the server's, the other that of a host which fetches from it. Neither has another interface, so nothing
in them reaches this host's networks. What the server sends passes a token bucket (``tc-tbf``); the way to the server is
not limited, since only requests and acknowledgements go there. Each namespace lasts as long as a process in it. The
first one ends with this process, also when it is killed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.engines.startup import becomes
from bench.host.read import HOST_ROOT, read_text
from bench.util import proc
from bench.util.errors import HostUnfitError
from bench.util.units import decode_number, format_bits_per_s

SERVER: Final = "192.0.2.1"
"""The server's address: of a network for documentation (RFC 5737), which is routed nowhere."""
_FETCHER: Final = "192.0.2.2"
_SERVER_SIDE: Final = "boxbench-s"
_FETCHER_SIDE: Final = "boxbench-f"
_LEAST_BURST_BYTES: Final = 2**15
_BURST_S: Final = 0.005
"""The bucket holds so much time of the link: timers of a busy host are late by some ms, and a smaller one would lose
bandwidth then. So many bytes pass at once after a pause."""
_BUCKET: Final = "tbf"
_QUEUE: Final = "50ms"
_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.005


@dataclass(frozen=True)
class Link:
    """The two namespaces, each by a process in it."""

    bits_per_s: int
    """Of what the server sends, with the headers of Ethernet, IP and TCP: these take 4.4 % of full packets."""
    server_pid: int
    fetcher_pid: int

    def on_server(self, *argv: str | Path) -> list[str]:
        """The command line that runs ``argv`` in the server's namespace."""
        return _inside(self.server_pid, *argv)

    def on_fetcher(self, *argv: str | Path) -> list[str]:
        """The command line that runs ``argv`` in the namespace of the host that fetches."""
        return _inside(self.fetcher_pid, *argv)

    def sent_bytes(self) -> int:
        """Bytes that the server has sent over the link so far, with the headers of every packet.

        The token bucket counts them. An interface counts a bundle of packets with the headers of one.

        Raises:
            HostUnfitError, ProcessError: the link is gone.
        """
        tc = proc.require_tool("tc", package="iproute2")
        words = self.on_server(tc, "-statistics", "-json", "qdisc", "show", "dev", _SERVER_SIDE)
        return parse_sent(proc.run(words, timeout_s=_TIMEOUT_S, keep=proc.NO_VARIABLES).stdout)

    def received_bytes(self) -> int:
        """Bytes that the fetching side has received so far; a bundle of packets has the headers of one.

        Cheaper than ``sent_bytes``: no program is started.

        Raises:
            HostUnfitError: the link is gone.
        """
        return parse_received(read_text(HOST_ROOT, f"proc/{self.fetcher_pid}/net/dev") or "")

    def describe(self) -> str:
        """Bandwidth and how it is made, for reports."""
        return f"{format_bits_per_s(self.bits_per_s)} (tc-tbf on a pair of virtual interfaces), no added delay"


def parse_sent(answer: bytes) -> int:
    """The bytes that a token bucket has let pass, from ``tc -statistics -json``. Raises HostUnfitError."""
    with suppress(ValueError, LookupError, TypeError, StopIteration):
        return next(int(found["bytes"]) for found in json.loads(answer) if found["kind"] == _BUCKET)
    raise HostUnfitError(
        f"tc does not count what passes the link: {answer[:200]!r}",
        hint="another program has changed the link; run again",
    )


def parse_received(table: str) -> int:
    """The bytes that the fetching side's interface has received, from /proc/PID/net/dev. Raises HostUnfitError."""
    for line in table.splitlines():
        name, _, counters = line.partition(":")
        words = counters.split()
        received = decode_number(words[0]) if name.strip() == _FETCHER_SIDE and words else None
        if received is not None:
            return received
    raise HostUnfitError("the link's interface is gone", hint="another program has changed the link; run again")


def check_tools() -> None:
    """Raise HostUnfitError when a program is missing that makes namespaces and links."""
    for tool, package in (("unshare", "util-linux"), ("nsenter", "util-linux"), ("ip", "iproute2"), ("tc", "iproute2")):
        proc.require_tool(tool, package=package)


@contextmanager
def limited_link(bits_per_s: int) -> Iterator[Link]:
    """A link with nothing on it. Only root can make one.

    Raises:
        HostUnfitError: a tool is missing, or the kernel makes no namespaces.
        ProcessError: the kernel has no such interfaces, or no token bucket.
    """
    check_tools()
    with ExitStack() as stack:
        server, fetcher = (stack.enter_context(_namespace()) for _ in range(2))
        link = Link(bits_per_s, server, fetcher)
        _join(link)
        yield link


def _inside(pid: int, *argv: str | Path) -> list[str]:
    return [proc.require_tool("nsenter", package="util-linux"), f"--net=/proc/{pid}/ns/net", "--", *map(str, argv)]


@contextmanager
def _namespace() -> Iterator[int]:
    """A process in a network namespace of its own, which ends when our end of its input is closed."""
    unshare = proc.require_tool("unshare", package="util-linux")
    holder = proc.spawn([unshare, "--net", "--", "cat"], stdin=subprocess.PIPE, keep=proc.NO_VARIABLES)
    try:
        _await_namespace(holder)
        yield holder.pid
    finally:
        proc.stop(holder)


def _await_namespace(holder: subprocess.Popen[bytes]) -> None:
    """Wait until the process has left our namespace: before, everything done to its namespace is done to ours."""
    own = Path("/proc/self/ns/net").readlink()
    of_holder = Path(f"/proc/{holder.pid}/ns/net")
    if becomes(holder, lambda: of_holder.readlink() != own, timeout_s=_TIMEOUT_S, poll_s=_POLL_S):
        return
    raise HostUnfitError(
        "this host makes no network namespace (unshare --net)",
        hint="run as root outside of a container, or leave out cache=absent",
    )


def _join(link: Link) -> None:
    burst = max(_LEAST_BURST_BYTES, round(link.bits_per_s / 8 * _BURST_S))
    ip, tc = proc.require_tool("ip", package="iproute2"), proc.require_tool("tc", package="iproute2")
    peer = ("peer", "name", _FETCHER_SIDE, "netns", str(link.fetcher_pid))
    # No address is announced on such a link, so there is nothing to wait for (IPv6 would check its own).
    for argv in (
        link.on_server(ip, "link", "add", "name", _SERVER_SIDE, "type", "veth", *peer),
        link.on_server(ip, "address", "add", f"{SERVER}/30", "dev", _SERVER_SIDE),
        link.on_fetcher(ip, "address", "add", f"{_FETCHER}/30", "dev", _FETCHER_SIDE),
        link.on_server(
            tc, "qdisc", "add", "dev", _SERVER_SIDE, "root",
            _BUCKET, "rate", f"{link.bits_per_s}bit", "burst", f"{burst}b", "latency", _QUEUE,
        ),
        *(link.on_server(ip, "link", "set", "dev", name, "up") for name in ("lo", _SERVER_SIDE)),
        *(link.on_fetcher(ip, "link", "set", "dev", name, "up") for name in ("lo", _FETCHER_SIDE)),
    ):  # fmt: skip
        proc.run(argv, timeout_s=_TIMEOUT_S, keep=proc.NO_VARIABLES)
