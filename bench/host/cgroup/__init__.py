"""Control groups (v1, hybrid and v2): finding the group of a box, reading its memory and CPU time, making groups.

On a hybrid host both hierarchies are mounted, and the controllers are in v1, while the v2 tree accounts nothing. So
every controller is looked up in v1 first. dockerd on such a host uses the cgroupfs driver, and the groups of a
container are ``docker/ID`` below the root of each v1 hierarchy, or ``TAG/ID`` for a private dockerd.
"""

from bench.host.cgroup.engine import EngineAccount, describe_engine_account, engine_account, engine_group, engine_parent
from bench.host.cgroup.find import cgroup_of, cpu_group_of
from bench.host.cgroup.group import BoxCgroup
from bench.host.cgroup.own import PARENT, OwnCgroup, own_cgroup, parents_for_runtimes, remove_groups

__all__ = [
    "PARENT",
    "BoxCgroup",
    "EngineAccount",
    "OwnCgroup",
    "cgroup_of",
    "cpu_group_of",
    "describe_engine_account",
    "engine_account",
    "engine_group",
    "engine_parent",
    "own_cgroup",
    "parents_for_runtimes",
    "remove_groups",
]
