"""Package sources: only signed and remote ones, and only the distribution's where it is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.host.release import os_release
from bench.image.apt_sources import trusted_sources
from bench.util.errors import HostUnfitError

MAIN = """Types: deb deb-src
URIs: http://mirror.test/debian
Suites: stable
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"""

LOCAL = """# made by an administrator
Types: deb
URIs: file:/srv/packages
Suites: ./"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "os-release").write_text('# about\nID=debian\nVERSION_CODENAME="stable"\n')
    return tmp_path


def sources(apt: Path) -> dict[str, str]:
    return trusted_sources(apt, apt / "os-release")


def test_os_release(apt: Path) -> None:
    assert os_release(apt / "os-release") == {"ID": "debian", "VERSION_CODENAME": "stable"}
    assert os_release(apt / "missing") == {}


def test_stanzas_that_cannot_be_trusted_are_left_out(apt: Path) -> None:
    stanzas = [
        MAIN,
        LOCAL,
        MAIN.replace("mirror", "unsigned") + "\nTrusted: yes",
        MAIN.replace("mirror", "disabled") + "\nEnabled: no",
        MAIN.replace("mirror", "sources").replace("Types: deb deb-src", "Types: deb-src"),
    ]
    (apt / "sources.list.d" / "a.sources").write_text("\n\n".join(stanzas))
    assert sources(apt) == {"host.sources": MAIN + "\n"}


def test_lines_that_cannot_be_trusted_are_left_out(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "deb http://mirror.test/debian stable main # the mirror\n"
        "# deb http://commented.test/debian stable main\n"
        "deb-src http://mirror.test/debian stable main\n"
        "deb [trusted=yes] http://unsigned.test/debian stable main\n"
        "deb cdrom:[Disc]/ stable main\n"
        "deb file:/srv/packages ./\n"
    )
    assert sources(apt) == {"host.list": "deb http://mirror.test/debian stable main\n"}


def test_other_vendors_are_left_out_when_the_distribution_is_known(apt: Path) -> None:
    vendor = MAIN.replace("mirror", "vendor").replace("debian-archive-keyring", "vendor")
    (apt / "sources.list.d" / "a.sources").write_text(MAIN)
    (apt / "sources.list.d" / "b.sources").write_text(vendor)
    (apt / "sources.list.d" / "c.list").write_text("deb [signed-by=/etc/apt/keyrings/v.gpg] http://v.test x main\n")
    assert sources(apt) == {"host.sources": MAIN + "\n"}


def test_a_distribution_with_its_own_key_name_keeps_all(apt: Path) -> None:
    (apt / "os-release").write_text("ID=mint\n")
    (apt / "sources.list.d" / "a.sources").write_text(MAIN)
    assert sources(apt) == {"host.sources": MAIN + "\n"}


def test_without_trusted_sources_is_an_error(apt: Path) -> None:
    (apt / "sources.list.d" / "a.sources").write_text(LOCAL)
    with pytest.raises(HostUnfitError, match="no signed remote package source"):
        sources(apt)
