"""What a campaign refuses before it costs anything, and what it gives back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import __version__
from bench.analysis.analyse import analyse
from bench.host import boot_mark, campaign_lock, fingerprint, host_facts
from bench.host import run_directory as rundir
from bench.plan.trials import Trial
from bench.records.campaign import read_records
from bench.records.manifest import MANIFEST, Manifest, read_manifest, scenario_entries
from bench.records.record import Record
from bench.render.view import build_view
from bench.run import cleanup, remaining, resume, session
from bench.run.campaign import start_campaign
from bench.run.cleanup import Leftover
from bench.run.pace import Pace, duration_text, read_pace, store_pace
from bench.run.prepare import Prepared
from bench.run.resume import resume_campaign
from bench.run.session import Request
from bench.scenario.model import LoadedScenario, load_scenario, narrowed
from bench.util.cache import cache_dir
from bench.util.errors import CampaignError, ExitCode, PartialResultsError, TargetUnavailableError, UsageError
from tests.factories import make_manifest, make_records, write_campaign
from tests.lab import write_scenario
from tests.stranger import NOBODY


class Silent:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.took = ""

    def say(self, text: str) -> None:
        self.said.append(text)

    def prepared(self, text: str) -> None:
        self.took = text

    def plan(self, trials: Sequence[Trial], total: int, pace: Pace | None = None) -> None:
        del trials, total, pace

    def begin(self, trial: Trial) -> None:
        del trial

    def end(self, record: Record) -> None:
        del record


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host on which nothing of ours is, and nothing can be set up."""
    run = tmp_path / "run"
    for module in (rundir, campaign_lock):
        monkeypatch.setattr(module, "run_root", lambda: run)
    monkeypatch.setattr(campaign_lock, "HOST_NAME", f"\0boxbench-test-{os.getpid()}")
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/sock")
    return run


@pytest.fixture
def hello(hello: LoadedScenario) -> LoadedScenario:
    """With one target."""
    return narrowed(hello, targets=["docker"])


def test_two_scenarios_of_one_name(hello: LoadedScenario, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="both called 'hello'"):
        start_campaign(Request((hello, hello), tmp_path / "out", seed=1), Silent())
    assert not (tmp_path / "out").exists()


