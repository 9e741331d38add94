"""Markdown that says what was measured and nothing that a guest wants it to be."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.analyse import analyse
from bench.render.markdown import escape, fence, report, table
from bench.render.view import build_view
from tests.factories import make_manifest, make_records


@given(st.text(alphabet="<>[]()`*_|\\!#~&@$:/ahtps.1-+ ", max_size=60))
def test_escaped_text_has_no_bare_structure(text: str) -> None:
    found = re.sub(r"\\[\\`*_{}\[\]<>#!|~&@$.)+-]", "", escape(text)).replace("&#8203;", "")
    assert not set(found) & set("`*_[]<>|#!~@$")


def test_addresses_do_not_become_links() -> None:
    assert "http:" not in escape("see http://evil.example and www.evil.example")
    assert "www." not in escape("www.evil.example")


def test_tables_and_fences_hold_together() -> None:
    assert table(("a", "b"), [("x|y", "z")]).splitlines()[-1] == r"| x\|y | z |"
    assert fence("```\nx") == "````\n```\nx\n````"


def test_report_reads_from_the_answer_to_the_host() -> None:
    manifest = make_manifest()
    text = report(build_view(analyse(manifest, make_records(manifest))), [("hello", "A [figure]", "figures/a.svg")])
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads[:3] == ["# Boxbench: hello · web", "## hello", "## web"]
    assert "**hello: ready after 224 ms in docker against 7.95 ms in process: 28.2×" in text
    assert "libvirt/tcg, emulated: ready after 4.15 s, 18.5× " in text
    assert r"![A \[figure\]](figures/a.svg)" in text
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "boxbench run hello web --seed 1" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_unfinished_and_empty_campaigns_say_so() -> None:
    manifest = make_manifest()
    text = report(build_view(analyse(manifest, make_records(manifest)[:5])))
    assert "43 of 48 planned trials have no record" in text
    assert "hello: no boot has ended yet." in report(build_view(analyse(manifest, ())))
