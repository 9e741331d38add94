"""Measured storms beside a model: of its workload, host and targets, and requested as the simulated ones are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.cli.simulate.sources import is_table, storms_to_show
from bench.sim.host.curve import measured_storms
from bench.sim.model.file import Model
from bench.sim.observe.campaign import observe
from bench.util.errors import UsageError
from tests.factories import write_campaign
from tests.question_models import make_model
from tests.synthetic_models import make_values
from tests.synthetic_starts import make_storm_records

TABLE = "# cpus: 2\nruntime,n,last\ndocker,1,200\ndocker,4,400\n"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Storms of 1, 2, 4 and 8 boxes of docker on 2 CPUs."""
    manifest, records = make_storm_records({"docker": make_values("docker")}, blocks=4)
    return write_campaign(tmp_path_factory.mktemp("storms") / "a", manifest, records)


def _fitted_to(campaign: Path) -> Model:
    """A model that says that it was fitted to the campaign."""
    seen = observe([campaign])
    model = make_model()
    host = model.host.model_copy(update={"fingerprint": seen.sources[0].host, "cpus": seen.sources[0].cpus})
    return model.model_copy(update={"workload": seen.workload, "host": host})


def test_storms_of_the_model_s_own_campaign_are_shown(campaign: Path) -> None:
    found = storms_to_show(_fitted_to(campaign), [str(campaign)], ["docker", "libvirt/kvm"], host_change=False)
    assert {one.boxes for one in found} == {1, 2, 4, 8}
    seen = observe([campaign]).targets["docker"]
    (trial,) = [one for one in seen.starts if (one.boxes, one.block) == (4, 1)]
    (storm,) = [one for one in found if one.boxes == 4 and one.last_ns == trial.times_ns[seen.goal].max()]
    # The earlier one of the two in the middle, as of a simulated storm.
    assert storm.median_ns == np.sort(trial.times_ns[seen.goal])[1]


def test_storms_that_the_model_says_nothing_about_are_refused(campaign: Path) -> None:
    model, names = _fitted_to(campaign), [str(campaign)]
    other = model.model_copy(update={"workload": "sha256:other"})
    with pytest.raises(UsageError, match=r"another workload .* than the measured storms"):
        storms_to_show(other, names, ["docker"], host_change=False)
    elsewhere = model.model_copy(update={"host": model.host.model_copy(update={"fingerprint": "elsewhere"})})
    with pytest.raises(UsageError, match="the model is of host elsewhere") as caught:
        storms_to_show(elsewhere, names, ["docker"], host_change=False)
    assert "--host-change" in caught.value.hint
    assert storms_to_show(elsewhere, names, ["docker"], host_change=True)
    # Of another accelerator, say.
    with pytest.raises(UsageError, match="has no storms of libvirt/kvm: it has docker"):
        storms_to_show(model, names, ["libvirt/kvm"], host_change=False)


def test_tables_are_known_by_their_file_or_their_name(campaign: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(TABLE)
    assert [is_table(name) for name in ("rund-2022", str(file), str(campaign), "nowhere")] == [True, True, False, False]
    model = _fitted_to(campaign)
    model = model.model_copy(update={"host": model.host.model_copy(update={"fingerprint": None, "cpus": 2})})
    found = storms_to_show(model, [str(file)], ["docker"], host_change=False)
    assert [(one.boxes, one.last_ns, one.median_ns) for one in found] == [(1, 2e8, None), (4, 4e8, None)]


def test_storms_of_boxes_that_came_one_after_another_are_no_storms_at_once(campaign: Path) -> None:
    seen = observe([campaign])
    docker = seen.targets["docker"]
    late = tuple(
        trial if trial.block else replace(trial, scheduled_ns=np.arange(trial.boxes) * 10**9) for trial in docker.starts
    )
    shown = measured_storms(replace(seen, targets={"docker": replace(docker, starts=late)}))
    alone = sum(1 for trial in docker.starts if trial.boxes == 1)
    assert len(shown) == alone + sum(1 for trial in docker.starts if trial.boxes > 1 and trial.block)