def test_an_unknown_target(hello: LoadedScenario, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no target 'warp'"):
        start_campaign(Request((narrowed(hello, targets=["warp"]),), tmp_path / "out", seed=1), Silent())
    assert not (tmp_path / "out").exists()


def test_a_set_up_that_fails_leaves_nothing(hello: LoadedScenario, tmp_path: Path, host: Path) -> None:
    with pytest.raises(TargetUnavailableError, match="/nonexistent/sock"):
        start_campaign(Request((hello,), tmp_path / "out", seed=1), Silent())
    assert not (tmp_path / "out").exists()
    assert not list(host.glob("*"))


def test_an_empty_directory_of_the_user_stays(hello: LoadedScenario, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(TargetUnavailableError):
        start_campaign(Request((hello,), tmp_path / "out", seed=1), Silent())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_directory_that_vanished_hides_no_error(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def vanish() -> None:
        out.rmdir()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), session.reserved(out):
        vanish()


def _prepared(
    monkeypatch: pytest.MonkeyPatch, containers: Callable[[], tuple[Leftover, ...]], request: Request, progress: Silent
) -> AbstractContextManager[Prepared]:
    engine = SimpleNamespace(client=None)
    engines: Any = SimpleNamespace(docker=engine, opened_docker=engine)
    monkeypatch.setattr(session, "prepare", lambda *_args, **_more: nullcontext(Prepared("0badcafe", engines)))
    monkeypatch.setattr(session, "find_containers", lambda _client, tag: containers() if tag else ())
    return session.prepared_request("0badcafe", request, progress)


def _campaign_that_ends(prepared: AbstractContextManager[Prepared], do: Callable[[], None], how: BaseException) -> None:
    with prepared:
        do()
        raise how


def test_a_container_that_an_engine_made_too_late_does_not_outlive_the_campaign(
    hello: LoadedScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"earlier": Leftover("container", "earlier", lambda: there.pop("earlier"))}

    def make() -> None:
        assert not there
        there["late"] = Leftover("container", "late", lambda: there.pop("late"))

    prepared = _prepared(monkeypatch, lambda: tuple(there.values()), Request((hello,), tmp_path, seed=1), Silent())
    with pytest.raises(KeyboardInterrupt):
        _campaign_that_ends(prepared, make, KeyboardInterrupt())
    assert not there


def test_an_engine_that_died_does_not_hide_how_a_campaign_ended(
    hello: LoadedScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, progress = [True], Silent()

    def containers() -> tuple[Leftover, ...]:
        if not alive:
            raise ConnectionError("no engine answers")
        return ()

    prepared = _prepared(monkeypatch, containers, Request((hello,), tmp_path, seed=1), progress)
    with pytest.raises(KeyError):
        _campaign_that_ends(prepared, alive.clear, KeyError())
    assert progress.said == ["left on the host: the containers of boxbench-0badcafe, if any: no engine answers"]


def test_a_campaign_of_another_host_is_not_continued(tmp_path: Path) -> None:
    write_campaign(tmp_path / "c", make_manifest(), [])
    with pytest.raises(CampaignError, match="another host"):
        resume_campaign(tmp_path / "c", Silent())


def manifest_of_here(**changes: Any) -> Manifest:
    """A manifest of a campaign that was begun on this host."""
    manifest = make_manifest()
    here = {**manifest.host, "fingerprint": fingerprint(host_facts())}
    return manifest.model_copy(update={"host": here, "boxbench": __version__, **changes})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("theirs", [".", "manifest.json", "records.jsonl", "link"])
def test_root_does_not_run_what_another_user_wrote(theirs: str, tmp_path: Path) -> None:
    manifest = manifest_of_here()
    write_campaign(tmp_path / "c", manifest, make_records(manifest))
    assert resume_campaign(tmp_path / "c", Silent()) == ()
    if theirs == "link":
        (tmp_path / "c/records.jsonl").rename(tmp_path / "elsewhere")
        (tmp_path / "c/records.jsonl").symlink_to(tmp_path / "elsewhere")
    else:
        os.chown(tmp_path / "c" / theirs, NOBODY, NOBODY)
    with pytest.raises(CampaignError, match=f"is a link|uid {NOBODY}") as caught:
        resume_campaign(tmp_path / "c", Silent())
    if theirs == "link":
        assert "put the file itself in the link's place" in caught.value.hint
    else:
        assert f"`chown -R root {tmp_path / 'c'}`" in caught.value.hint


def test_a_campaign_of_another_version_is_not_continued(tmp_path: Path) -> None:
    write_campaign(tmp_path / "c", manifest_of_here(boxbench="0.0.9"), [])
    with pytest.raises(CampaignError, match=rf"started by boxbench 0\.0\.9, and this is {__version__}") as caught:
        resume_campaign(tmp_path / "c", Silent())
    assert "never pooled" in caught.value.hint


def test_a_complete_campaign_of_another_version_has_nothing_to_refuse(tmp_path: Path) -> None:
    manifest = manifest_of_here(boxbench="0.0.9")
    write_campaign(tmp_path / "c", manifest, make_records(manifest))
    assert resume_campaign(tmp_path / "c", Silent()) == ()


def test_a_signal_does_not_break_off_the_last_search_for_remains(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []

    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)
        removed.append("first")

    left = (Leftover("mount", "first", interrupted), Leftover("mount", "second", lambda: removed.append("second")))
    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt), session.clean_host("0badcafe", Silent()):
        context.setattr(cleanup, "find_leftovers", lambda _tag: left if not removed else ())
    assert removed == ["first", "second"]


def test_a_campaign_whose_scenario_is_gone_is_not_continued(tmp_path: Path) -> None:
    scenarios = make_manifest().scenarios
    entries = {name: entry.model_copy(update={"directory": "gone"}) for name, entry in scenarios.items()}
    write_campaign(tmp_path / "c", manifest_of_here(scenarios=entries), [])
    with pytest.raises(CampaignError, match=r"no longer in .*gone"):
        resume_campaign(tmp_path / "c", Silent())


def test_a_campaign_without_a_stored_request_is_not_continued(tmp_path: Path) -> None:
    write_campaign(tmp_path / "c", manifest_of_here(request=None), [])
    with pytest.raises(CampaignError, match="did not store what was asked for") as caught:
        resume_campaign(tmp_path / "c", Silent())
    assert "`boxbench run hello web --seed 1`" in caught.value.hint


def test_an_older_manifest_can_be_read(tmp_path: Path) -> None:
    write_campaign(tmp_path / "c", manifest_of_here(), [])
    stored = json.loads((tmp_path / "c/manifest.json").read_text())
    del stored["request"]
    (tmp_path / "c/manifest.json").write_text(json.dumps(stored))
    assert read_manifest(tmp_path / "c").request is None


def test_a_secret_value_is_read_from_the_scenario_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_scenario(tmp_path / "s", "FROM scratch\n", name="made")
    file.write_text(file.read_text().replace("ready:", "  env: {API_TOKEN: hush-hush}\nready:", 1))
    loaded = load_scenario(file)
    entries = scenario_entries((loaded,), tmp_path / "c")
    write_campaign(tmp_path / "c", manifest_of_here(scenarios=entries), [])
    assert "hush" not in (tmp_path / "c/manifest.json").read_text()
    asked: list[LoadedScenario] = []

    def prepare(_identity: str, scenarios: Sequence[LoadedScenario], **_more: Any) -> AbstractContextManager[Prepared]:
        asked.extend(scenarios)
        raise TargetUnavailableError("docker: no engine", hint="")

    monkeypatch.setattr(session, "prepare", prepare)
    with pytest.raises(CampaignError, match="cannot be continued"):
        resume_campaign(tmp_path / "c", Silent())
    assert [one.scenario for one in asked] == [loaded.scenario]


def test_a_campaign_is_resumed_as_it_was_asked_for(
    hello: LoadedScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No value is guessed from the plan, whose only VM cell names its accelerator itself."""
    seen: dict[str, Any] = {}

    def prepare(
        _identity: str, scenarios: Sequence[LoadedScenario], **options: Any
    ) -> AbstractContextManager[Prepared]:
        seen.update(options, scenarios=tuple(scenarios))
        raise TargetUnavailableError("docker: no engine", hint="leave it out with --skip-unavailable")

    monkeypatch.setattr(session, "prepare", prepare)
    request = Request(
        (hello,),
        tmp_path / "c",
        seed=1,
        accel="tcg",
        skip_unavailable=True,
        blocks=3,
        targets=("docker",),
        profile="full",
    )
    entries = scenario_entries(request.scenarios, request.out)
    write_campaign(tmp_path / "c", manifest_of_here(request=request.entry(), scenarios=entries), [])
    with pytest.raises(CampaignError, match="cannot be continued: docker: no engine") as caught:
        resume_campaign(tmp_path / "c", Silent())
    assert "--skip-unavailable" not in caught.value.hint, "resume has no such option"
    # The text now comes from the manifest.
    stored = hello.model_copy(update={"file": tmp_path / "c" / MANIFEST})
    assert (seen["accel"], seen["skip_unavailable"], seen["scenarios"]) == ("tcg", True, (stored,))
    again = resume._request_of(tmp_path / "c", read_manifest(tmp_path / "c"))
    assert replace(again, command=()) == replace(request, scenarios=(stored,))


def test_a_set_up_that_resume_repeats_leaves_nothing(tmp_path: Path, host: Path) -> None:
    entries = {
        name: entry.model_copy(update={"directory": str(tmp_path)}) for name, entry in make_manifest().scenarios.items()
    }
    write_campaign(tmp_path / "c", manifest_of_here(scenarios=entries), [])
    with pytest.raises(CampaignError, match="cannot be continued"):
        resume_campaign(tmp_path / "c", Silent())
    assert not list(host.glob("*"))


def test_the_scenario_is_found_again_through_a_link(hello: LoadedScenario, tmp_path: Path) -> None:
    """`..` of a linked directory is not where people think it is."""
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep/er")
    entry = scenario_entries((hello,), tmp_path / "link")["hello"]
    manifest = make_manifest().model_copy(update={"scenarios": {"hello": entry}})
    (again,) = resume._request_of(tmp_path / "link", manifest).scenarios
    assert again == hello.model_copy(update={"file": tmp_path / "link" / MANIFEST})


@dataclass(frozen=True)
class StandIn:
    """In place of a setting: nothing is started."""

    seed: int = 0


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished campaign of an older version without sittings, whose boxes, images and targets are as they were."""
    manifest = manifest_of_here()
    write_campaign(tmp_path / "c", manifest, make_records(manifest, troubles=False))
    cells = dict.fromkeys((trial.cell for trial in manifest.plan), StandIn())
    engines: Any = SimpleNamespace()
    settings: Any = cells
    prepared = Prepared(manifest.id, engines, settings, dict(manifest.images), dict(manifest.targets))
    monkeypatch.setattr(resume, "_request_of", lambda *_: None)
    monkeypatch.setattr(resume, "_prepared_again", lambda *_: nullcontext(prepared))

    def run(trial: Trial, _setting: StandIn) -> tuple[Record, None]:
        like = read_records(tmp_path / "c")[0]
        return like.model_copy(update={"trial": trial, "started_at": "2031-02-04T05:06:07+00:00"}), None

    monkeypatch.setattr(remaining, "run_trial", run)
    return tmp_path / "c"


def test_a_finished_campaign_goes_on_in_another_sitting(finished: Path) -> None:
    before, records = read_manifest(finished), read_records(finished)
    new = resume_campaign(finished, Silent(), blocks=3)
    after = read_manifest(finished)
    assert after.plan[: len(before.plan)] == before.plan
    assert [record.trial for record in new] == list(after.plan[len(before.plan) :])
    assert {record.sitting for record in new} == {1}
    assert read_records(finished) == (*records, *new)
    first = after.plan[len(before.plan)]
    assert first.warmup, "engines have started anew"
    assert first.block == before.plan[-1].block + 1
    measured = [trial for trial in after.plan[len(before.plan) :] if not trial.warmup]
    assert len({trial.block for trial in measured}) == 3
    assert {trial.cell for trial in measured} == {trial.cell for trial in before.plan}
    assert after.sittings[0].started_at == before.created_at
    assert after.sittings[1].boot == boot_mark()
    assert after.model_copy(update={"plan": before.plan, "sittings": ()}) == before, "nothing else changed"
    assert build_view(analyse(after, read_records(finished))).extent.startswith("10 blocks in 2 sittings (")


def test_a_third_sitting_has_an_order_of_its_own(finished: Path) -> None:
    second = resume_campaign(finished, Silent(), blocks=4)
    third = resume_campaign(finished, Silent(), blocks=4)
    assert {record.sitting for record in third} == {2}
    orders = [[record.trial.cell.key for record in records] for records in (second, third)]
    assert orders[0] != orders[1]


def test_an_interrupted_sitting_is_finished_before_the_next(finished: Path) -> None:
    lines = (finished / "records.jsonl").read_text().splitlines(keepends=True)
    (finished / "records.jsonl").write_text("".join(lines[:-2]))
    with pytest.raises(CampaignError, match=r"2 of \d+ trials of the campaign remain, and -b") as caught:
        resume_campaign(finished, Silent(), blocks=3)
    assert f"finish it first: `boxbench resume {finished}`" in caught.value.hint
    assert {record.sitting for record in resume_campaign(finished, Silent())} == {1}
    assert {record.sitting for record in resume_campaign(finished, Silent(), blocks=1)} == {2}


def test_what_remains_after_an_interruption_is_preceded_by_warm_ups(finished: Path) -> None:
    plan = read_manifest(finished).plan
    lines = (finished / "records.jsonl").read_text().splitlines(keepends=True)
    (finished / "records.jsonl").write_text("".join(lines[:-2]))
    cells = {trial.cell for trial in plan[-2:]}
    new = [record.trial for record in resume_campaign(finished, Silent())]
    assert new[-2:] == list(plan[-2:])
    assert {trial.cell for trial in new[:-2]} == cells
    assert all(trial.warmup for trial in new[:-2])
    assert read_manifest(finished).plan == (*plan, *new[:-2])
    assert len({trial.id for trial in read_manifest(finished).plan}) == len(plan) + len(new) - 2


def test_warm_ups_that_all_remain_are_not_run_twice() -> None:
    manifest = manifest_of_here()
    assert resume.warmed_again(manifest, manifest.plan) == ()
    first = manifest.plan[0]
    assert first.warmup
    assert {trial.cell for trial in resume.warmed_again(manifest, manifest.plan[1:])} == {first.cell}
    assert resume.warmed_again(manifest, [first]) == (), "no measured trial remains"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"host": {"fingerprint": "another"}}, "another host"),
        ({"boxbench": "0.0.9"}, "started by boxbench"),
        ({"targets": {"docker": {"engine": "another"}}}, "changed since the campaign was started: docker"),
    ],
)
def test_a_sitting_elsewhere_or_with_other_things_is_refused(finished: Path, changes: Any, why: str) -> None:
    manifest = read_manifest(finished).model_copy(update=changes)
    (finished / MANIFEST).write_text(manifest.model_dump_json())
    with pytest.raises(CampaignError, match=why):
        resume_campaign(finished, Silent(), blocks=3)
    assert read_manifest(finished) == manifest


