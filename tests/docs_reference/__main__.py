"""``python -m tests.docs_reference [--check]``."""

from __future__ import annotations

import sys

from tests.docs_reference.pages import PLACE, stale, texts


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` name those that are not current. Returns 1 if there is one."""
    if arguments == ["--check"]:
        old = stale()
        sys.stdout.writelines(f"{PLACE / name}: out of date: run `python -m tests.docs_reference`\n" for name in old)
        return 1 if old else 0
    if arguments:
        sys.stderr.write(f"unknown arguments: {' '.join(arguments)}; the only one is --check\n")
        return 2
    for name, text in texts().items():
        (PLACE / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
