"""Readers of files in /proc and /sys. They take the root directory as an argument, so that tests can pass their own."""

from __future__ import annotations

from pathlib import Path

from bench.util.units import decode_number

HOST_ROOT = Path("/")


def read_text(root: Path, path: str) -> str | None:
    """The content of a file below ``root``, stripped of white space; None if it cannot be read."""
    try:
        return (root / path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def read_int(root: Path, path: str) -> int | None:
    """The integer in a file below ``root``; None if the file cannot be read or holds something else."""
    text = read_text(root, path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def parse_keyed(text: str) -> dict[str, int]:
    """The integers in ``name value`` lines, as in vmstat, memory.stat and cpu.stat. Other lines are ignored."""
    pairs = (line.split() for line in text.splitlines())
    found = {words[0]: decode_number(words[1]) for words in pairs if len(words) == 2}
    return {name: value for name, value in found.items() if value is not None}


def parse_sizes(text: str) -> dict[str, int]:
    """The bytes in ``MemTotal:  123 kB`` lines, as in /proc/meminfo. Other lines are ignored."""
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        size = decode_number(words[0]) if len(words) == 2 and words[1] == "kB" else None
        if size is not None:
            sizes[name] = size * 1024
    return sizes


def parse_cpu_list(text: str) -> int:
    """The number of CPUs in a list such as ``0-3,8``. Raises ValueError for other text."""
    count = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count
