"""The plain image of a workload that names one of a registry or of the engine itself."""

from __future__ import annotations

from typing import Literal

from bench.image.stores.base import ImageStore, Log, StoredImage, StoreError
from bench.records.manifest import ImageOrigin
from bench.scenario.image_name import Reference, parse_image_name
from bench.scenario.model import LoadedScenario


def named_image(
    store: ImageStore, reference: Reference, pull: Literal["missing", "always", "never"], log: Log
) -> tuple[StoredImage, ImageOrigin]:
    """The image of this name, and what is put on record of it.

    Args:
        pull: when the registry is asked.

    Raises:
        StoreError: the engine has no such image and may not pull it, or it cannot be pulled.
    """
    # Engines look for a digest without a tag before it.
    wanted = str(reference.at(reference.digest) if reference.digest else reference)
    found = None if pull == "always" else store.inspect(wanted)
    if found is None and pull != "never":
        log(f"pulling {reference}")
        store.pull(reference, log)
        found = store.inspect(wanted)
    if found is None:
        why = "workload.pull is never" if pull == "never" else "it was removed right after it had been pulled"
        raise StoreError(
            f"the engine has no image {reference}, and {why}",
            hint=f"pull it with `docker pull {reference}`, or write pull: missing",
        )
    return found, ImageOrigin(kind="reference", name=str(reference), digest=_digest(reference, found))


def pinned(loaded: LoadedScenario, origin: ImageOrigin | None) -> LoadedScenario:
    """The scenario with the very image that was used before, whatever its tag means today.

    Args:
        origin: of that image. Only an image of a registry can be pinned; all others stay as they are named.
    """
    workload = loaded.scenario.workload
    if origin is None or origin.kind != "reference" or not origin.digest or workload.image is None:
        return loaded
    reference = parse_image_name(workload.image)
    if not isinstance(reference, Reference):
        return loaded
    image = {"image": str(reference.at(origin.digest)), "pull": "never" if workload.pull == "never" else "missing"}
    changed = loaded.scenario.model_copy(update={"workload": workload.model_copy(update=image)})
    return loaded.model_copy(update={"scenario": changed})


def _digest(reference: Reference, found: StoredImage) -> str:
    """The digest that pulls the same image again; empty for an image that no registry has."""
    if reference.digest is not None:
        return reference.digest
    pairs = [digest.partition("@")[::2] for digest in found.repo_digests]
    # An engine may shorten a registry's name. An image of another name may be of another registry.
    last = reference.path.rpartition("/")[2]
    exact = [digest for name, digest in pairs if name == reference.name]
    alike = [digest for name, digest in pairs if name.rpartition("/")[2] == last]
    return next(iter(exact or alike), "")
