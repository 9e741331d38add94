"""Control groups v1, hybrid and v2: find a box's own, read its memory, CPU and I/O, make one for a bare process.

Where both hierarchies are mounted (hybrid) the controllers live in v1 and the v2 tree accounts nothing, so
each controller is looked for in v1 first. A private dockerd on such a host uses the cgroupfs driver, and a
container's groups are ``docker/ID`` below the root of each v1 hierarchy.
"""

from bench.host.cgroup.find import cgroup_of
from bench.host.cgroup.group import BoxCgroup
from bench.host.cgroup.own import PARENT, OwnCgroup, own_cgroup, parents_for_runtimes, remove_groups

__all__ = ["PARENT", "BoxCgroup", "OwnCgroup", "cgroup_of", "own_cgroup", "parents_for_runtimes", "remove_groups"]
