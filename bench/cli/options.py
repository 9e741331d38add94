"""Arguments and options that several commands have. Values are checked while the command line is parsed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completing import complete_results, complete_scenarios, complete_targets, one_of
from bench.scenario.model import MOST_BLOCKS
from bench.scenario.options import check_accel
from bench.scenario.targets import split_labels
from bench.util.errors import UsageError

if TYPE_CHECKING:
    from bench.deck.history import HistoryBranch


def some_targets(text: str) -> str:
    """Check that -t names something. Raises UsageError."""
    # An unset variable in a script must not mean "all of them".
    if not text.strip():
        raise UsageError("-t names no target", hint="write it like -t docker,libvirt, or leave it out for all targets")
    if not all(split_labels(text)):
        raise UsageError(f"-t {text!r} has a comma without a target", hint="write it like -t docker,libvirt")
    return text


def given_path(text: str) -> Path:
    """The path that an argument names. Raises UsageError: it names none."""
    # An unset variable in a script must not mean the current directory.
    if not text.strip():
        raise UsageError("an empty path names nothing", hint="check the variable that it comes from")
    return Path(text)


def _known_accel(text: str) -> str:
    check_accel(text)
    return text


def _accel_or_icount(text: str) -> str:
    return text if text == "icount" else _known_accel(text)


Scenarios = Annotated[
    list[str],
    typer.Argument(
        metavar="SCENARIO",
        help="Scenario files, their directories, names of bundled scenarios; or images (redis:7, oci-archive:FILE), "
        "Dockerfiles, directories with one, compose.yaml:SERVICE.",
        show_default=False,
        autocompletion=complete_scenarios,
    ),
]
OneScenario = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A scenario file, its directory, the name of a bundled scenario; or an image (redis:7, oci-archive:FILE), "
        "a Dockerfile, a directory with one, compose.yaml:SERVICE.",
        show_default=False,
        autocompletion=complete_scenarios,
    ),
]
Campaign = Annotated[
    Path,
    typer.Argument(
        metavar="CAMPAIGN",
        parser=given_path,
        help="Directory of a campaign, as `boxbench run` printed it.",
        show_default=False,
        autocompletion=complete_results,
    ),
]
Blocks = Annotated[
    int | None,
    typer.Option(
        "--blocks",
        "-b",
        metavar="N",
        min=1,
        max=MOST_BLOCKS,
        help="Number of blocks; each block boots every box once.",
        show_default="the scenario's",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="quick|full",
        help="Length of the load test.",
        show_default="the scenario's",
        autocompletion=one_of(("quick", "full")),
    ),
]
Targets = Annotated[
    str | None,
    typer.Option(
        "--targets",
        "-t",
        metavar="A,B",
        parser=some_targets,
        autocompletion=complete_targets,
        help="Only these targets, such as docker,libvirt[nic=virtio].",
        show_default="the scenario's, or for an image the quickstart's",
    ),
]
ShownTargets = Annotated[
    str | None,
    typer.Option(
        "--targets",
        "-t",
        metavar="A,B",
        parser=some_targets,
        autocompletion=complete_targets,
        help="Figures of a campaign show only these of its targets, such as docker,libvirt.",
        show_default="as many as there is room for",
    ),
]
HistoryBranchName = Annotated[
    str | None,
    typer.Option("--branch", metavar="NAME", help="A git branch that holds a history.", show_default=False),
]
HistoryRepository = Annotated[
    Path | None,
    typer.Option("--repository", metavar="DIR", help="Git repository of --branch.", show_default="this directory"),
]


def history_branch(name: str | None, repository: Path | None) -> HistoryBranch | None:
    """The history that --branch and --repository name. Raises UsageError: there is a repository without a branch."""
    from bench.deck.history import HistoryBranch as Branch  # noqa: PLC0415 - the commands that need it load it anyway

    if repository is not None and name is None:
        raise UsageError(f"--repository {repository} has no effect without --branch", hint="add --branch NAME")
    return None if name is None else Branch(name, repository or Path())


Accel = Annotated[
    str,
    typer.Option(
        "--accel",
        metavar="auto|kvm|tcg",
        parser=_known_accel,
        autocompletion=one_of(("auto", "kvm", "tcg")),
        help="How VMs run: kvm is hardware virtualisation, tcg an emulated CPU; auto takes kvm where it works.",
    ),
]
Workload = Annotated[
    str | None,
    typer.Option(
        "--workload",
        "-w",
        metavar="SCENARIO",
        help="Run the design of these scenarios with the Dockerfile, readiness, resources and targets of this one.",
        show_default="their own",
        autocompletion=complete_scenarios,
    ),
]
AccelOrCount = Annotated[
    str,
    typer.Option(
        "--accel",
        metavar="auto|kvm|tcg|icount",
        parser=_accel_or_icount,
        autocompletion=one_of(("auto", "kvm", "tcg", "icount")),
        help="How VMs run: kvm, tcg (an emulated CPU), or auto. icount counts the instructions of every target instead "
        "of measuring time.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="Seed for the order of trials.",
        show_default="random, stored with the results",
    ),
]
Skip = Annotated[
    bool, typer.Option("--skip-unavailable", help="Leave out targets that this host cannot run, with a note.")
]
NoRootControl = Annotated[
    bool,
    typer.Option(
        "--no-root-control",
        help="Leave out the control `process`, which has no isolation: if the image's user is root, it is root here.",
    ),
]
CampaignOut = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="DIR", help="New directory for the campaign.", show_default="reports/out/<time>-<names>"
    ),
]
ResultsOut = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="DIR", help="New directory for the results.", show_default="reports/out/<time>-<name>"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
AllowSimulated = Annotated[
    bool,
    typer.Option(
        "--allow-simulated",
        help="Also take a campaign that is simulated or replayed. Scenarios are then called simulated-NAME.",
    ),
]
