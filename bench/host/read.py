"""Small readers of /proc and /sys below a root directory, so that tests can hand in a tree of their own."""

from __future__ import annotations

from pathlib import Path

HOST_ROOT = Path("/")


def read_text(root: Path, path: str) -> str | None:
    """The stripped content of a file below ``root``; None when it is missing or cannot be read."""
    try:
        return (root / path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def read_int(root: Path, path: str) -> int | None:
    """The number in a file below ``root``; None when it is missing, cannot be read or holds something else."""
    text = read_text(root, path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def parse_keyed(text: str) -> dict[str, int]:
    """``name value`` lines (vmstat, memory.stat, cpu.stat) to integers; lines of another form are left out."""
    pairs = (line.split() for line in text.splitlines())
    return {words[0]: int(words[1]) for words in pairs if len(words) == 2 and words[1].isdigit()}


def parse_sizes(text: str) -> dict[str, int]:
    """``MemTotal:  123 kB`` lines of /proc/meminfo to bytes."""
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isdigit():
            sizes[name] = int(words[0]) * 1024
    return sizes


def parse_cpu_list(text: str) -> int:
    """How many CPUs ``0-3,8`` names. Raises ValueError for something else."""
    count = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count
