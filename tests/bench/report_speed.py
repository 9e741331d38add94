"""Time, memory and page of a report, by the number of records: ``python -m tests.bench.report_speed``.

Each size is a campaign that is made from the records of a published one (``tests.synthetic``). Its report is written by
a process of its own; with ``--analysis`` it is only read and analysed. CPU time is that of the process and its copies,
in user and system mode, and depends little on what else the host does. Wall time does. ``page_s`` is the wall time
until ``index.html`` is there, which does not wait for the PNGs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.synthetic import lengthen

_ROOT: Final = Path(__file__).parents[2]
_MEASURE: Final = """
import json, os, resource, sys, time
from pathlib import Path
started, began = time.monotonic(), time.time()
def used():
    found = os.times()
    return sum(found[:4])
from bench.analysis.analyse import analyse_directory
from bench.render.report import write_report
path = Path(sys.argv[1])
found = {"import_s": used()}
(write_report if sys.argv[2] == "pages" else analyse_directory)(path)
found["cpu_s"] = used()
found["wall_s"] = time.monotonic() - started
if sys.argv[2] == "pages":
    found["page_s"] = (path / "index.html").stat().st_mtime - began
kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
found["peak_mib"] = max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024
print(json.dumps(found))
"""
_COLUMNS: Final = ("records", "import_s", "cpu_s", "page_s", "wall_s", "peak_mib", "page_mb", "figures_mb")
"""``peak_mib``: of the larger of the two processes, which share most of it."""


def measure(campaign: Path, *, pages: bool) -> dict[str, float]:
    """Seconds, MiB and MB (10^6 bytes) by name, of one report in a new process."""
    words = [sys.executable, "-c", _MEASURE, str(campaign), "pages" if pages else "analysis"]
    found = subprocess.run(words, check=True, capture_output=True, text=True, cwd=_ROOT)
    result: dict[str, float] = json.loads(found.stdout)
    if pages:
        result["page_mb"] = (campaign / "index.html").stat().st_size / 1e6
        result["figures_mb"] = sum(file.stat().st_size for file in (campaign / "figures").iterdir()) / 1e6
    return result


def main() -> None:
    """Print a table with a row per size; with ``--json`` a line of JSON per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=max((_ROOT / "reports/published").glob("*-bill")))
    parser.add_argument("--records", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--analysis", action="store_true", help="write no report")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if not given.json:
        print(" ".join(f"{name:>10}" for name in _COLUMNS))
    for size in given.records:
        with tempfile.TemporaryDirectory() as scratch:
            campaign = lengthen(given.source, Path(scratch) / str(size), records=size)
            found = {"records": size, **measure(campaign, pages=not given.analysis)}
        row = " ".join(f"{found.get(name, 0):>10,.{0 if name == 'records' else 1}f}" for name in _COLUMNS)
        print(json.dumps(found) if given.json else row, flush=True)


if __name__ == "__main__":
    main()
