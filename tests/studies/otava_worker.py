"""Change points by Apache Otava's library, for ``tests.studies.steps``: runs under the Python that Otava is in.

Reads one JSON list of numbers per line, writes one JSON list of places per line. Imports nothing of ours.
"""

import json
import sys

from otava.series import AnalysisOptions, Metric, Series  # type: ignore[import-not-found,unused-ignore]


def places(values: list[float]) -> list[int]:
    """With the options that `otava analyze` has by default."""
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
