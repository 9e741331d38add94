"""The image's configuration with what the scenario says in its place."""

from __future__ import annotations

from typing import Any

import pytest

from bench.image.overrides import made_beforehand, overridden
from bench.scenario.model import Workload

IMAGE = {
    "Entrypoint": ["/entry.sh"],
    "Cmd": ["serve"],
    "Env": ["A=1"],
    "User": "web",
    "WorkingDir": "/srv",
    "StopSignal": "SIGQUIT",
    "Volumes": {"/data": {}},
    "Labels": {"a": "b"},
}


@pytest.mark.parametrize(
    ("workload", "changed"),
    [
        (Workload(), {}),
        (Workload(entrypoint=("/other",)), {"Entrypoint": ["/other"], "Cmd": None}),
        (Workload(entrypoint=("/other",), command=("x",)), {"Entrypoint": ["/other"], "Cmd": ["x"]}),
        (Workload(entrypoint=()), {"Entrypoint": [], "Cmd": None}),
        (Workload(entrypoint=(), command=("x",)), {"Entrypoint": [], "Cmd": ["x"]}),
        (Workload(command=("x",)), {"Cmd": ["x"]}),
        (Workload(user="0:0"), {"User": "0:0"}),
        (Workload(workdir="/tmp"), {"WorkingDir": "/tmp"}),
        (Workload(stop_signal="TERM"), {"StopSignal": "TERM"}),
        (Workload(volumes=("/data", "/more")), {"Volumes": {"/data": {}, "/more": {}}}),
        (Workload(env={"A": "2"}), {}),
    ],
)
def test_what_the_scenario_changes(workload: Workload, changed: dict[str, Any]) -> None:
    assert overridden(IMAGE, workload) == IMAGE | changed


def test_an_image_without_a_configuration() -> None:
    assert overridden({"Volumes": None}, Workload(volumes=("/a",))) == {"Volumes": {"/a": {}}}
    assert overridden({}, Workload()) == {}


def test_only_places_are_made_in_the_image() -> None:
    workload = Workload(command=("x",), user="root", stop_signal="TERM", workdir="/w", volumes=("/v",), entrypoint=())
    assert made_beforehand(IMAGE, workload) == IMAGE | {"WorkingDir": "/w", "Volumes": {"/data": {}, "/v": {}}}
    assert made_beforehand(IMAGE, Workload(command=("x",))) == IMAGE
