"""Whether a container tool works on this host. The test runs one container whose root holds only the agent.

The agent is called with too few arguments and complains. The complaint proves that the tool started it. The result
is cached.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.agent.compile import agent_binary
from bench.host import fingerprint, host_facts
from bench.host.cgroup import parents_for_runtimes
from bench.host.scratch import scratch
from bench.util import proc
from bench.util.cache import cached_probe, content_key
from bench.util.errors import BoxbenchError
from bench.util.text import logged

ARGV: Final = ("/boxinit", "run")
_COMPLAINT: Final = b"boxinit: run:"
_REASON_CHARS: Final = 300

Attempt = Callable[[Path, str], proc.Result]
"""Runs ``ARGV`` to its end in a container.

Receives a directory with ``rootfs`` in it, and a name for the container.
"""


def why_refused(tool: str, *identity: str, attempt: Attempt) -> str | None:
    """None when ``attempt`` started the agent, else the tool's message as a sentence.

    Args:
        tool: the name of the target, for the sentence.
        identity: other properties on which the result depends: versions, flags. It always depends on the host.
    """
    key = content_key("smoke-test-1", fingerprint(host_facts()), tool, *identity)
    reason: str | None = cached_probe("smoke-test", key, lambda: {"reason": _tried(tool, attempt)})["reason"]
    return reason


def _tried(tool: str, attempt: Attempt) -> str | None:
    """Try again after a failure, since it may come from a moment's load and is cached for an hour."""
    return None if _try(tool, attempt) is None else _try(tool, attempt)


def _try(tool: str, attempt: Attempt) -> str | None:
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        # A tool may leave the parent group that was made for it.
        stack.enter_context(parents_for_runtimes(directory.name))
        (directory / "rootfs").mkdir()
        shutil.copy(agent_binary(), directory / "rootfs" / "boxinit")
        try:
            result = attempt(directory, directory.name)
        except BoxbenchError as error:
            return f"{tool}: {error.message}"
    if _COMPLAINT in result.stdout + result.stderr:
        return None
    return f"{tool}: it cannot run a container on this host: {tool_message(result.stderr or result.stdout)}"


def tool_message(output: bytes) -> str:
    """What a tool says is wrong: its last line that is no warning, and before it why a child of it gave up."""
    lines = [line.strip() for line in proc.tail(output).splitlines() if line.strip()]
    complaints = [line for line in lines if "level=warning" not in line]
    # runc's child logs the reason. runc itself then only says that its child is gone.
    reasons = [line for line in complaints[:-1] if "level=fatal" in line]
    last = (complaints or lines or ["it printed nothing"])[-1]
    return "; ".join(map(logged, (*reasons, last)))[:_REASON_CHARS]
