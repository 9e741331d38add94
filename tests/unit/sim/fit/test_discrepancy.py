"""The errors of predictions beyond the data are never those of the storms that a model is fitted to or scored on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.sim.fit.discrepancy import published_discrepancy
from bench.sim.observe.table import observe_table
from bench.util.package_data import find_table
from tests.synthetic_models import make_values
from tests.synthetic_starts import make_observations

OTHERS = make_observations({"docker": make_values("docker")}, blocks=1, levels=((1, 0),), memory=())


def test_both_sources_stand_behind_other_storms() -> None:
    found = published_discrepancy(OTHERS)
    assert found == published_discrepancy()
    assert "RunD" in found.source
    assert "55f11874" in found.source
    assert "6 of 10 errors were too optimistic" in found.source
    assert 0.02 < found.log_sd_per_doubling < 0.2


def test_a_table_is_not_given_its_own_errors(tmp_path: Path) -> None:
    table = observe_table(find_table("rund-2022"))
    found = published_discrepancy(table)
    assert "RunD" not in found.source
    assert found.log_sd_per_doubling > 0
    # Nor under another name, nor with one row of it.
    renamed = tmp_path / "mine.csv"
    renamed.write_text("# cpus: 104\nruntime,n,last,median\nmine,1,9,9\nmine,50,1985,1555\n")
    assert published_discrepancy(observe_table(renamed)) == found
    # Nor with a column less, or one more.
    for name, text in (("last", "n,last\nmine,1,9\nmine,50,1985"), ("median", "n,median\nmine,1,9\nmine,50,1555")):
        fewer = tmp_path / f"{name}.csv"
        fewer.write_text(f"# cpus: 104\nruntime,{text}\n")
        assert published_discrepancy(observe_table(fewer)) == found
    more = tmp_path / "more.csv"
    more.write_text("# cpus: 104\nruntime,n,first,last,median\nmine,1,9,9,9\nmine,50,700,1985,1555\n")
    assert published_discrepancy(observe_table(more)) == found
    other = tmp_path / "other.csv"
    other.write_text("# cpus: 104\nruntime,n,last,median\nkata-qemu,1,9,9\nkata-qemu,50,1900,1500\n")
    assert published_discrepancy(observe_table(other)) == published_discrepancy()
    # Rows that state no time in common may be any.
    unlike = tmp_path / "unlike.csv"
    unlike.write_text("# cpus: 104\nruntime,n,first,last\nmine,1,9,9\nmine,50,1985,2000\n")
    assert published_discrepancy(observe_table(unlike)) == published_discrepancy()


def test_a_campaign_is_not_given_its_own_errors() -> None:
    ours = replace(OTHERS, sources=(replace(OTHERS.sources[0], name="55f11874"),))
    assert "55f11874" not in published_discrepancy(ours).source
    nothing = published_discrepancy(ours, observe_table(find_table("rund-2022")))
    assert nothing.log_sd_per_doubling == 0
    assert nothing.source == "without the error of published predictions"
