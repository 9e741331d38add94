"""The published results are what the same commands make of their records today, and their READMEs name the commands.

``nox -s gallery`` makes all of them by their commands: decks, gates and simulated answers, too. Here the pages, texts
and figures of all campaigns are made in this process.
"""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from pathlib import Path

import pytest

from bench.records.manifest import read_manifest
from bench.render.report import write_report
from tests.gallery import index
from tests.gallery.install import problems, strangers
from tests.gallery.listing import INDEX, PUBLISHED, ROOT, Result, read_gallery
from tests.gallery.make import MakingError, make
from tests.gallery.same import content, is_same


def _has_records(result: Result) -> bool:
    return (ROOT / PUBLISHED / result.directory / "manifest.json").is_file()


GALLERY = read_gallery()
AGAIN = "differs: make the gallery again with `python -m tests.gallery`"
REPORT = frozenset({"index.html", "report.json", "report.md", "figures/*.svg"})
CAMPAIGNS = [one for one in GALLERY.result if "index.html" in one.kept and _has_records(one)]


@pytest.mark.parametrize("result", CAMPAIGNS, ids=lambda one: one.directory)
def test_a_report_is_made_again_bit_for_bit(result: Result, tmp_path: Path) -> None:
    write_report(ROOT / PUBLISHED / result.directory, out=tmp_path / result.directory, png=False)
    of_report = result.model_copy(update={"kept": tuple(one for one in result.kept if one in REPORT)})
    assert not list(problems(of_report, tmp_path)), AGAIN


def test_every_file_is_a_source_or_is_made() -> None:
    assert not list(strangers(GALLERY)), "name these in reports/published/gallery.toml, or remove them"


def test_every_result_has_its_kept_files() -> None:
    empty = [one.directory for one in GALLERY.result if not any(one.files(ROOT / PUBLISHED))]
    assert not empty, AGAIN


def test_the_index_is_what_the_results_say() -> None:
    assert (ROOT / PUBLISHED / INDEX).read_text(encoding="utf-8") == index.text(GALLERY, ROOT / PUBLISHED), AGAIN


def test_readmes_have_all_commands() -> None:
    readmes = "".join(file.read_text(encoding="utf-8") for file in (ROOT / PUBLISHED).rglob(INDEX))
    text = re.sub(r" \\\n +", " ", readmes)
    assert not [command for one in GALLERY.result for command in one.commands if command not in text]


@pytest.mark.parametrize("result", CAMPAIGNS, ids=lambda one: one.directory)
def test_the_command_of_a_campaign_names_no_place_of_its_host(result: Result) -> None:
    manifest = read_manifest(ROOT / PUBLISHED / result.directory)
    assert not [word for word in manifest.command if word.startswith("/")]


def test_versions_and_dates_do_not_count(tmp_path: Path) -> None:
    one, other = tmp_path / "one.md", tmp_path / "other.md"
    one.write_text("boxbench 0.1.0 says 5 2031-02-03T04:05:06+00:00", encoding="utf-8")
    other.write_text("boxbench 0.2.0.dev1 says 5 2031-02-04T04:05:06+00:00", encoding="utf-8")
    assert is_same(one, other)
    other.write_text("boxbench 0.1.0 says 6 2031-02-03T04:05:06+00:00", encoding="utf-8")
    assert not is_same(one, other)
    assert content(one) == b"boxbench VERSION says 5 DATE"


def test_packed_data_count_and_packing_does_not(tmp_path: Path) -> None:
    pages = [tmp_path / f"{name}.html" for name in ("fast", "small", "other")]
    for page, data, level in zip(pages, (b"data", b"data", b"more"), (1, 9, 9), strict=True):
        packed = b64encode(gzip.compress(data, compresslevel=level, mtime=0)).decode()
        page.write_text(f'<a href="data:application/octet-stream;base64,{packed}">', encoding="utf-8")
    fast, small, other = pages
    assert is_same(fast, small)
    assert not is_same(small, other)


def test_all_differences_of_a_result_are_named(tmp_path: Path) -> None:
    result = Result(directory="one", commands=(), kept=("*.md",))
    files = {
        "made": {"same.md": "5", "other.md": "5", "new.md": "5"},
        "kept": {"same.md": "5", "other.md": "6", "old.md": "5"},
    }
    for place, contents in files.items():
        (tmp_path / place / "one").mkdir(parents=True)
        for name, words in contents.items():
            (tmp_path / place / "one" / name).write_text(words, encoding="utf-8")
    assert list(problems(result, tmp_path / "made", tmp_path / "kept")) == [
        "reports/published/one/new.md is made, and is not in the repository",
        "reports/published/one/old.md is in the repository, and is not made any more",
        "reports/published/one/other.md differs from what is made",
    ]


@pytest.mark.host
def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    result = Result(directory="one", commands=("boxbench report nothing",), kept=())
    with pytest.raises(MakingError, match=r"`boxbench report nothing` ended with exit code \d, not with one of \[0\]"):
        make([result], tmp_path)


def test_a_dark_picture_is_not_kept() -> None:
    result = Result(directory="one", commands=(), kept=("figures/*.svg",))
    assert result.keeps("figures/a-ecdf.svg")
    assert not result.keeps("figures/a-ecdf-dark.svg")
