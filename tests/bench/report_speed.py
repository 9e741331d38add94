"""The CPU time of a report, by the number of records, and its memory: ``python -m tests.bench.report_speed``.

Each size is a campaign that is made from the records of a published one (``tests.synthetic``). It is read and analysed
in a process of its own, and with ``--pages`` the whole report is written.
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
import json, resource, sys, time
from pathlib import Path
started = time.process_time()
from bench.analysis.analyse import analyse
from bench.records.campaign import read_campaign
from bench.render.report import write_report
path = Path(sys.argv[1])
found = {"import_s": time.process_time() - started}
if sys.argv[2] == "pages":
    write_report(path)
else:
    campaign = read_campaign(path)
    found["read_s"] = time.process_time() - started - found["import_s"]
    analyse(*campaign)
found["all_s"] = time.process_time() - started
found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(found))
"""


def measure(campaign: Path, *, pages: bool) -> dict[str, float]:
    """CPU seconds since the start of the program, and peak resident memory in MiB, of one report in a new process."""
    words = [sys.executable, "-c", _MEASURE, str(campaign), "pages" if pages else "analysis"]
    found = subprocess.run(words, check=True, capture_output=True, text=True, cwd=_ROOT)
    result: dict[str, float] = json.loads(found.stdout)
    return result


def main() -> None:
    """Print one line of JSON per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=max((_ROOT / "reports/published").glob("*-bill")))
    parser.add_argument("--records", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--pages", action="store_true", help="also write the report")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for size in given.records:
            campaign = lengthen(given.source, Path(scratch) / str(size), records=size)
            print(json.dumps({"records": size, **measure(campaign, pages=given.pages)}), flush=True)


if __name__ == "__main__":
    main()
