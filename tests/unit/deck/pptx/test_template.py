"""Templates of companies: their layouts are used, their slides are not, and what cannot be used is named."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER as KIND
from pptx.util import Inches

from bench.deck.pptx.presentation import presentation_of
from bench.deck.pptx.template import _TYPES
from bench.util.errors import UsageError
from tests.unit.deck.pptx import made

MAIN = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
LAYOUTS = ("Title Slide", "Title and Content", "Section Header", "Two Content", "Comparison", "Title Only", "Blank")


def _template(path: Path, *kept: str, size: tuple[float, float] = (10, 7.5)) -> Path:
    """A template with some layouts of python-pptx's own, in this order, and two sample slides in a section."""
    shown: Any = Presentation()
    layouts = {layout.name: layout for layout in shown.slide_layouts}
    for name, layout in layouts.items():
        if name not in kept:
            shown.slide_layouts.remove(layout)
    order = shown.slide_master._element.sldLayoutIdLst
    for name in kept:
        (entry,) = [one for one in order if shown.slide_master.part.related_part(one.rId) is layouts[name].part]
        order.append(entry)
        layouts[name].name = f"Example Inc. {name}"
    shown.slide_width, shown.slide_height = Inches(size[0]), Inches(size[1])
    if kept:
        for _ in range(2):
            shown.slides.add_slide(layouts[kept[0]])
    shown.save(str(path))
    return path


def _changed(path: Path, member: str, old: str, new: str) -> Path:
    """A copy of a template in which a member has other text."""
    copy = path.with_name(f"changed-{path.name}")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as out:
        for name in archive.namelist():
            content = archive.read(name)
            out.writestr(name, content.replace(old.encode(), new.encode()) if name == member else content)
    return copy


def _slides(template: Path) -> list[Any]:
    deck = made.deck(made.slide("time", made.dots()), made.slide("end", lines=("One.",)))
    return list(Presentation(io.BytesIO(presentation_of(deck, template))).slides)


def _used(template: Path) -> list[str]:
    return [slide.slide_layout.name.removeprefix("Example Inc. ") for slide in _slides(template)]


def test_the_layouts_of_a_template_are_used_and_its_slides_are_not(tmp_path: Path) -> None:
    template = _template(tmp_path / "company.pptx", *LAYOUTS)
    assert _used(template) == ["Title Slide", *["Title and Content"] * 3]


def test_layouts_are_found_by_their_placeholders_and_not_by_their_place(tmp_path: Path) -> None:
    template = _template(tmp_path / "company.pptx", *reversed(LAYOUTS))
    assert _used(template) == ["Title Slide", *["Title and Content"] * 3]


@pytest.mark.parametrize(
    ("kept", "used"),
    [
        (("Blank", "Title Only", "Section Header"), "Title Only"),
        (("Two Content", "Blank"), "Two Content"),
        (("Title Only", "Two Content"), "Title Only"),
        (("Section Header",), "Section Header"),
        (("Title Slide",), "Title Slide"),
    ],
)
def test_without_a_layout_for_content_the_next_best_is_used(tmp_path: Path, kept: tuple[str, ...], used: str) -> None:
    slides = _slides(_template(tmp_path / "company.pptx", *kept))
    assert {slide.slide_layout.name for slide in slides[1:]} == {f"Example Inc. {used}"}
    (picture,) = [shape for shape in slides[1].shapes if hasattr(shape, "image")]
    assert picture.width > 3 * 914_400
    assert picture.top + picture.height <= 7.5 * 914_400
    for slide in slides:
        assert not [shape for shape in slide.placeholders if shape.has_text_frame and not shape.text_frame.text]


def test_a_picture_lies_in_the_place_that_the_layout_has_for_content(tmp_path: Path) -> None:
    template = _template(tmp_path / "company.pptx", "Title and Content")
    layout: Any = Presentation(str(template)).slide_layouts[0]
    (place,) = [shape for shape in layout.placeholders if shape.placeholder_format.type == KIND.OBJECT]
    (picture,) = [shape for shape in _slides(template)[1].shapes if hasattr(shape, "image")]
    assert picture.placeholder_format.idx == place.placeholder_format.idx
    assert place.left <= picture.left
    assert picture.left + picture.width <= place.left + place.width
    assert picture.width == pytest.approx(place.width, rel=0.01)
    assert place.top <= picture.top
    assert picture.top + picture.height <= place.top + place.height


