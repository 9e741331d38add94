"""Model files: what is written is read again, line by line; edits count as assumed; damage is one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bench.sim.model.draws import weighted_median, weighted_quantile, weighted_sd
from bench.sim.model.file import assumed_sentences, model_digest, model_text, read_model, write_model
from bench.sim.model.schema import Model, model_schema
from bench.sim.model.values import target_values
from bench.util.errors import ResultError, UsageError
from tests.synthetic_models import STAGES, make_model


@pytest.fixture(scope="module")
def model() -> Model:
    return make_model(draws=21)


def _edited(model: Model, tmp_path: Path, *keys: str, value: Any) -> Path:
    """A file of the model in which one number was changed."""
    data = json.loads(model_text(model))
    at = data
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    file = tmp_path / "model.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def test_what_is_written_is_read_again(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "model.json"
    write_model(file, model)
    assert read_model(file) == model
    assert model_digest(read_model(file)) == model_digest(model)
    assert assumed_sentences(model) == ()


def test_the_draws_of_a_parameter_are_one_line(model: Model) -> None:
    lines = model_text(model).splitlines()
    draws = [line for line in lines if line.lstrip().startswith('"init.hold_work": [')]
    assert len(draws) == sum(any(parts[3] for end, parts in stages if end == "init") for stages in STAGES.values())
    assert all(line.count(",") >= 20 for line in draws)


def test_the_file_fits_its_schema(model: Model) -> None:
    schema = model_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(model_text(model)), schema)


def test_values_of_draws_and_of_the_centre(model: Model) -> None:
    values = target_values(model, "docker", 3)
    drawn = model.draws["docker"]
    assert [stage.endpoint for stage in values.stages] == list(model.targets["docker"].endpoints)
    assert values.stages[1].hold_work_ns == round(drawn["init.hold_work"][3])
    assert values.growth_ns == drawn["growth"][3]
    assert values.memory_slope_bytes == round(drawn["memory_slope"][3])
    centre = target_values(model, "docker", None)
    assert centre.stages[1].work_ns == round(model.targets["docker"].parameters["init.work"].value)
    assert centre.stages[0].hold_work_ns == 0
    with pytest.raises(UsageError, match="no target 'podman'") as caught:
        target_values(model, "podman", None)
    assert "docker" in caught.value.hint


def test_an_edited_value_is_assumed_in_every_draw(model: Model, tmp_path: Path) -> None:
    file = _edited(model, tmp_path, "targets", "docker", "parameters", "init.hold_work", "value", value=5e6)
    edited = read_model(file)
    parameter = edited.targets["docker"].parameters["init.hold_work"]
    assert parameter.kind == "assumed"
    assert set(edited.draws["docker"]["init.hold_work"]) == {5e6}
    [sentence] = assumed_sentences(edited)
    assert "docker: init.hold_work is 5e+06 ns, assumed by you" in sentence
    assert f"{model.targets['docker'].parameters['init.hold_work'].value:.6g} ns" in sentence
    assert model_digest(edited) != model_digest(model)
    # It stays so when it is written and read again.
    write_model(tmp_path / "again.json", edited)
    assert read_model(tmp_path / "again.json") == edited


def test_a_value_without_draws_must_be_assumed(model: Model, tmp_path: Path) -> None:
    data = json.loads(model_text(model))
    del data["draws"]["docker"]["growth"]
    file = tmp_path / "model.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UsageError, match="growth: a measured parameter has draws, and this one has none"):
        read_model(file)
    data["targets"]["docker"]["parameters"]["growth"]["kind"] = "assumed"
    file.write_text(json.dumps(data), encoding="utf-8")
    assert len(read_model(file).draws["docker"]["growth"]) == 21


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("model_schema",), 2, "is not a model of schema 1"),
        (("weights",), [0.5, 0.6], "weights: they must be at least 0 and add up to 1"),
        (("draws", "docker", "growth"), [1.0], "draws.docker.growth: 1 draws for 21 weights"),
        (("draws", "docker", "nope"), [1.0] * 21, "draws.docker.nope: there is no such parameter"),
        (("draws", "podman"), {}, "draws of podman, which is not among the targets"),
        (("draws", "docker", "growth"), [-1.0] + [30e3] * 20, "draws.docker.growth: -1 is below 0"),
        (("targets", "docker", "parameters", "init.work", "value"), -5.0, "init.work.value: -5 is below 0"),
        (("targets", "docker", "parameters", "block_correlation", "value"), 1.0, "1 is not below 1"),
        (("targets", "docker", "parameters", "init.work", "kind"), "guess", "is not a model"),
        (("targets", "docker", "endpoints"), ["ready"], "there is no such parameter of a target with the endpoints"),
        (("host", "cpus"), 0, "is not a model"),
        (("targets",), {}, "is not a model"),
    ],
)
def test_damage_is_one_clear_error(model: Model, tmp_path: Path, keys: tuple[str, ...], value: Any, said: str) -> None:
    file = _edited(model, tmp_path, *keys, value=value)
    with pytest.raises(UsageError) as caught:
        read_model(file)
    assert said in caught.value.message
    assert str(file) in caught.value.message
    assert "boxbench simulate fit" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model_schema": 1}', b"\xff\xfe", b"null"])
def test_other_files_are_no_models(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="is not a model"):
        read_model(file)


def test_places_that_cannot_be_read_or_written(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        read_model(tmp_path / "none.json")
    with pytest.raises(UsageError, match="is not a file"):
        read_model(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ResultError):
        write_model(tmp_path / "file" / "model.json", model)


def test_weighted_quantiles() -> None:
    assert weighted_median([3.0, 1.0, 2.0], [1, 1, 1]) == 2.0
    assert weighted_median([1.0, 2.0], [1, 1]) == 1.0
    assert weighted_median([1.0, 2.0, 9.0], [0.1, 0.1, 0.8]) == 9.0
    assert weighted_quantile([1.0, 2.0, 3.0, 4.0], [1, 1, 1, 1], 1.0) == 4.0
    assert weighted_quantile([1.0, 2.0], [1, 1], 0.0) == 1.0
    # The sum of ten tenths is not exactly 1.
    assert weighted_quantile(range(10), [0.1] * 10, 0.3) == 2.0
    assert weighted_sd([1.0, 3.0], [1, 1]) == 1.0
