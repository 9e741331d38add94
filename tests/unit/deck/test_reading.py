"""Decks of campaigns, gates, histories and simulated answers, and what is refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bench.analysis.sources import NO_BOX_JUDGED
from bench.deck.history import checked_history
from bench.deck.made import repeat_slide
from bench.deck.reading import deck_of, kind_of
from bench.deck.slides import Deck, Slide, Source
from bench.gate.model import Bound, Verdict
from bench.gate.result import write_result
from bench.history.line import HistoryError
from bench.history.store import DirectoryStore, add_line
from bench.records.record import Failure
from bench.render.commands.history import history_content
from bench.render.figures.base import Figure
from bench.render.figures.shown import choosing
from bench.util.errors import CampaignError, RecordError, UsageError
from tests.factories import DOCKER, HOSTILE, PROCESS, make_manifest, make_records, write_campaign
from tests.gates import gate_result, gate_row
from tests.histories import make_history

PUBLISHED = Path(__file__).parents[3] / "reports" / "published"


def test_a_campaign_has_question_answer_proof_limits_and_command(deck: Deck, campaign: Path) -> None:
    keys = [slide.key for slide in deck.slides if not slide.hidden]
    assert keys[0] == "question"
    assert keys[-3:] == ["same", "limits", "repeat"]
    assert {"hello-answer", "hello-phases", "hello-memory", "hello-cpu", "hello-disk"} <= set(keys)
    assert 8 <= len(keys) <= 12
    assert deck.title == "hello"
    assert deck.date == "2031-02-03"
    assert str(campaign) in deck.source
    answer = deck.slides[1]
    assert answer.key == "hello-answer"
    told = r"\S+ takes \d.*× as long as \S+ until ready \(\d.* to \d.*\)\."
    assert re.fullmatch(told, answer.sentence), answer.sentence
    assert answer.figure is not None


def test_the_first_slide_says_what_was_measured_where_and_when(deck: Deck) -> None:
    boxes, much, host = deck.slides[0].lines
    assert boxes.startswith("Compared: process, ")
    assert re.fullmatch(r"Measured: \d+ blocks in .*, 2031-02-03\.", much)
    assert host == "Host: AMD EPYC 9R14, kernel 6.18.5, fingerprint 5f1d0c2ab877."


@pytest.mark.usefixtures("no_figures")
def test_a_deck_of_chosen_boxes_speaks_of_no_other(campaign: Path) -> None:
    every = {slide.key: slide for slide in deck_of([campaign], png=False).slides}
    with choosing(("process", "libvirt")):
        some = {slide.key: slide for slide in deck_of([campaign], png=False).slides}
    told = "Shown: process, libvirt/tcg. Measured and not shown: 1 of 3 boxes. Ratios are against process."
    assert some["question"].lines[0] == told
    assert "not shown" not in every["question"].lines[0]
    for text in (some["hello-answer"].sentence, *some["hello-answer"].lines):
        assert "docker" not in text


def test_where_the_baseline_is_not_shown_ratios_are_against_the_first_box_that_is(campaign: Path) -> None:
    with choosing(("process", "libvirt")):
        answer = next(slide for slide in deck_of([campaign], png=False).slides if slide.key == "hello-answer")
    assert re.match(r"libvirt \(tcg\) .*× .* process", answer.sentence), answer.sentence
    assert answer.figure is not None
    assert {row[2] for row in answer.figure.table[1:]} == {"process"}


def test_one_box_that_is_shown_keeps_the_baseline_of_its_scenario(tmp_path: Path) -> None:
    boxes = (PROCESS, DOCKER)
    manifest = make_manifest(("hello",), boxes)
    place = write_campaign(tmp_path / "two", manifest, make_records(manifest, boxes, troubles=False))

    def answer_of(target: str) -> Slide:
        with choosing((target,)):
            slides = deck_of([place], png=False).slides
        return next(slide for slide in slides if slide.key == "hello-answer")

    base = manifest.scenarios["hello"].scenario.baseline
    other = "process" if base == "docker" else "docker"
    shown = answer_of(other)
    assert shown.figure is not None
    assert shown.figure.name == "hello-ratios"
    assert {row[2] for row in shown.figure.table[1:]} == {base}
    assert answer_of(base).sentence == f"hello: nothing is shown that {base} could be compared with."


@pytest.mark.usefixtures("no_figures")
def test_of_several_baselines_each_is_said_with_its_scenarios_of_which_boxes_are_shown(tmp_path: Path) -> None:
    manifest = make_manifest(("hello", "web", "other"))
    place = write_campaign(tmp_path / "three", manifest, make_records(manifest))

    def told(**baselines: str) -> str:
        changed = {
            name: entry.model_copy(
                update={"scenario": entry.scenario.model_copy(update={"baseline": baselines.get(name, "process")})}
            )
            for name, entry in manifest.scenarios.items()
        }
        text = manifest.model_copy(update={"scenarios": changed}).model_dump_json()
        (place / "manifest.json").write_text(text, encoding="utf-8")
        with choosing(("process", "docker")):
            return deck_of([place], png=False).slides[0].lines[0]

    assert told().endswith(" Ratios are against process.")
    assert told(web="docker").endswith(" Ratios are against process (hello, other) and docker (web).")


def _pairs(slide: Slide) -> dict[str, str]:
    """The table of a slide that has two columns."""
    return {row[0]: row[1] for row in slide.table or ()}


def test_the_last_slide_has_commands_that_can_be_pasted(campaign: Path) -> None:
    with choosing(("process", "docker")):
        deck = deck_of([campaign], png=False, options=("--template", "our company.potx"))
    template = "--template 'our company.potx'"
    last = next(slide for slide in deck.slides if slide.key == "repeat")
    rows = _pairs(last)
    assert rows["command"] == last.source.command == "boxbench run hello --seed 1"
    assert rows["this deck"] == deck.source == f"boxbench slides {campaign} --targets process,docker {template}"
    assert deck.source in last.notes
    assert deck.source in deck.told


def test_a_long_command_is_shown_whole_or_not_at_all() -> None:
    long, endless = ("boxbench run " + "x " * count + "--seed 1" for count in (300, 900))
    for command, shown in ((long, long), (endless, "It has 1821 letters, too many for a slide")):
        slide = repeat_slide(Source(command=command), version="boxbench 1")
        assert _pairs(slide)["command"].startswith(shown)
        assert f"again: {command}" in slide.source.lines
        assert "…" not in str(slide.table)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take most of the time, and some tests look at text alone."""
    monkeypatch.setattr("bench.deck.campaign.campaign_figures", lambda *_arguments, **_named: ())


