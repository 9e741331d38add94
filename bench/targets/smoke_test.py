"""Does a container tool work here? Asked by trying once with a root that holds only the agent; the answer is kept.

The agent is run with too few words, and says so: then the tool did all that it has to do.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.agent.compile import agent_binary
from bench.host import fingerprint, host_facts
from bench.host.cgroup import parents_for_runtimes
from bench.host.run_directory import LABEL
from bench.util import proc
from bench.util.cache import cache_dir, cached_probe, content_key
from bench.util.errors import BoxbenchError

ARGV: Final = ("/boxinit", "run")
_SAID: Final = b"boxinit: run:"
_REASON_CHARS: Final = 300

Attempt = Callable[[Path, str], proc.Result]
"""Gets an empty-handed directory with ``rootfs`` in it and a name for the container; runs ``ARGV`` in it to the end."""


def why_refused(tool: str, *identity: str, attempt: Attempt) -> str | None:
    """None when ``attempt`` brought the agent to speak, else the tool's own words, in one sentence.

    Args:
        tool: name of the target, for the sentence.
        identity: what else the answer depends on: versions, flags. The host always counts.
    """
    key = content_key("smoke-test-1", fingerprint(host_facts()), tool, *identity)
    reason: str | None = cached_probe("smoke-test", key, lambda: {"reason": _tried(tool, attempt)})["reason"]
    return reason


def _tried(tool: str, attempt: Attempt) -> str | None:
    """Twice where it fails: a refusal is believed for an hour, and may be the load of a moment."""
    return None if _try(tool, attempt) is None else _try(tool, attempt)


def _try(tool: str, attempt: Attempt) -> str | None:
    with ExitStack() as stack:
        name = tempfile.TemporaryDirectory(prefix=f"{LABEL}-try-", dir=cache_dir(), ignore_cleanup_errors=True)
        directory = Path(stack.enter_context(name))
        # A tool that gets a parent group of its own for the try leaves it.
        stack.enter_context(parents_for_runtimes(directory.name))
        (directory / "rootfs").mkdir()
        shutil.copy(agent_binary(), directory / "rootfs" / "boxinit")
        try:
            result = attempt(directory, directory.name)
        except BoxbenchError as error:
            return f"{tool}: {error.message}"
    if _SAID in result.stdout + result.stderr:
        return None
    return f"{tool}: it does not run a container here: {tool_message(result.stderr or result.stdout)}"


def tool_message(output: bytes) -> str:
    """The line in which a tool says what is wrong: the last one that is no warning."""
    lines = [line.strip() for line in proc.tail(output).splitlines() if line.strip()]
    complaints = [line for line in lines if "level=warning" not in line]
    return (complaints or lines or ["it said nothing"])[-1][:_REASON_CHARS]
