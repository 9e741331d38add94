"""Targets for which no box runs, as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.scenario.targets import parse_target, split_labels
from bench.sim.emit.labels import MadeTargets, parse_made, split_box
from bench.util.errors import UsageError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("docker,libvirt[nic=virtio]", None),
        ("simulated:m.json:docker", ("simulated", "m.json", ("docker",))),
        ("simulated:m.json:docker, simulated:m.json:libvirt/tcg", ("simulated", "m.json", ("docker", "libvirt/tcg"))),
        ("simulated:m.json:docker,simulated:m.json:docker", ("simulated", "m.json", ("docker",))),
        (
            "simulated:a/m.json:docker[network=host,seccomp=false]",
            ("simulated", "a/m.json", ("docker[network=host,seccomp=false]",)),
        ),
        ("simulated:m.json", ("simulated", "m.json", ())),
        ("replayed:some/dir", ("replayed", "some/dir", ())),
        ("replayed:some/dir:docker", ("replayed", "some/dir", ("docker",))),
        ("replayed:some/dir:docker,replayed:some/dir", ("replayed", "some/dir", ())),
    ],
)
def test_labels_are_taken_apart(text: str, found: tuple[str, str, tuple[str, ...]] | None) -> None:
    made = parse_made(split_labels(text))
    if found is None:
        assert made is None
    else:
        source, given, boxes = found
        assert made == MadeTargets(source=source, given=given, boxes=boxes)  # type: ignore[arg-type]
        assert made.path == Path(given)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("simulated:m.json:docker,libvirt", "-t names simulated targets and libvirt: records of different sources"),
        ("docker,replayed:d", "-t names replayed targets and docker"),
        ("simulated:m.json:docker,replayed:d:docker", "-t names simulated targets and replayed:d:docker"),
        ("simulated:a.json:docker,simulated:b.json:runc", "-t names a.json and b.json: a campaign is about one host"),
        ("replayed:a,replayed:b", "-t names a and b"),
        ("simulated:", "'simulated:' is not complete"),
        ("simulated::docker", "'simulated::docker' is not complete"),
        ("simulated:m.json:", "'simulated:m.json:' is not complete"),
        ("replayed:", "'replayed:' is not complete"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_made(split_labels(text))
    assert caught.value.message.startswith(words)
    assert caught.value.hint


def test_a_path_with_a_colon_is_found(tmp_path: Path) -> None:
    file = tmp_path / "a:b.json"
    file.touch()
    assert parse_made([f"simulated:{file}"]) == MadeTargets(source="simulated", given=str(file), boxes=())


def test_a_box_is_a_target_and_an_accelerator() -> None:
    found = {box: split_box(box) for box in ("docker", "libvirt/tcg", "kata-qemu", "runc[program=/opt/tcg]")}
    assert {box: (spec.label, accel) for box, (spec, accel) in found.items()} == {
        "docker": ("docker", "native"),
        "libvirt/tcg": ("libvirt", "tcg"),
        "kata-qemu": ("kata-qemu", "native"),
        "runc[program=/opt/tcg]": ("runc[program=/opt/tcg]", "native"),
    }
    with pytest.raises(UsageError, match="'a b' is not a target"):
        split_box("a b")


def test_where_boxes_must_run_the_error_says_who_takes_such_targets() -> None:
    with pytest.raises(UsageError) as caught:
        parse_target("simulated:model.json:docker")
    assert "`boxbench run` and `boxbench plan`" in caught.value.hint
