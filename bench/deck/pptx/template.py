"""The presentation that a deck is written into: a company's template, or a plain one of 16:9."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER as KIND
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.oxml.ns import qn

from bench.deck.pptx.area import EMU_IN, Area
from bench.deck.pptx.pack import with_fixed_times
from bench.render.palette import MUTED
from bench.util.errors import UsageError
from bench.util.files import open_file

_MOST: Final = 512 * 2**20
"""A template may be so large, packed and unpacked, bytes. Those of companies hold up to some 100 MB of pictures."""
_TYPES: Final = "[Content_Types].xml"
_MAIN: Final = b"application/vnd.openxmlformats-officedocument.presentationml.%s.main+xml"
_OLE: Final = b"\xd0\xcf\x11\xe0"
"""The first bytes of old .ppt files, and of encrypted ones."""

_WIDTH, _HEIGHT = int(13.333 * EMU_IN), int(7.5 * EMU_IN)
_MARGIN: Final = int(0.6 * EMU_IN)
_TITLE: Final = Area(_MARGIN, int(0.3 * EMU_IN), _WIDTH - 2 * _MARGIN, int(1.05 * EMU_IN))
_BODY: Final = Area(_MARGIN, int(1.45 * EMU_IN), _WIDTH - 2 * _MARGIN, int(5.75 * EMU_IN))
_COVER: Final = Area(_MARGIN, int(2.0 * EMU_IN), _WIDTH - 2 * _MARGIN, int(1.8 * EMU_IN))
_SUBTITLE: Final = Area(_MARGIN, int(3.9 * EMU_IN), _WIDTH - 2 * _MARGIN, int(1.6 * EMU_IN))
_ACCENT: Final = b"4F81BD"
"""The blue of the tables in python-pptx's own template. It would look like a target's colour."""
_KEPT: Final = {"Title Slide", "Title and Content", "Title Only"}


def open_template(path: Path) -> Any:
    """A presentation with the masters and layouts of a .pptx or .potx file, and without its slides.

    Raises:
        UsageError: it cannot be read, or PowerPoint would not take what is made from it.
    """
    content = _read(path)
    if content.startswith(_OLE):
        raise UsageError(
            f"{path} is an old or an encrypted presentation", hint="save it as .pptx without a password, and name that"
        )
    try:
        shown = Presentation(io.BytesIO(_as_presentation(path, content)))
        _without_slides(shown)
    except UsageError:
        raise
    except Exception as error:  # a damaged file fails anywhere in the library
        raise UsageError(
            f"{path} is not a PowerPoint file: {type(error).__name__}: {error}",
            hint="open it in PowerPoint or LibreOffice, save it as .pptx, and name that",
        ) from error
    return shown


def _read(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            content = file.read(_MOST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be read: {why}", hint="name a .pptx or .potx file") from error
    if len(content) > _MOST:
        raise _too_large(path)
    return content


def _as_presentation(path: Path, content: bytes) -> bytes:
    """The file as a presentation: a template (.potx) differs from one in a single word."""
    with ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _MOST:
            raise _too_large(path)
        if _TYPES not in archive.namelist():
            raise BadZipFile(f"it has no {_TYPES}")
        types = archive.read(_TYPES)
    if b"macroEnabled" in types:
        raise UsageError(f"{path} has macros, which a .pptx file cannot have", hint="save it as .pptx, and name that")
    return with_fixed_times(content, {_TYPES: types.replace(_MAIN % b"template", _MAIN % b"presentation")})


def _too_large(path: Path) -> UsageError:
    return UsageError(
        f"{path} is larger than {_MOST // 2**20} MiB", hint="remove its sample slides and their pictures, and name that"
    )


def _without_slides(shown: Any) -> None:
    """Remove the sample slides, and the sections and shows that name them: PowerPoint would call the file damaged."""
    slides = shown.slides._sldIdLst
    for slide in list(slides):
        shown.part.drop_rel(slide.rId)
        slides.remove(slide)
    root = shown._element
    # Sections are in an extension, and shows have an element of their own
    for found in root.xpath("./p:custShowLst | ./p:extLst/p:ext[@uri='{521415D9-36F7-43E2-AB2F-B90AF26B5E84}']"):
        found.getparent().remove(found)
    for empty in root.xpath("./p:extLst[not(*)]"):
        root.remove(empty)


def plain_template() -> Any:
    """A white presentation of 16:9 with the layouts that a deck needs, titles at the left."""
    shown: Any = Presentation()
    shown.slide_width, shown.slide_height = _WIDTH, _HEIGHT
    # Without this PowerPoint calls the format "4:3 Screen".
    del shown._element.find(qn("p:sldSz")).attrib["type"]
    for layout in list(shown.slide_layouts):
        if layout.name not in _KEPT:
            shown.slide_layouts.remove(layout)
    master = shown.slide_master
    _set_places(master)
    for layout in shown.slide_layouts:
        _set_places(layout)
        for text in layout._element.xpath(".//p:sp[.//p:ph[@type='subTitle']]//a:lstStyle/a:lvl1pPr"):
            text.set("algn", "l")
    _set_style(master._element)
    theme = master.part.part_related_by(RELATIONSHIP_TYPE.THEME)
    theme._blob = theme.blob.replace(_ACCENT, MUTED.removeprefix("#").upper().encode())
    return shown


def _set_places(owner: Any) -> None:
    """Move the placeholders that have a place of their own, of a master or a layout."""
    places = {KIND.TITLE: _TITLE, KIND.BODY: _BODY, KIND.CENTER_TITLE: _COVER, KIND.SUBTITLE: _SUBTITLE}
    for shape in list(owner.placeholders):
        kind = shape.placeholder_format.type
        if kind in places:
            if shape._element.spPr.xfrm is not None:
                shape.left, shape.top, shape.width, shape.height = places[kind]
        elif kind in (KIND.DATE, KIND.FOOTER, KIND.SLIDE_NUMBER):
            # They would lie where the picture is.
            shape._element.getparent().remove(shape._element)


def _set_style(master: Any) -> None:
    """Titles at the left, 30 points and bold; text of 24 points."""
    for title in master.xpath("./p:txStyles/p:titleStyle/a:lvl1pPr"):
        title.set("algn", "l")
    for font in master.xpath("./p:txStyles/p:titleStyle/a:lvl1pPr/a:defRPr"):
        font.set("sz", "3000")
        font.set("b", "1")
    for font in master.xpath("./p:txStyles/p:bodyStyle/a:lvl1pPr/a:defRPr"):
        font.set("sz", "2400")
