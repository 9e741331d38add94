"""Look at an image before a scenario of it exists: build or pull it, read its configuration, run it once."""

from __future__ import annotations

from collections.abc import Sequence

from bench.engines.lazy import Engines, probe_engines
from bench.host.campaign_lock import only_campaign_on_host
from bench.host.read import HOST_ROOT, parse_sizes, read_text
from bench.image.build import build_image
from bench.image.model import Image
from bench.image.source import known
from bench.image.stores.choice import image_store
from bench.image.stores.docker import DockerStore
from bench.infer.attempt import Attempt
from bench.infer.facts import ImageFacts, image_facts
from bench.infer.generate import SUBSTITUTE, Seen
from bench.infer.resources import LEAST_MEMORY
from bench.run.look.watch import try_image
from bench.run.prepare import Say, usable_target
from bench.scenario.model import LoadedScenario
from bench.scenario.targets import TargetSpec


def look_at(loaded: LoadedScenario, say: Say, *, attempt: bool, targets: Sequence[TargetSpec] = ()) -> Seen:
    """Build or pull the image of a scenario and look at it. What is made stays in the cache, for the campaign.

    Args:
        attempt: also run its command in a container, to see whether it listens, prints or ends.
        targets: find out which of them this host cannot run.

    Raises:
        BuildError, HostUnfitError: as ``build_image``, or no engine can be had.
        LaunchError: the image cannot be run.
        CampaignError: a campaign runs on this host; this would disturb it.
    """
    with only_campaign_on_host(), probe_engines() as engines:
        store = image_store(engines)
        unusable = _unusable(engines, targets, say)
        image = build_image(store, loaded, say)
        stored = known(store, image.id)
        facts = image_facts(stored.config, size_bytes=image.sizes_bytes["unpacked"], architecture=stored.architecture)
        tried = None
        if attempt and isinstance(store, DockerStore):
            tried = _tried(engines, image, facts, say)
        elif attempt:
            say(f"{image.name} is not tried: only a Docker Engine does that. Its configuration decides alone.")
    return Seen(facts=facts, attempt=tried, host_bytes=_host_bytes(), unusable=unusable)


def _unusable(engines: Engines, targets: Sequence[TargetSpec], say: Say) -> dict[str, str]:
    """By label, why this host cannot run a target. Docker's substitute is asked only where Docker cannot run."""
    found: dict[str, str] = {}
    wanted = {spec.label for spec in targets}
    for spec in targets:
        if spec.label == SUBSTITUTE and "docker" in wanted and "docker" not in found:
            continue
        say(f"checking target {spec.label}")
        usable = usable_target(spec, engines, "auto")
        if isinstance(usable, str):
            found[spec.label] = usable
    return found


def _tried(engines: Engines, image: Image, facts: ImageFacts, say: Say) -> Attempt:
    say(f"running {image.name} once in a container, to see when it is ready")
    # The name begins with that of the run directory, which this process has locked, so nothing cleans it up meanwhile.
    tag = f"{engines.run_dir.name}-box"
    most = max(LEAST_MEMORY, _host_bytes() // 2)
    client = engines.docker.client
    return try_image(client, image, tag, settled=facts.has_healthcheck, ports=facts.tcp, most_memory_bytes=most)


def _host_bytes() -> int:
    return parse_sizes(read_text(HOST_ROOT, "proc/meminfo") or "").get("MemTotal", 0)
