"""Campaign directories: written once, appended to, locked, and whole again after a crash."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.plan.trials import Cell
from bench.records.campaign import LOCK, RECORDS, Campaign, read_campaign, read_records, reserve_directory
from bench.records.manifest import MANIFEST, Manifest, new_campaign_id, read_manifest
from bench.targets.base import Output
from bench.util.errors import BoxbenchWarning, CampaignError, RecordError
from tests.factories import DOCKER, PROCESS, make_manifest, make_records

MANIFEST_OBJECT = make_manifest(("hello",), blocks=2)
RECORDS_OF_IT = make_records(MANIFEST_OBJECT, troubles=False)


def refuse(error: int) -> NoReturn:
    raise OSError(error, os.strerror(error))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A campaign directory without records."""
    path = tmp_path / "campaign"
    with Campaign.create(path, MANIFEST_OBJECT):
        pass
    return path


def test_a_new_campaign_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "campaign"
    with Campaign.create(path, MANIFEST_OBJECT) as campaign:
        assert campaign.remaining() == MANIFEST_OBJECT.plan
        for record in RECORDS_OF_IT:
            campaign.append(record)
    assert read_manifest(path) == MANIFEST_OBJECT
    assert read_records(path) == RECORDS_OF_IT


def test_labels_of_older_campaigns_are_read_as_a_user_types_them() -> None:
    """They have True and False, as Python writes them: in plan, descriptions, certificates and baselines."""
    manifest = make_manifest(("hello",), (PROCESS, replace(DOCKER, target="docker[seccomp=false]")))
    old = manifest.model_dump_json().replace("seccomp=false", "seccomp=False")
    assert old.count("docker[seccomp=False]") > 2
    read = Manifest.model_validate_json(old)
    assert {trial.cell.target for trial in read.plan} == {"process", "docker[seccomp=false]"}
    assert read.targets.keys() == manifest.targets.keys()
    cell = Cell(scenario="hello", target="libvirt[a=True,path=/True,b=False]", accel="kvm")
    assert cell.key == "hello/libvirt[a=true,path=/True,b=false]/kvm"


def test_a_campaign_without_records_has_none(made: Path) -> None:
    assert read_records(made) == ()


def test_records_that_cannot_be_read_are_an_expected_error(made: Path) -> None:
    (made / RECORDS).unlink(missing_ok=True)
    (made / RECORDS).mkdir()
    with pytest.raises(CampaignError, match=r"records\.jsonl cannot be read: it is no regular file"):
        read_records(made)
    with pytest.raises(CampaignError, match="cannot be read"), Campaign.open(made):
        pass


