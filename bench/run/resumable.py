"""Whether a stored campaign may go on here: the same host, version, images and boxes, or a refusal."""

from __future__ import annotations

import shlex

from bench import __version__
from bench.host import fingerprint, host_facts
from bench.records.manifest import ImageEntry, Manifest
from bench.run.prepare import Prepared
from bench.util.errors import CampaignError


def refuse_unmeasured(manifest: Manifest) -> None:
    """Raise CampaignError: no box of the campaign ran."""
    origin = manifest.origin
    if origin is not None:
        raise CampaignError(
            f"the campaign is {origin.source} (from {origin.name}): no box of it runs, so there is nothing to resume",
            hint="make it again, in a new directory; with the same --seed it gets the same records: "
            f"{shlex.join(manifest.command)}",
        )


def check_host(manifest: Manifest) -> None:
    """Raise CampaignError: the campaign was started on another host."""
    here = fingerprint(host_facts())
    there = manifest.host.get("fingerprint")
    if here != there:
        raise CampaignError(
            f"the campaign was started on another host (fingerprint {there}, here {here})",
            hint="values of two hosts are never pooled; start a new campaign here",
        )


def refuse_other_version(manifest: Manifest) -> None:
    """Raise CampaignError: another version of boxbench started the campaign."""
    # Another version may stamp, read or compute differently, and records do not say which version wrote them.
    if manifest.boxbench != __version__:
        raise CampaignError(
            f"the campaign was started by boxbench {manifest.boxbench}, and this is {__version__}",
            hint=f"values of two versions are never pooled; resume with boxbench {manifest.boxbench}, or start a new "
            "campaign here",
        )


def check_unchanged(manifest: Manifest, prepared: Prepared) -> None:
    """Raise CampaignError: a cell cannot run any more, or an image or a box is another one now."""
    missing = {trial.cell.key for trial in manifest.plan} - {cell.key for cell in prepared.settings}
    if missing:
        raise CampaignError(
            f"these cells of the campaign cannot run any more: {', '.join(sorted(missing))}",
            hint="`boxbench doctor` says what is missing",
        )
    changed = changed_since(manifest, prepared)
    if changed:
        raise CampaignError(
            f"changed since the campaign was started: {', '.join(changed)}",
            hint="the Dockerfile, its base image, the archive or an engine is another one now, or the image was pruned "
            "and built anew; start a new campaign",
        )


def changed_since(manifest: Manifest, prepared: Prepared) -> list[str]:
    """Scenarios with another image, and boxes with another description, than the campaign had."""
    images = prepared.images
    changed = [name for name, then in manifest.images.items() if _is_another(images.get(name, then), then)]
    now = prepared.descriptions
    return changed + [box for box, then in manifest.targets.items() if now.get(box, then) != then]


def _is_another(now: ImageEntry, then: ImageEntry) -> bool:
    """Whether files differ, or what runs in the same files; manifests of older campaigns do not say the latter."""
    return now.digest != then.digest or then.config not in (None, now.config)
