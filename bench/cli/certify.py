"""``boxbench certify``."""

from __future__ import annotations

from pathlib import Path

from bench.certificate.judge import refuse_unequal
from bench.cli.console import console, print_json
from bench.cli.image_options import image_options
from bench.cli.loading import load
from bench.cli.options import Accel, Json, NoRootControl, Scenarios, Skip, Targets
from bench.cli.progress import make_progress
from bench.infer.given import NOTHING_GIVEN, Given
from bench.render.sections.certificate import certificates_report
from bench.run.campaign import certify_only
from bench.run.session import Request


@image_options
def certify(
    scenarios: Scenarios,
    targets: Targets = None,
    accel: Accel = "auto",
    skip_unavailable: Skip = False,
    no_root_control: NoRootControl = False,
    json: Json = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Starts each box once and compares, from inside, files, command, environment, limits and more. Exit code 1 when
    boxes differ in something that the scenario does not allow to differ. `boxbench run` does the same at its start."""
    loaded = load(scenarios, targets=targets, no_root_control=no_root_control, given=given)
    request = Request(scenarios=loaded, out=Path(), seed=0, accel=accel, skip_unavailable=skip_unavailable)
    with make_progress(console(stderr=True)) as progress:
        certificates = certify_only(request, progress)
    if json:
        print_json({name: certificate.model_dump(mode="json") for name, certificate in certificates.items()})
    else:
        console().print(certificates_report(tuple(certificates.values())))
    refuse_unequal(tuple(certificates.values()))
