"""Targets as people write them."""

from __future__ import annotations

import pytest

from bench.scenario.model import load_scenario, narrowed
from bench.scenario.targets import TargetSpec, parse_target, parse_targets, split_labels
from bench.util.errors import UsageError
from bench.util.package_data import find_scenario


def test_a_label_says_target_and_options() -> None:
    assert parse_target("docker") == TargetSpec(target="docker")
    spec = parse_target("docker[seccomp=false,runtime=crun]")
    assert spec.options == {"seccomp": False, "runtime": "crun"}
    assert spec.label == "docker[runtime=crun,seccomp=false]", "as a user and YAML write it"
    assert parse_target(spec.label) == spec
    assert parse_target("x[n=3,s=3a]").options == {"n": 3, "s": "3a"}


@pytest.mark.parametrize("text", ["", "docker[", "docker[]]", "docker[runtime]", "Docker", "docker[runtime=]", "a b"])
def test_what_is_no_label_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(UsageError, match="is not a target") as caught:
        parse_target(text)
    assert repr(text) in caught.value.message


def test_commas_in_brackets_separate_options() -> None:
    text = "process,libvirt[console=serial,nic=virtio],docker[network=host]"
    assert split_labels(text) == ("process", "libvirt[console=serial,nic=virtio]", "docker[network=host]")


def test_a_scenario_can_be_narrowed_to_targets_with_options_that_it_does_not_name() -> None:
    loaded = load_scenario(find_scenario("ladder"))
    chosen = narrowed(loaded, targets=["docker[network=host]", "docker", "vmm[accel=tcg]"]).scenario
    assert [spec.label for spec in chosen.targets] == ["docker[network=host]", "docker", "vmm[accel=tcg]"]
    assert chosen.baseline == "docker"
    assert chosen.targets[2] in loaded.scenario.targets


def test_all_that_labels_ask_for_in_vain_is_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse_targets(("docker[nope=1]", "docker[network=nope]", "vmware", "libvirt[guest_modules=/m]"))
    for words in (
        "target 'docker' has no option 'nope' (given: 1) (its options are: runtime, seccomp, network)",
        "target 'docker': option 'network' cannot be 'nope' (use one of: 'none', 'host', 'bridge')",
        "there is no target 'vmware' (the targets are: process, ",
        "option 'guest_modules' is '/m', which needs guest_kernel as well",
    ):
        assert words in caught.value.message
    with pytest.raises(UsageError, match="has no option 'nope'") as caught:
        parse_targets(("bubblewrap[nope=1]",))
    assert caught.value.hint == "it has no options"