@pytest.mark.usefixtures("no_figures")
def test_of_several_scenarios_each_answer_names_its_own(tmp_path: Path) -> None:
    manifest = make_manifest()
    deck = deck_of([write_campaign(tmp_path / "two", manifest, make_records(manifest))], png=False)
    assert deck.title == "hello · web"
    assert deck.slides[0].sentence == "This campaign asks 2 questions."
    answers = [slide for slide in deck.slides if slide.key.endswith("-answer")]
    assert [slide.sentence.split(":")[0] for slide in answers] == ["hello", "web"]
    assert all(slide.lines for slide in answers)


def _figure(scenario: str, kind: str) -> Figure:
    """A figure without a drawing, whose title names no scenario."""
    return Figure(
        name=f"{scenario}-{kind}",
        scenario=scenario,
        title="CPU per start: docker has 2.00×." if kind == "cpu" else f"Docker takes longer in {kind}.",
        alt="Bars.",
        how="Look at it.",
        light_svg="<svg/>",
        dark_svg="<svg/>",
        table=(("a",),),
        light_png=None,
    )


def _deck_with(path: Path, monkeypatch: pytest.MonkeyPatch, *kinds: str, names: tuple[str, ...] = ("hello",)) -> Deck:
    """The deck of an invented campaign that has these kinds of figures of each scenario."""
    figures = tuple(_figure(name, kind) for name in names for kind in kinds)
    monkeypatch.setattr("bench.deck.campaign.campaign_figures", lambda *_arguments, **_named: figures)
    manifest = make_manifest(names)
    return deck_of([write_campaign(path, manifest, make_records(manifest))], png=False)


def test_of_several_scenarios_each_picture_names_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deck = _deck_with(tmp_path / "two", monkeypatch, "ratios", "memory", "cpu", "samples", names=("hello", "web"))
    said = [slide.sentence for slide in deck.slides if slide.figure is not None]
    assert len(said) == len(set(said)) == 8
    assert {sentence.split(":")[0] for sentence in said} == {"hello", "web"}
    assert "hello: docker takes longer in memory." in said
    assert "web: CPU per start: docker has 2.00×." in said
    one = _deck_with(tmp_path / "one", monkeypatch, "memory")
    assert "Docker takes longer in memory." in [slide.sentence for slide in one.slides]


