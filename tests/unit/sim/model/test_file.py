"""Model files: what is written is read again, line by line; edits count as assumed; damage is one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bench.sim.answer.answer import Answer
from bench.sim.answer.terms import Terms, assumed_of, choose_draws
from bench.sim.answer.warnings import warnings_of
from bench.sim.host.density import DensityQuestion, answer_density
from bench.sim.host.reboot import RebootQuestion, answer_reboot
from bench.sim.host.sides import Alone
from bench.sim.host.storm import StormQuestion, answer_storm
from bench.sim.limits import MOST_NS, MOST_SCATTER
from bench.sim.model.draws import weighted_median, weighted_quantile, weighted_sd, written
from bench.sim.model.file import (
    assumed_sentences,
    edit_warnings,
    model_digest,
    model_text,
    read_model,
    write_model,
)
from bench.sim.model.schema import Model, Parameter, model_schema
from bench.sim.model.values import target_values
from bench.util.errors import NotInDataError, ResultError, UsageError
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


def _with_target(model: Model, label: str, entry: dict[str, Any] | None = None, **parameters: dict[str, Any]) -> Model:
    """The model with fields of a target and of its parameters replaced."""
    target = model.targets[label]
    changed = {name: target.parameters[name].model_copy(update=fields) for name, fields in parameters.items()}
    replaced = target.model_copy(update={"parameters": {**target.parameters, **changed}, **(entry or {})})
    return model.model_copy(update={"targets": {**model.targets, label: replaced}})


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
    assert sentence.line.startswith("docker: init.hold_work is 5e+06 ns, assumed by you")
    assert sentence.by_user
    assert f"{model.targets['docker'].parameters['init.hold_work'].value:.6g} ns" in sentence.text
    assert model_digest(edited) != model_digest(model)
    # It stays so when it is written and read again.
    write_model(tmp_path / "again.json", edited)
    assert read_model(tmp_path / "again.json") == edited


def test_a_value_without_draws_must_be_assumed(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    draws = {label: dict(by_name) for label, by_name in model.draws.items()}
    del draws["docker"]["growth"]
    lacking = model.model_copy(update={"draws": draws})
    file.write_text(model_text(lacking), encoding="utf-8")
    with pytest.raises(UsageError, match="growth: a measured parameter has draws, and this one has none"):
        read_model(file)
    with pytest.raises(ResultError, match="growth: a measured parameter has draws"):
        write_model(tmp_path / "unwritten.json", lacking)
    assert not (tmp_path / "unwritten.json").exists()
    write_model(file, _with_target(lacking, "docker", growth={"kind": "assumed"}))
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


@pytest.mark.parametrize("content", [b"", b"{", b'{"model_schema": 1}', b"\xff\xfe", b"[" * 10**5])
def test_other_files_are_no_models(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="is not a model"):
        read_model(file)


@pytest.mark.parametrize("content", [b"[]", b"null", b"{}", b'{"schema_number": 99, "boxbench": "1"}'])
def test_json_of_something_else_is_told_with_the_command_that_makes_a_model(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "foreign.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"foreign\.json is no model of Boxbench") as caught:
        read_model(file)
    assert "`boxbench simulate fit CAMPAIGN -o model.json`" in caught.value.hint


def test_the_number_of_another_schema_is_named(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another version of boxbench wrote schema 7; this version reads 1"):
        read_model(_edited(model, tmp_path, "model_schema", value=7))


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


def test_values_are_those_of_the_centre(model: Model, tmp_path: Path) -> None:
    """Once a target has a centre, an edit is a value that differs from that draw's, also where it is the median."""
    target, drawn = model.targets["docker"], model.draws["docker"]
    at = 3
    values = {name: {"value": written(drawn[name][at])} for name in target.parameters}
    centred = _with_target(model, "docker", {"centre": at}, **values)
    file = tmp_path / "model.json"
    write_model(file, centred)
    assert read_model(file) == centred
    assert edit_warnings(read_model(file)) == ()
    median = target.parameters["growth"].value
    assert median != values["growth"]["value"]
    edited = read_model(_edited(centred, tmp_path, "targets", "docker", "parameters", "growth", "value", value=median))
    assert edited.targets["docker"].parameters["growth"].kind == "assumed"
    assert edited.draws["docker"]["growth"] == (median,) * 21
    [warning] = edit_warnings(edited)
    assert warning.line.startswith("docker: growth is edited in the model file")


