"""Builds the Debian package, installs it into a fresh root of this host's release, and uses it there.

Run as root: ``python -m tests.packaging.debian``. There ``boxbench quickstart --replay`` must write a report, the
manual page and completions must be where shells look, and the commands that ``boxbench doctor`` prints must mend what
it found. A purge must leave nothing of it. It needs dpkg-dev, debhelper, dh-python, pybuild-plugin-pyproject,
python3-all, python3-hatchling, python3-typer, lintian and mmdebstrap, and takes some minutes.
"""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.host.release import os_release
from bench.util import proc
from tests.wheel import ROOT

_TIMEOUT_S: Final = 1800.0
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The address of the maintainer is that of whoever distributes the package.
_NOT_OURS: Final = "bogus-mail-host,bogus-mail-host-in-debian-changelog"

# The root's mounts end with its namespace.
_ENTER: Final = """\
mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount --rbind /sys "$1/sys" || exit 1
touch "$1/etc/resolv.conf" && mount --bind /etc/resolv.conf "$1/etc/resolv.conf" || exit 1
exec chroot "$1" /bin/sh -exc "$2"
"""
_USE: Final = """\
cd /tmp
apt-get -q update >/dev/null
apt-get -q install -y --no-install-recommends /package.deb >/dev/null
test -s /usr/share/man/man1/boxbench.1.gz
test -s /usr/share/bash-completion/completions/boxbench
test -s /usr/share/zsh/vendor-completions/_boxbench
test -s /usr/share/fish/vendor_completions.d/boxbench.fish
boxbench quickstart --replay -o replayed >/dev/null
test -s replayed/index.html
code=0; boxbench doctor >before || code=$?
test $code = 5
sed -n '/^To install what is missing/,$p' before | sed 1d >lines
test -s lines
sh -ex lines >/dev/null
boxbench doctor
dpkg -L boxbench | grep -i boxbench >installed
apt-get -q purge -y boxbench >/dev/null
while read -r path; do test ! -e "$path"; done <installed
test -z "$(find / -xdev -iname '*boxbench*' -not -path '/root/*' -not -path '/tmp/*')"
"""


def build(folder: Path) -> Path:
    """The package, built from the committed files; its changes have no complaint of lintian."""
    source = folder / "boxbench"
    source.mkdir()
    proc.run(["git", "-C", ROOT, "archive", "-o", folder / "source.tar", "HEAD"], timeout_s=_TIMEOUT_S)
    with tarfile.open(folder / "source.tar") as tar:
        tar.extractall(source, filter="tar")
    # Another Python that comes first on PATH would lack the packages that the build needs.
    env = {"PATH": _PATH}
    proc.run(
        ["dpkg-buildpackage", "-us", "-uc", "-b"], timeout_s=_TIMEOUT_S, cwd=source, env=env, without=("PYTHONPATH",)
    )
    (changes,) = folder.glob("boxbench_*.changes")
    words: list[str | Path] = [
        "lintian",
        "--allow-root",
        "--fail-on",
        "error,warning",
        "--suppress-tags",
        _NOT_OURS,
        changes,
    ]
    proc.run(words, timeout_s=_TIMEOUT_S, env=env)
    (package,) = folder.glob("boxbench_*_all.deb")
    return package


def main() -> int:
    """Print what the second call of doctor in the root says. Raises ProcessError with the command that failed."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        package = build(folder)
        print(f"built {package.name}; lintian has no error and no warning")
        root = folder / "root"
        release = os_release().get("VERSION_CODENAME", "stable")
        proc.run(["mmdebstrap", "--quiet", "--variant=apt", release, root], timeout_s=_TIMEOUT_S)
        (root / "package.deb").write_bytes(package.read_bytes())
        words: list[str | Path] = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            _ENTER,
            "sh",
            root,
            _USE,
        ]
        env = {"PATH": _PATH, "DEBIAN_FRONTEND": "noninteractive", "COLUMNS": "80", "HOME": "/root"}
        print(proc.run(words, timeout_s=_TIMEOUT_S, env=env, without=("PYTHONPATH", "BOXBENCH_CACHE", "TMPDIR")).text)
    print("installed; replay works, and the commands of doctor mended what it had found; a purge leaves nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