def test_every_kind_of_figure_has_a_slide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deck = _deck_with(tmp_path / "c", monkeypatch, "new-kind", "preparation", "ratios")
    hidden = {slide.figure.name: slide.hidden for slide in deck.slides if slide.figure is not None}
    assert hidden == {"hello-ratios": False, "hello-preparation": False, "hello-new-kind": True}


@pytest.mark.usefixtures("no_figures")
def test_of_a_campaign_that_has_only_begun_only_what_ran_is_named(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",), (PROCESS, DOCKER), warmups=3)
    records = make_records(manifest, (PROCESS, DOCKER), troubles=False)

    def slides_of(name: str, boxes: tuple[str, ...], *, warmup: bool) -> dict[str, Slide]:
        some = [one for one in records if one.trial.cell.box in boxes and one.trial.warmup == warmup]
        deck = deck_of([write_campaign(tmp_path / name, manifest, some)], png=False)
        return {slide.key: slide for slide in deck.slides}

    warm = slides_of("warm", ("process", "docker"), warmup=True)
    assert warm["hello-answer"].sentence == "No measured boot of hello has ended yet."
    assert warm["question"].lines[0] == "No box has a measured boot yet. Without one: process, docker."
    one = slides_of("one", ("process",), warmup=False)
    assert one["question"].lines[0] == "Only process has measured boots. Without one: docker."
    both = slides_of("both", ("process", "docker"), warmup=False)
    assert both["question"].lines[0] == "Compared: process, docker."


def test_every_slide_says_where_its_numbers_come_from(deck: Deck) -> None:
    for slide in deck.slides:
        assert slide.source.command == "boxbench run hello --seed 1"
        assert slide.source.seed == "1"
        assert slide.source.digest.startswith("sha256:")
        assert "5f1d0c2ab877" in slide.source.host


def test_backup_slides_come_last_and_have_every_boot(deck: Deck) -> None:
    hidden = [slide.hidden for slide in deck.slides]
    assert hidden == sorted(hidden)
    assert "hello-blocks" in {slide.key for slide in deck.slides if slide.hidden}


def test_pictures_have_alt_texts_and_pngs(deck: Deck) -> None:
    pictured = [slide for slide in deck.slides if slide.figure is not None]
    assert len(pictured) > 5
    for slide in pictured:
        assert slide.figure is not None
        assert slide.alt == slide.figure.alt != ""
        assert slide.figure.light_png is not None
        assert slide.figure.light_png[:4] == b"\x89PNG"


def test_an_emulated_cpu_is_said_on_every_slide_with_its_numbers(deck: Deck) -> None:
    for slide in deck.slides:
        if slide.figure is not None:
            assert slide.caveat.startswith("tcg: emulated CPU"), slide.key


def test_text_of_boxes_is_cleaned(deck: Deck) -> None:
    for slide in deck.slides:
        text = " ".join((slide.sentence, *slide.lines, slide.notes, slide.caveat, slide.alt))
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert HOSTILE not in text


@pytest.mark.usefixtures("no_figures")
def test_one_block_has_no_answer_and_says_so(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",), (PROCESS, DOCKER), blocks=1, warmups=0)
    deck = deck_of([write_campaign(tmp_path / "one", manifest, make_records(manifest, (PROCESS, DOCKER)))], png=False)
    answer = next(slide for slide in deck.slides if slide.key == "hello-answer")
    assert answer.sentence == "hello: no two boxes could be compared."
    assert "No comparison" in answer.notes


@pytest.mark.usefixtures("no_figures")
def test_several_campaigns_are_parts_and_never_pooled(campaign: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(campaign, other)
    deck = deck_of([campaign, other], png=False)
    opening = [slide for slide in deck.slides if re.fullmatch(r"part-\d", slide.key)]
    assert [slide.sentence for slide in opening] == ["Part 1 of 2: hello", "Part 2 of 2: hello"]
    assert all("not compared" in slide.caveat for slide in opening)
    assert sum(slide.key.endswith("-repeat") for slide in deck.slides) == 2
    hidden = [slide.hidden for slide in deck.slides]
    assert hidden == sorted(hidden)


def test_a_campaign_without_results_is_refused(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",), (PROCESS, DOCKER))
    empty = write_campaign(tmp_path / "empty", manifest, ())
    with pytest.raises(UsageError, match="no results to show: no trial has ended") as found:
        deck_of([empty])
    assert "boxbench resume" in found.value.hint
    failure = Failure(code="NotReadyError", message="it crashed", hint="look")
    lost = [
        record.model_copy(update={"outcome": "failed", "failure": failure})
        for record in make_records(manifest, (PROCESS, DOCKER), troubles=False)
    ]
    failed = write_campaign(tmp_path / "failed", manifest, lost)
    with pytest.raises(UsageError, match="its 16 trials all failed") as found:
        deck_of([failed])
    assert "boxbench report" in found.value.hint


def test_other_directories_are_refused(tmp_path: Path, campaign: Path) -> None:
    with pytest.raises(UsageError, match="is not a directory"):
        kind_of(tmp_path / "missing")
    with pytest.raises(UsageError, match="holds neither a campaign nor"):
        kind_of(tmp_path)
    with pytest.raises(UsageError, match="is named twice"):
        deck_of([campaign, campaign / ".." / campaign.name])
    with pytest.raises(UsageError, match="nothing to make slides of"):
        deck_of([])


def test_damaged_files_are_told(tmp_path: Path) -> None:
    for name, content, error in (
        ("manifest.json", "{", CampaignError),
        ("gate.json", "{", RecordError),
        ("answer.json", "[1]", RecordError),
        ("answer.json", '{"headline": 1}', RecordError),
        ("x.jsonl", "{}\n", HistoryError),
    ):
        place = tmp_path / f"{name}-{len(content)}"
        place.mkdir()
        (place / name).write_text(content)
        with pytest.raises(error):
            deck_of([place])


def test_a_gate_begins_with_its_verdict(tmp_path: Path) -> None:
    write_result(gate_result(gate_row(Verdict.REGRESSED, 1.12)), tmp_path)
    deck = deck_of([tmp_path])
    assert [slide.key for slide in deck.slides] == [
        "question", "verdict", "rows", "row-1", "power", "chance", "limits", "repeat",
    ]  # fmt: skip
    question, verdict, rows = deck.slides[:3]
    assert question.sentence == "Is slow worse than main?"
    assert verdict.sentence.startswith("REGRESSED: hello/docker: time to ready +12.0 %")
    assert verdict.figure is not None
    assert verdict.figure.name == "gate"
    assert rows.sentence == "Of 1 row: 1 regressed."
    assert rows.table is not None
    assert rows.table[1][-1] == "regressed"
    assert deck.slides[-1].source.command == "boxbench gate compare a b"


def test_a_green_gate_has_no_slide_of_a_bad_row(tmp_path: Path) -> None:
    write_result(gate_result(gate_row(Verdict.NOT_REGRESSED, 1.0)), tmp_path)
    deck = deck_of([tmp_path])
    assert "row-1" not in {slide.key for slide in deck.slides}
    assert deck.slides[1].sentence.startswith("NOT REGRESSED")


def test_the_last_commit_of_a_history_is_the_last_in_time_whatever_its_zone(tmp_path: Path) -> None:
    early, late = make_history([100.0] * 2)
    changed = [
        line.model_copy(update={"commit": line.commit.model_copy(update={"committed_at": time})})
        for line, time in ((early, "2026-01-02T01:00:00+00:00"), (late, "2026-01-01T23:00:00-05:00"))
    ]
    for line in changed:
        add_line(DirectoryStore(tmp_path), line)
    checked = checked_history(tmp_path)
    assert [commit.id for commit in checked.series[0].commits] == [early.commit.id, late.commit.id]
    assert f"the last one {late.commit.id[:12]}," in history_content(checked, "boxbench history check").provenance
    assert deck_of([tmp_path], png=False).date == "2026-01-01"


def test_a_history_shows_what_changed_first(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    for line in make_history([100.0] * 12 + [130.0] * 12):
        add_line(store, line)
    deck = deck_of([tmp_path], png=False)
    verdict = next(slide for slide in deck.slides if slide.key == "verdict")
    assert verdict.sentence == "1 change for the worse without an acknowledgement."
    assert verdict.table is not None
    picture = next(slide for slide in deck.slides if slide.key == "series-1")
    assert re.search(r"from .* ms to .* ms in [0-9a-f]{10}\.\.[0-9a-f]{10} \(open\)\.", picture.sentence)
    assert picture.figure is not None
    # The command judges what is there.
    assert deck.slides[-1].sentence == "This checks the same numbers again."


@pytest.mark.parametrize("name", ["deck.html", "scenario.yaml"])
def test_a_history_that_another_file_stands_beside_is_a_history(tmp_path: Path, name: str) -> None:
    store = DirectoryStore(tmp_path)
    for line in make_history([100.0] * 12):
        add_line(store, line)
    (tmp_path / name).write_text("{}", encoding="utf-8")
    assert kind_of(tmp_path) == "history"


def test_the_units_of_a_sweep_that_is_not_finished_are_no_history(tmp_path: Path) -> None:
    for name in ("sweep.json", "units.jsonl"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is not finished"):
        kind_of(tmp_path)


@pytest.mark.parametrize("accel", ["native", "tcg", "icount"])
def test_a_history_says_on_slides_with_numbers_what_its_cpu_was(tmp_path: Path, accel: str) -> None:
    store = DirectoryStore(tmp_path)
    for line in make_history([100.0] * 12 + [130.0] * 12, accel=accel):
        add_line(store, line)
    slides = {slide.key: slide for slide in deck_of([tmp_path], png=False).slides}
    for key in ("verdict", "series-1"):
        assert slides[key].caveat.startswith("" if accel == "native" else f"{accel}: ")
        assert bool(slides[key].caveat) == (accel != "native")


def test_a_gate_of_limits_says_that_no_box_ran(tmp_path: Path) -> None:
    limit = Bound(cell="hello/docker", metric="endpoint.ready_ns", maximum=1.0, n=5, verdict=Verdict.REGRESSED)
    note = f"The records are simulated: {NO_BOX_JUDGED}."
    result = gate_result().model_copy(update={"a": None, "rows": (), "bounds": (limit,), "notes": (note,)})
    write_result(result, tmp_path)
    slides = {slide.key: slide for slide in deck_of([tmp_path], png=False).slides}
    assert slides["verdict"].caveat == slides["limits"].caveat == note
    assert slides["question"].lines == ("Checked: 1 limit.", "Campaign: slow.")
    assert slides["verdict"].table is not None
    assert slides["verdict"].table[1][3] == "at most 1.00 ns"
    assert slides["repeat"].sentence == "This checks the same numbers again."


def test_a_simulated_answer_says_that_no_box_ran() -> None:
    deck = deck_of([PUBLISHED / "2026-11-27-web-service" / "storm"], png=False)
    shown = [slide for slide in deck.slides if not slide.hidden]
    assert 8 <= len(shown) <= 12
    assert all("Simulated, not measured." in slide.caveat for slide in shown if slide.key != "repeat")
    assert "simulated-capacity" in {slide.figure.name for slide in shown if slide.figure}
    repeat = next(slide for slide in shown if slide.key == "repeat")
    assert repeat.source.command.startswith("boxbench simulate storm ")


def test_a_fleet_and_a_check_are_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.deck.simulation.drawn", lambda *_given: ())
    for name, sentence in (
        ("fleet", "Simulated: no invocation may wait"),
        ("check-1-2", "Libvirt/tcg: usable, off by"),
    ):
        deck = deck_of([PUBLISHED / "2026-11-27-web-service" / name], png=False)
        answer = next(slide for slide in deck.slides if slide.key == "answer")
        assert answer.sentence.startswith(sentence)
        assert answer.table is not None


def test_only_what_explains_an_answer_is_said_to_decide_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.deck.simulation.drawn", lambda *_given: ())
    for name, sentence in (
        ("fleet", "Nothing decides in docker and uml; memory decides in libvirt/tcg."),
        # The largest bound of uml is a tenth of its answer.
        ("storm", "CPU decides in docker and libvirt/tcg; what decides is open in uml."),
    ):
        deck = deck_of([PUBLISHED / "2026-11-27-web-service" / name], png=False)
        slide = next(slide for slide in deck.slides if slide.key == "limits-it")
        assert slide.sentence == sentence
        assert slide.table is not None
        for row in slide.table[1:]:
            assert row[0] in sentence