_EDITS: dict[str, tuple[tuple[str, ...], Any]] = {
    "host": (("host", "cpus"), 64),
    "measured": (("targets", "docker", "measured", "boxes"), [1, 2, 4, 8, 4000]),
    "discrepancy": (("discrepancy", "log_sd_per_doubling"), 0.0),
    "misfit": (("targets", "docker", "misfit"), 0.5),
    "effective": (("targets", "docker", "effective"), 400.0),
    "kind": (("targets", "docker", "parameters", "init.hold_work", "kind"), "measured"),
    "prior": (("targets", "docker", "parameters", "init.hold_work", "prior_sd"), 1e12),
    "note": (("targets", "docker", "parameters", "init.hold_work", "note"), "measured with care."),
    "draws": (("draws", "docker", "growth"), [30e4] * 21),
    "source": (("sources",), [{"name": "x", "digest": "y", "blocks": 99, "cells": [], "trials": []}]),
    "workload": (("workload",), "another"),
}


@pytest.mark.parametrize("name", _EDITS)
def test_an_edit_of_anything_but_a_value_is_refused(model: Model, tmp_path: Path, name: str) -> None:
    keys, value = _EDITS[name]
    file = _edited(model, tmp_path, *keys, value=value)
    with pytest.raises(UsageError, match="something other than a `value` was edited by hand") as caught:
        read_model(file)
    assert str(file) in caught.value.message
    assert "--cpus" in caught.value.hint


def test_the_layout_of_a_file_makes_no_difference(model: Model, tmp_path: Path) -> None:
    data = json.loads(model_text(model))
    data["draws"] = {label: dict(reversed(by_name.items())) for label, by_name in data["draws"].items()}
    data["host"]["cpus"] = 2
    file = tmp_path / "model.json"
    file.write_text(json.dumps(data, indent=8, sort_keys=True), encoding="utf-8")
    assert read_model(file) == model


def test_nothing_in_a_file_without_a_seal_is_measured(model: Model, tmp_path: Path) -> None:
    data = json.loads(model_text(model))
    del data["seal"]
    file = tmp_path / "model.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    found = read_model(file)
    for label, target in found.targets.items():
        assert {parameter.kind for parameter in target.parameters.values()} == {"assumed"}
        assert {parameter.prior_sd for parameter in target.parameters.values()} == {None}
        assert target.measured == {}
        assert target.pairs == ()
        assert found.draws[label] == model.draws[label]
    assert [sentence.target for sentence in assumed_sentences(found)] == list(model.targets)
    [warning] = edit_warnings(found)
    assert warning.target is None
    assert "nothing in it counts as measured" in warning.line
    # Writing it again gives it a seal, and does not make it measured.
    write_model(tmp_path / "again.json", found)
    assert read_model(tmp_path / "again.json") == found


