"""Change points found by the library of Apache Otava, for ``tests.studies.steps``.

It runs in the environment of Otava, so it imports nothing of Boxbench. It reads one JSON list of numbers per line and
writes one JSON list of places per line.
"""

import json
import sys

from otava.series import AnalysisOptions, Metric, Series  # type: ignore[import-not-found,unused-ignore]


def places(values: list[float]) -> list[int]:
    """The change points of a series, with the default options of `otava analyze`."""
    series = Series(
        "series",
        branch=None,
        time=list(range(len(values))),
        metrics={"value": Metric(1, 1.0)},
        data={"value": values},
        attributes={},
    )
    changes = series.analyze(AnalysisOptions()).change_points["value"]
    return sorted(int(change.index) for change in changes)


for line in sys.stdin:
    sys.stdout.write(json.dumps(places(json.loads(line))) + "\n")
