"""The scripts of guests, from the first mount to the power-off."""

from __future__ import annotations

from typing import Final

from bench.agent.boxconf import AGENT_IN_BOX, CHANNEL_IN_BOX, HOSTNAME
from bench.instructions.model import STARTS
from bench.instructions.recipe import CountedImage, Recipe
from bench.instructions.starters import STARTERS

SETTLE_MS: Final = 3000
"""Sleep before each request, of the guest's time: daemons finish what they do after their start or after a box."""
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LINKS: Final = (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"))


def vm_recipe() -> Recipe:
    """For a guest whose root is the image's tree: PID 1 mounts the kernel's file systems and starts the agent."""
    recipe = Recipe()
    _mount_system(recipe)
    recipe.do("channel", CHANNEL_IN_BOX)
    recipe.do("poweron")
    recipe.do("daemon", AGENT_IN_BOX, "run", CHANNEL_IN_BOX)
    recipe.do("ready")
    recipe.do("finish")
    return recipe


def container_recipe(target: str, subject: CountedImage) -> Recipe:
    """For a guest with a small system, which starts the image twice."""
    kind = STARTERS[target]
    recipe = Recipe(programs=kind.programs, needs_archive=kind.needs_archive)
    recipe.do("module", "/modules/overlay.ko")
    recipe.do("movable")
    _mount_system(recipe)
    recipe.do("random", subject.variation.letters)
    recipe.do("mount", "tmpfs", "/run", "tmpfs", "mode=755")
    recipe.do("mount", "tmpfs", "/tmp", "tmpfs", "mode=1777")
    recipe.do("env", _PATH)
    starter = kind(recipe, subject)
    starter.set_up()
    for start in STARTS:
        for name in ("", "/root", "/upper", "/work"):
            recipe.do("dir", f"/box/{start}{name}")
        starter.before(start)
        recipe.do("sleep", str(SETTLE_MS))
        recipe.do("request", start)
        starter.request(start)
        recipe.do("ready")
        recipe.do("stop")
        starter.after(start)
    recipe.do("finish")
    return recipe


def _mount_system(recipe: Recipe) -> None:
    recipe.do("mount", "devtmpfs", "/dev", "devtmpfs", "mode=0755")
    recipe.do("mount", "proc", "/proc", "proc")
    recipe.do("mount", "sysfs", "/sys", "sysfs")
    for name, target in _LINKS:
        recipe.do("link", f"/proc/self/{target}", f"/dev/{name}")
    recipe.do("mount", "devpts", "/dev/pts", "devpts", "mode=0620,ptmxmode=0666")
    recipe.do("mount", "tmpfs", "/dev/shm", "tmpfs", "mode=1777")
    recipe.do("mount", "cgroup2", "/sys/fs/cgroup", "cgroup2")
    recipe.do("loopback")
    recipe.do("hostname", HOSTNAME)