def test_a_key_that_is_there_twice_is_refused(model: Model, tmp_path: Path) -> None:
    text = model_text(model)
    file = tmp_path / "model.json"
    file.write_text(text.replace('"host": {', '"host": {"cpus": 64,', 1), encoding="utf-8")
    with pytest.raises(UsageError, match="the key 'cpus' is there twice in one object"):
        read_model(file)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("host", "cpus"), 65537, "host.cpus: must be at most 65536 (given: 65537)"),
        (("host", "cpus"), 10**40, "host.cpus"),
        (("host", "memory_bytes"), -5, "host.memory_bytes: must be at least 1 (given: -5)"),
        (("discrepancy", "log_sd_per_doubling"), 1000.0, "discrepancy.log_sd_per_doubling: must be at most 3"),
        (("targets", "docker", "misfit"), 4.0, "targets.docker.misfit: must be at most 3"),
        (("targets", "docker", "centre"), 21, "targets.docker.centre: 21 is above 20"),
        (
            ("targets", "docker", "measured", "boxes"),
            [10**9],
            "measured.boxes: 1000000000 is not between 0 and 1000000",
        ),
        (("targets", "docker", "measured", "cpus"), [2], "measured.cpus: there is no such axis"),
        (("targets", "docker", "endpoints"), ["created", "init", "init", "ready"], "endpoints: init is there twice"),
        (("targets", "docker", "parameters", "block_sd", "value"), 500.0, "block_sd.value: 500 is above 2"),
        (("targets", "docker", "parameters", "box_sd", "value"), 2.5, "box_sd.value: 2.5 is above 2"),
        (("targets", "docker", "parameters", "inflation", "value"), 1.5, "inflation.value: 1.5 is above 1"),
        (("targets", "docker", "parameters", "init.work", "value"), 2e14, "init.work.value: 2e+14 is above 1e+14"),
        (("targets", "docker", "parameters", "memory_slope", "value"), 1e30, "memory_slope.value: 1e+30 is above"),
        (("draws", "docker", "inflation"), [0.1] * 20 + [1.01], "draws.docker.inflation: 1.01 is above 1"),
    ],
)
def test_limits_are_named(model: Model, tmp_path: Path, keys: tuple[str, ...], value: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_model(_edited(model, tmp_path, *keys, value=value))
    assert said in caught.value.message


def test_crowding_has_a_place_and_limits(model: Model, tmp_path: Path) -> None:
    target = model.targets["docker"]
    values = tuple(0.01 * number for number in range(21))
    crowding = Parameter(value=written(weighted_median(values, model.weights)), unit="1", kind="limit", note="x.")
    parameters = {**target.parameters, "crowding": crowding}
    crowded = model.model_copy(
        update={
            "targets": {**model.targets, "docker": target.model_copy(update={"parameters": parameters})},
            "draws": {**model.draws, "docker": {**model.draws["docker"], "crowding": values}},
        }
    )
    file = tmp_path / "model.json"
    write_model(file, crowded)
    assert target_values(read_model(file), "docker", 5).crowding == values[5]
    assert target_values(read_model(file), "runc", 5).crowding == 0.0
    with pytest.raises(UsageError, match=r"crowding.value: 3.5 is above 3"):
        read_model(_edited(crowded, tmp_path, "targets", "docker", "parameters", "crowding", "value", value=3.5))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    with file.open("wb") as stream:
        stream.truncate(2**28 + 1)
    with pytest.raises(UsageError, match="larger than 256 MiB"):
        read_model(file)


def test_a_box_that_is_stated_to_take_no_memory_is_refused(model: Model, tmp_path: Path) -> None:
    file = _edited(model, tmp_path, "targets", "docker", "parameters", "memory_slope", "value", value=-1.0)
    with pytest.raises(UsageError, match=r"memory_slope.value: -1 is your number, and a box takes at least a page"):
        read_model(file)
    # A fit may find it: readings scatter.
    negative = (-1.0,) * 21
    draws = {**model.draws, "docker": {**model.draws["docker"], "memory_slope": negative}}
    found = _with_target(model, "docker", memory_slope={"value": -1.0}).model_copy(update={"draws": draws})
    write_model(file, found)
    assert read_model(file) == found


_HOSTILE: tuple[Any, ...] = (None, -1, 0.5, MOST_SCATTER, MOST_NS, 1e308, [])


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values; of a list only the first one."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        yield from _leaves(value[0], (*path, 0))
        yield path
    else:
        yield path


def _asked(model: Model) -> int:
    """Ask everything about one host. Returns how many answers there are; the others are expected errors."""
    terms = Terms(model=model, digest="sha256:0", seed=1, draws=choose_draws(model, None), replications=2, beyond=True)
    side = Alone(target="docker", cpus=2)
    storm = StormQuestion(sizes=(64,), cpus=2, sides=(side,), baseline="docker", residents=0, arrivals=side.arrivals)
    reboot = RebootQuestion(counts={"docker": 64}, cpus=2, together=True, baseline="docker")
    density = DensityQuestion(memory_bytes=2**34, reserve_bytes=2**30, targets=("docker",), baseline="docker")
    answers = 0
    asks: tuple[Callable[[], Answer], ...] = (
        lambda: answer_storm(terms, storm),
        lambda: answer_reboot(terms, reboot),
        lambda: answer_density(terms, density),
    )
    for ask in asks:
        with suppress(UsageError, NotInDataError):
            ask()
            answers += 1
    return answers


def test_no_edit_of_any_place_is_taken_for_a_measurement(tmp_path: Path) -> None:
    """Whatever stands in whatever place: an expected error, or a value that counts as the user's own, and answers or
    expected errors of whoever asks."""
    whole = json.loads(model_text(make_model(("docker",), draws=3)))
    file = tmp_path / "model.json"
    accepted = asked = answers = 0
    for path in _leaves(whole):
        at = whole
        for key in path[:-1]:
            at = at[key]
        former = at[path[-1]]
        for hostile in (one for one in _HOSTILE if one != former):
            at[path[-1]] = hostile
            file.write_text(json.dumps(whole), encoding="utf-8")
            at[path[-1]] = former
            try:
                found = read_model(file)
            except UsageError:
                continue
            accepted += 1
            assert path[-1] == "value" or path == ("seal",)
            kinds = {name: one.kind for name, one in found.targets["docker"].parameters.items()}
            assert kinds[path[3]] == "assumed" if path != ("seal",) else set(kinds.values()) == {"assumed"}
            if hostile in (MOST_SCATTER, MOST_NS):  # the largest that are accepted
                asked += 1
                answers += _asked(found)
    assert accepted > len(whole["targets"]["docker"]["parameters"])
    assert asked < answers < 3 * asked


def test_sentences_know_their_target_whatever_it_is_called(tmp_path: Path) -> None:
    model = make_model(("docker",), draws=3)
    label = "x: y"
    renamed = model.model_copy(
        update={"targets": {label: model.targets["docker"]}, "draws": {label: model.draws["docker"]}}
    )
    edited = read_model(_edited(renamed, tmp_path, "targets", label, "parameters", "growth", "value", value=5e5))
    assert [line.partition(" is")[0] for line in assumed_of(edited, [label])] == ["x: y: growth"]
    assert assumed_of(edited, ["x"]) == ()
    assert warnings_of(edited, [label], ()) == ("x: y: growth is edited in the model file, and not measured.",)
    assert warnings_of(edited, [], ()) == ()