def test_appending_only_ever_adds(made: Path) -> None:
    file = made / RECORDS
    with Campaign.open(made) as campaign:
        campaign.append(RECORDS_OF_IT[0])
        before = file.read_bytes()
        campaign.append(RECORDS_OF_IT[1])
    assert file.read_bytes().startswith(before)
    assert len(file.read_bytes()) > len(before)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was pushed to the disk, in order."""
    found: list[Path] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        found.append(Path(f"/proc/self/fd/{fd}").readlink())
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_a_record_is_on_the_disk_before_append_returns(made: Path, synced: list[Path]) -> None:
    with Campaign.open(made) as campaign:
        for record in RECORDS_OF_IT[:2]:
            campaign.append(record)
    assert synced == [made, made / RECORDS, made / RECORDS], "the name of a new file first"


def test_a_new_campaign_and_its_output_are_on_the_disk(tmp_path: Path, synced: list[Path]) -> None:
    path = tmp_path / "deep" / "campaign"
    with Campaign.create(path, MANIFEST_OBJECT) as campaign:
        assert {tmp_path, path.parent, path} <= set(synced), "a directory is a name in the one above it"
        assert any(file.name.startswith(f".{MANIFEST}.") for file in synced)
        synced.clear()
        campaign.keep_output(MANIFEST_OBJECT.plan[1], {"stdout": b"x"})
    assert {path, path / "artefacts", path / "artefacts/t0001"} <= set(synced)


@given(done=st.sets(st.integers(0, len(RECORDS_OF_IT) - 1)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_remains_is_what_has_no_record(made: Path, done: set[int]) -> None:
    (made / RECORDS).unlink(missing_ok=True)
    with Campaign.open(made) as campaign:
        for number in sorted(done):
            campaign.append(RECORDS_OF_IT[number])
    with Campaign.open(made) as again:
        assert [trial.number for trial in again.remaining()] == [
            trial.number for trial in MANIFEST_OBJECT.plan if trial.number not in done
        ]


@given(cut=st.integers(1, 400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_line_torn_anywhere_is_cut_and_its_trial_remains(made: Path, cut: int) -> None:
    whole, torn = RECORDS_OF_IT[0].line().encode(), RECORDS_OF_IT[1].line().encode()
    (made / RECORDS).write_bytes(whole + torn[: min(cut, len(torn) - 1)])
    assert read_records(made) == RECORDS_OF_IT[:1]
    with Campaign.open(made) as campaign:
        assert (made / RECORDS).read_bytes() == whole
        assert RECORDS_OF_IT[1].trial in campaign.remaining()
        campaign.append(RECORDS_OF_IT[1])
    assert read_records(made) == RECORDS_OF_IT[:2]


def test_a_torn_first_line_leaves_nothing(made: Path) -> None:
    (made / RECORDS).write_bytes(b'{"campaign": "c0f')
    with Campaign.open(made) as campaign:
        assert campaign.remaining() == MANIFEST_OBJECT.plan
    assert (made / RECORDS).read_bytes() == b""


def test_reading_never_changes_the_file(made: Path) -> None:
    (made / RECORDS).write_bytes(b'{"torn')
    read_records(made)
    assert (made / RECORDS).read_bytes() == b'{"torn'


@pytest.mark.parametrize("bad", ["\n", "{}\n", "\x00\x00\n", '{"campaign"\n', "\xff\n", "\x85\u2028\n"])
def test_a_damaged_line_is_named_and_does_not_hide_the_others(made: Path, bad: str) -> None:
    lines = [record.line() for record in RECORDS_OF_IT[:3]]
    (made / RECORDS).write_bytes(lines[0].encode() + bad.encode("latin-1", "ignore") + lines[2].encode())
    with pytest.warns(BoxbenchWarning, match=rf"^{made}: records\.jsonl:2: not a record.*`boxbench resume {made}`"):
        assert read_records(made) == (RECORDS_OF_IT[0], RECORDS_OF_IT[2])
    with pytest.warns(BoxbenchWarning):
        manifest, records = read_campaign(made)
    assert records == (RECORDS_OF_IT[0], RECORDS_OF_IT[2])
    (note,) = manifest.notes[len(MANIFEST_OBJECT.notes) :]
    assert note.startswith("records.jsonl:2: not a record of schema 2: ")
    assert note.endswith("the line was left out, and its trial counts as not run.")


def test_the_trial_of_a_damaged_line_runs_again(made: Path) -> None:
    lines = [record.line().encode() for record in RECORDS_OF_IT[:3]]
    flipped = lines[1].replace(b'"outcome"', b'"outc\xefme"')
    (made / RECORDS).write_bytes(lines[0] + flipped + lines[2])
    with Campaign.open(made) as campaign:
        with pytest.warns(BoxbenchWarning):
            assert campaign.remaining()[0] == RECORDS_OF_IT[1].trial
        campaign.append(RECORDS_OF_IT[1])
    with pytest.warns(BoxbenchWarning):
        assert read_records(made) == (RECORDS_OF_IT[0], RECORDS_OF_IT[2], RECORDS_OF_IT[1])
    assert (made / RECORDS).read_bytes() == lines[0] + flipped + lines[2] + lines[1], "what was measured is not edited"


def test_a_byte_that_is_no_text_is_damage_too(made: Path) -> None:
    record = RECORDS_OF_IT[0].model_copy(update={"inside": {"kernel": "6.12"}})
    (made / RECORDS).write_bytes(record.line().encode().replace(b"6.12", b"6.\xff2"))
    with pytest.warns(BoxbenchWarning, match="records.jsonl:1"):
        assert read_records(made) == ()


def test_two_records_of_one_trial_are_refused(made: Path) -> None:
    (made / RECORDS).write_text("".join(RECORDS_OF_IT[number].line() for number in (0, 1, 0)))
    with pytest.raises(RecordError, match=r"records\.jsonl:3: trial t0000 has more than one .* in line 1"):
        read_records(made)
    with Campaign.open(made) as campaign, pytest.raises(RecordError):
        campaign.remaining()


def test_a_line_separator_inside_a_record_is_no_line_end(made: Path) -> None:
    record = RECORDS_OF_IT[0].model_copy(update={"inside": {"hostname": "a\u2028b\x85c"}})
    with Campaign.open(made) as campaign:
        campaign.append(record)
    assert read_records(made) == (record,)


def test_a_second_writer_is_refused_and_a_reader_is_not(made: Path) -> None:
    with Campaign.open(made), pytest.raises(CampaignError, match="another boxbench"), Campaign.open(made):
        pass
    with Campaign.open(made):
        assert read_records(made) == ()


def test_the_lock_goes_with_its_holder(made: Path) -> None:
    with pytest.raises(KeyError), Campaign.open(made):
        raise KeyError
    with Campaign.open(made):
        pass
    assert (made / LOCK).exists()


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(CampaignError, match="not empty") as caught, Campaign.create(tmp_path, MANIFEST_OBJECT):
        pass
    assert "resume" in caught.value.hint
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    reserve_directory(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with Campaign.create(tmp_path, MANIFEST_OBJECT):
        pass


def test_a_file_in_the_way_is_an_expected_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CampaignError, match="cannot be written"):
            reserve_directory(path)


def test_a_directory_that_cannot_be_written_is_an_expected_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(CampaignError, match="cannot be written: Permission denied"):
        reserve_directory(tmp_path)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_record_that_the_disk_refused_is_not_there(made: Path, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole line has been written when fsync fails; it must not count as done."""
    with Campaign.open(made) as campaign:
        campaign.append(RECORDS_OF_IT[0])
        with monkeypatch.context() as context:
            context.setattr(os, "fsync", lambda _fd: refuse(error))
            with pytest.raises(CampaignError, match=rf"t0001 cannot be written to .*: {os.strerror(error)}") as caught:
                campaign.append(RECORDS_OF_IT[1])
        assert "resume" in caught.value.hint
        assert read_records(made) == RECORDS_OF_IT[:1]
        assert campaign.remaining()[0] == RECORDS_OF_IT[1].trial
        campaign.append(RECORDS_OF_IT[2])
    assert read_records(made) == (RECORDS_OF_IT[0], RECORDS_OF_IT[2])