def test_placeholders_that_all_have_one_number_are_told_apart_by_their_types(tmp_path: Path) -> None:
    """LibreOffice writes such templates."""
    plain = _template(tmp_path / "company.pptx", "Title and Content")
    template = _changed(plain, "ppt/slideLayouts/slideLayout1.xml", '<p:ph idx="1"/>', "<p:ph/>")
    (_, shown, hidden, text) = _slides(template)
    assert shown.shapes.title.text == "libvirt takes 28 times as long as docker (time)"
    (picture,) = [shape for shape in shown.shapes if hasattr(shape, "image")]
    assert (picture.is_placeholder, picture.placeholder_format.type) == (True, KIND.OBJECT)
    assert any(shape.has_chart for shape in hidden.shapes)
    assert "One." in [shape.text_frame.text for shape in text.placeholders]


def test_sections_and_shows_that_name_the_sample_slides_are_removed(tmp_path: Path) -> None:
    """PowerPoint offers to repair a file whose sections name slides that are not there."""
    section = (
        '<p:custShowLst/><p:extLst><p:ext uri="{521415D9-36F7-43E2-AB2F-B90AF26B5E84}"><p14:sectionLst '
        'xmlns:p14="http://schemas.microsoft.com/office/powerpoint/2010/main"/></p:ext></p:extLst>'
    )
    plain = _template(tmp_path / "company.pptx", *LAYOUTS)
    template = _changed(plain, "ppt/presentation.xml", "</p:presentation>", f"{section}</p:presentation>")
    with zipfile.ZipFile(io.BytesIO(presentation_of(made.deck(), template))) as archive:
        shown = archive.read("ppt/presentation.xml")
        slides = [name for name in archive.namelist() if name.startswith("ppt/slides/slide")]
    assert b"sectionLst" not in shown
    assert b"custShowLst" not in shown
    assert b"extLst" not in shown, "an empty list is an error, too"
    assert len(slides) == 1, "the sample slides are not in the file"


def test_a_potx_file_is_a_template_too(tmp_path: Path) -> None:
    plain = _template(tmp_path / "company.potx", *LAYOUTS)
    template = _changed(plain, _TYPES, MAIN, MAIN.replace("presentation.main", "template.main"))
    assert len(_slides(template)) == 4
    with zipfile.ZipFile(io.BytesIO(presentation_of(made.deck(), template))) as archive:
        assert MAIN.encode() in archive.read(_TYPES)


def _refused(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        presentation_of(made.deck(), path)
    assert caught.value.hint
    assert str(path) in str(caught.value)
    return caught.value


def test_a_template_without_a_title_in_any_layout_is_refused(tmp_path: Path) -> None:
    assert "has no layout with a title" in str(_refused(_template(tmp_path / "company.pptx", "Blank")))


def test_a_template_without_layouts_is_refused(tmp_path: Path) -> None:
    assert "has no layout with a title" in str(_refused(_template(tmp_path / "company.pptx")))


def test_a_template_with_macros_is_refused(tmp_path: Path) -> None:
    plain = _template(tmp_path / "company.pptm", *LAYOUTS)
    macros = "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml"
    assert "has macros" in str(_refused(_changed(plain, _TYPES, MAIN, macros)))


def test_what_is_no_presentation_is_refused(tmp_path: Path) -> None:
    text, old, folder, pipe, archive = (tmp_path / name for name in ("a.txt", "old.ppt", "folder", "pipe", "a.zip"))
    text.write_text("hello")
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    folder.mkdir()
    os.mkfifo(pipe)
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("a", "b")
    assert "is not a PowerPoint file: BadZipFile" in str(_refused(text))
    assert "old or an encrypted presentation" in str(_refused(old))
    assert "cannot be read: Is a directory" in str(_refused(folder))
    assert "it is a FIFO" in str(_refused(pipe))
    assert "No such file" in str(_refused(tmp_path / "missing.pptx"))
    assert "is not a PowerPoint file" in str(_refused(archive))


def test_a_damaged_template_is_refused(tmp_path: Path) -> None:
    plain = _template(tmp_path / "company.pptx", *LAYOUTS)
    assert "is not a PowerPoint file" in str(_refused(_changed(plain, "ppt/presentation.xml", "<p:sldSz", "<p:sldSz<")))


def test_a_template_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.deck.pptx.template._MOST", 2**20)
    bomb = tmp_path / "bomb.pptx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(_TYPES, b" " * 2**21)
    assert bomb.stat().st_size < 2**14
    assert "is larger than 1 MiB" in str(_refused(bomb))