def test_another_command_in_the_same_files_is_refused(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(finished)
    # The stand-ins of the fixture prepare images of an older version, which do not say what runs in them.
    name, image = next(iter(manifest.images.items()))
    images = {**manifest.images, name: image.model_copy(update={"config": "one"})}
    manifest = manifest.model_copy(update={"images": images})
    (finished / MANIFEST).write_text(manifest.model_dump_json())
    cells: Any = dict.fromkeys((trial.cell for trial in manifest.plan), StandIn())
    engines: Any = SimpleNamespace()
    for config in ("two", "one"):
        now = {**images, name: image.model_copy(update={"config": config})}
        prepared = Prepared(manifest.id, engines, cells, now, dict(manifest.targets))
        monkeypatch.setattr(resume, "_prepared_again", lambda *_, prepared=prepared: nullcontext(prepared))
        if config == "one":
            assert resume_campaign(finished, Silent(), blocks=1)
            break
        with pytest.raises(CampaignError, match=f"changed since the campaign was started: {name}"):
            resume_campaign(finished, Silent(), blocks=1)


def failing(like: Record, trial: Trial) -> Record:
    failure = {"code": "NotReadyError", "message": "ModuleNotFoundError: notthere", "hint": "look"}
    changed = like.model_dump() | {"trial": trial.model_dump(), "outcome": "failed", "failure": failure}
    return Record.model_validate(changed)


def test_a_campaign_stops_after_a_warm_up_in_which_everything_failed(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Trial] = []
    like = read_records(finished)[0]

    def run(trial: Trial, _setting: StandIn) -> tuple[Record, None]:
        ran.append(trial)
        return failing(like, trial), None

    monkeypatch.setattr(remaining, "run_trial", run)
    with pytest.raises(PartialResultsError, match=r"every trial of the warm-up failed \((\d) of \1\)") as caught:
        resume_campaign(finished, Silent(), blocks=3)
    assert all(trial.warmup for trial in ran)
    assert len(ran) == len({trial.cell for trial in ran}) == len({trial.cell for trial in read_manifest(finished).plan})
    assert f"the first was {ran[0].cell.key}: ModuleNotFoundError: notthere" in caught.value.message
    assert f"`boxbench resume {finished}` runs the other {3 * len(ran)}" in caught.value.hint
    assert caught.value.exit_code is ExitCode.PARTIAL
    # Nothing is lost, and whoever resumes it wants the rest.
    count = len(ran)
    assert len(resume_campaign(finished, Silent())) == 4 * count
    assert [trial.warmup for trial in ran[count:]] == [True] * count + [False] * 3 * count


def test_one_good_warm_up_is_enough_to_go_on(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    like, ran = read_records(finished)[0], list[Trial]()

    def run(trial: Trial, _setting: StandIn) -> tuple[Record, None]:
        ran.append(trial)
        good = like.model_copy(update={"trial": trial})
        return (good if len(ran) == 2 else failing(like, trial)), None

    monkeypatch.setattr(remaining, "run_trial", run)
    records = resume_campaign(finished, Silent(), blocks=2)
    assert len(records) == len(ran)
    assert any(not record.trial.warmup for record in records)


def test_durations_are_known_in_the_next_campaign(finished: Path) -> None:
    here = str(read_manifest(finished).host["fingerprint"])
    trials = read_manifest(finished).plan
    assert read_pace(here).left_s(trials) is None
    resume_campaign(finished, Silent(), blocks=1)
    found = read_pace(here).left_s(trials)
    assert found is not None
    assert found >= 0
    assert read_pace("another").left_s(trials) is None


def test_a_pace_learns_and_survives_damage(finished: Path) -> None:
    trials = read_manifest(finished).plan
    pace = Pace({trial.cell.key: [2.0, 4.0, 90.0] for trial in trials})
    assert pace.left_s(trials) == 4 * len(trials)
    pace.add(trials[0], 1.0)
    same = sum(trial.cell == trials[0].cell for trial in trials)
    assert pace.left_s(trials) == 4 * (len(trials) - same) + same, "what this campaign measured is used first"
    for _ in range(20):
        store_pace("f", pace)
    assert read_pace("f").left_s(trials[:1]) == 1.0
    file = cache_dir() / "durations.json"
    assert len(json.loads(file.read_bytes())["f"][trials[0].cell.key]) == 9
    for damage in (b"[", b"[]", b'{"f": 1}', b'{"f": {"x": ["long"]}}'):
        file.write_bytes(damage)
        assert read_pace("f").left_s(trials[:1]) is None
    store_pace("f", pace)
    assert read_pace("f").left_s(trials[:1]) == 1.0
    texts = [duration_text(seconds) for seconds in (0.2, 40, 58, 700, 7500)]
    assert texts == [
        "1 s",
        "40 s",
        "1 min",
        "12 min",
        "2 h 05 min",
    ]