def test_a_first_record_that_the_disk_refused_is_not_there(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Campaign.open(made) as campaign, monkeypatch.context() as context:
        context.setattr(os, "fsync", lambda _fd: refuse(errno.EIO))
        with pytest.raises(CampaignError, match="t0000 cannot be written"):
            campaign.append(RECORDS_OF_IT[0])
    assert read_records(made) == ()


def test_a_manifest_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "campaign"
    with monkeypatch.context() as context:
        context.setattr(os, "fsync", lambda fd: None if Path(f"/proc/self/fd/{fd}").is_dir() else refuse(errno.ENOSPC))
        with (
            pytest.raises(CampaignError, match="the manifest cannot be written"),
            Campaign.create(path, MANIFEST_OBJECT),
        ):
            pass
    assert list(path.iterdir()) == []
    # A kill between the two steps leaves the temporary file.
    (path / f".{MANIFEST}.0badcafe").write_text('{"id": "c0')
    with Campaign.create(path, MANIFEST_OBJECT):
        pass
    assert read_manifest(path) == MANIFEST_OBJECT
    assert {file.name for file in path.iterdir()} == {MANIFEST, LOCK}


def test_a_directory_that_is_no_campaign(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"not a campaign directory: manifest\.json: No such file"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"id": 1}', b"\xff\xfe", b'{"id": "\xff"}'])
def test_a_manifest_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(CampaignError, match=r"not a manifest: (?!:)") as caught:
        read_manifest(tmp_path)
    assert "restore it" in caught.value.hint
    assert caught.value.hint


def test_a_manifest_of_a_later_schema_is_refused(made: Path) -> None:
    stored = json.loads((made / MANIFEST).read_text(encoding="utf-8"))
    stored["schema_number"] = 3
    (made / MANIFEST).write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(
        CampaignError, match="schema_number: another version of boxbench wrote schema 3; this version reads 2"
    ):
        read_manifest(made)


@pytest.mark.parametrize("identity", ["", "c0ffee4", "C0FFEE42", "c0ffee42\n", "x/../../../tmp/p", "c0ffee42-t0001"])
def test_an_id_that_is_no_id_leads_nowhere(made: Path, identity: str) -> None:
    """It is part of paths that `resume` removes, and an empty one would match every campaign."""
    stored = json.loads((made / MANIFEST).read_text(encoding="utf-8"))
    stored["id"] = identity
    (made / MANIFEST).write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(CampaignError, match="not a manifest: id:"):
        read_manifest(made)


def test_a_manifest_survives_json() -> None:
    assert Manifest.model_validate_json(MANIFEST_OBJECT.model_dump_json()) == MANIFEST_OBJECT


def test_output_is_named_relative_to_the_campaign(made: Path) -> None:
    trial = MANIFEST_OBJECT.plan[1]
    with Campaign.open(made) as campaign:
        kept = campaign.keep_output(trial, {"stdout": b"\xff raw", "exercise.stdout": b""})
        assert campaign.keep_output(MANIFEST_OBJECT.plan[0], {}) == {}
    assert kept == {name: f"artefacts/t0001/{name}" for name in ("stdout", "exercise.stdout")}
    assert (made / kept["stdout"]).read_bytes() == b"\xff raw"
    assert [folder.name for folder in (made / "artefacts").iterdir()] == ["t0001"]


def test_output_that_finds_no_room_says_how_to_go_on(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        Campaign.open(made) as campaign,
        pytest.raises(CampaignError, match=r"output of trial t0001 cannot be written to .*: No space left") as caught,
    ):
        campaign.keep_output(MANIFEST_OBJECT.plan[1], {"stdout": b"x"})
    assert "resume" in caught.value.hint


def test_output_replaces_that_of_an_interrupted_run(made: Path) -> None:
    trial = MANIFEST_OBJECT.plan[1]
    with Campaign.open(made) as campaign:
        campaign.keep_output(trial, {"stdout": b"1", "traceback.txt": b"1"})
        kept = campaign.keep_output(trial, {"stdout": b"2"})
    assert [(file.name, file.read_bytes()) for file in (made / "artefacts/t0001").iterdir()] == [("stdout", b"2")]
    assert list(kept) == ["stdout"]


def test_of_a_trial_that_went_well_only_its_exercise_is_kept() -> None:
    assert Output(b"", b"oh").contents() == {"stdout": b"", "stderr": b"oh"}
    assert Output(b"", b"", {"exercise.stdout": b"1", "exercise.stderr": b""}).contents() == {"exercise.stdout": b"1"}
    assert set(Output(b"a", b"b", {"exercise.stdout": b"1"}).contents()) == {"stdout", "stderr", "exercise.stdout"}


def test_ids_are_short_safe_and_different() -> None:
    ids = {new_campaign_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(text) == 8 and set(text) <= set("0123456789abcdef") for text in ids)


@pytest.mark.parametrize("name", [MANIFEST, RECORDS])
def test_a_link_or_a_fifo_shows_no_other_file_and_does_not_wait(made: Path, tmp_path: Path, name: str) -> None:
    """A campaign may come from elsewhere, and root may read it."""
    (made / RECORDS).touch()
    (made / name).rename(tmp_path / name)
    (made / name).symlink_to(tmp_path / name)
    with pytest.raises(CampaignError, match=rf"{name}.*it is a link: put a copy of the file in its place"):
        read_campaign(made)
    with pytest.raises(CampaignError, match="it is a link"), Campaign.open(made):
        pass
    (made / name).unlink()
    os.mkfifo(made / name)
    with pytest.raises(CampaignError, match="it is no regular file"):
        read_campaign(made)


def test_a_lock_that_is_a_link_makes_no_file_elsewhere(made: Path, tmp_path: Path) -> None:
    (made / LOCK).unlink()
    (made / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CampaignError, match="cannot be written"), Campaign.open(made):
        pass
    assert not (tmp_path / "elsewhere").exists()
