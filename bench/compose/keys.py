"""What becomes of each key of a service. docs/reference/compose.md has the same table."""

from __future__ import annotations

from typing import Final

HONOURED: Final = frozenset(
    {"build", "command", "configs", "cpus", "deploy", "entrypoint", "env_file", "environment", "expose", "extends"}
    | {"healthcheck", "image", "mem_limit", "network_mode", "platform", "ports", "pull_policy", "secrets"}
    | {"stop_grace_period", "stop_signal", "tmpfs", "user", "volumes", "working_dir"}
)
"""They have a meaning in a box; ``service.py`` reads them."""

MEANINGLESS: Final = frozenset(
    {"annotations", "attach", "container_name", "develop", "init", "labels", "label_file", "logging", "pre_stop"}
    | {"profiles", "pull_refresh_after", "restart", "runtime", "scale", "userns_mode"}
)
"""They say how Compose handles containers. A box has its own way for all of them, and the workload sees none of it."""

REMARKS: Final = {
    "networks": "a box has no network but its loopback device",
    "depends_on": "the box runs alone, without {names}",
    "links": "the box runs alone, without {names}",
    "external_links": "the box runs alone, without {names}",
    "extra_hosts": "a box has only localhost and its own name in /etc/hosts",
    "dns": "a box has no network",
    "dns_opt": "a box has no network",
    "dns_search": "a box has no network",
    "mac_address": "a box has no network",
    "hostname": "every box is called boxbench",
    "domainname": "every box is called boxbench",
    "uts": "every box is called boxbench",
    "tty": "a box has no terminal",
    "stdin_open": "a box has no input",
    "read_only": "the root file system of a box can be written to",
    "cap_add": "a box has the capabilities that its target gives",
    "cap_drop": "a box has the capabilities that its target gives",
    "security_opt": "a box has the confinement that its target gives",
    "group_add": "the workload has the groups that the image gives its user",
    "sysctls": "a box has the settings of its target's kernel",
    "ulimits": "a box has the limits that its target gives ({names})",
    "pids_limit": "a box has no limit on its processes",
    "shm_size": "/dev/shm has 64 MiB, and in libvirt-full half of the memory",
    "storage_opt": "a box has a disk as the scenario's resources say",
    "mem_reservation": "a box has its memory limit alone",
    "mem_swappiness": "a box has its memory limit alone",
    "memswap_limit": "a box has its memory limit alone",
    "oom_kill_disable": "a box has its memory limit alone",
    "oom_score_adj": "a box has its memory limit alone",
    "blkio_config": "a box has no limit on its disk's speed",
    "cpu_count": "a box has whole CPUs, as `cpus` says",
    "cpu_percent": "a box has whole CPUs, as `cpus` says",
    "cpu_period": "a box has whole CPUs, as `cpus` says",
    "cpu_quota": "a box has whole CPUs, as `cpus` says",
    "cpu_rt_period": "a box has whole CPUs, as `cpus` says",
    "cpu_rt_runtime": "a box has whole CPUs, as `cpus` says",
    "cpu_shares": "a box has whole CPUs, as `cpus` says",
    "cpuset": "Boxbench chooses the CPUs of a box",
    "cgroup_parent": "Boxbench chooses the control group of a box",
}
"""They are left out, and the reason is printed. The workload can notice it, and usually runs all the same."""

REFUSED: Final = {
    "privileged": "no box gives its workload the host's privileges",
    "devices": "a box has no devices of the host",
    "device_cgroup_rules": "a box has no devices of the host",
    "gpus": "a box has no devices of the host",
    "use_api_socket": "a box has no access to the host's Docker",
    "pid": "a box has processes of its own",
    "volumes_from": "a box has volumes of its own",
    "post_start": "Boxbench runs no command of its own in a box",
    "provider": "no box runs this service",
    "models": "a box has no access to models",
    "credential_spec": "boxes run Linux",
    "isolation": "boxes run Linux",
}
"""Without them the workload would be another one, so the service cannot be measured."""
REFUSED_VALUES: Final = {
    "ipc": (("host", "service:", "container:"), "a box has shared memory of its own"),
    "cgroup": (("host",), "a box has control groups of its own"),
    "network_mode": (("service:", "container:"), "a box has a network of its own"),
}
"""Keys that are refused with values of these beginnings, and without a meaning otherwise."""

BUILD: Final = frozenset({"context", "dockerfile", "args", "target", "network", "secrets", "platforms"})
BUILD_MEANINGLESS: Final = frozenset(
    {"labels", "cache_from", "cache_to", "no_cache", "pull", "tags", "shm_size", "ulimits", "extra_hosts"}
    | {"provenance", "sbom", "isolation"}
)
BUILD_REFUSED: Final = {
    "dockerfile_inline": "the Dockerfile must be a file",
    "additional_contexts": "a build has one context",
    "ssh": "a build gets no keys of the user",
    "privileged": "a build gets no privileges",
    "entitlements": "a build gets no privileges",
}
DEPLOY_MEANINGLESS: Final = frozenset(
    {"mode", "endpoint_mode", "replicas", "labels", "rollback_config", "update_config", "restart_policy", "placement"}
)
HEALTHCHECK: Final = ("disable", "interval", "retries", "test", "timeout", "start_period", "start_interval")
TOP: Final = ("version", "name", "include", "services", "models", "networks", "volumes", "secrets", "configs")

SERVICE: Final = HONOURED | MEANINGLESS | REMARKS.keys() | REFUSED.keys() | REFUSED_VALUES.keys()
"""Every key of a service in the Compose Specification."""
