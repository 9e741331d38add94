"""A model's discrepancy beyond the data must owe nothing to the storms that it is scored on."""

from __future__ import annotations

from bench.sim.check.design import Split
from bench.sim.fit.discrepancy import published_discrepancy
from bench.sim.model.file import Model
from bench.sim.observe.trials import Observations, Source


def without_scored(model: Model, split: Split) -> Model:
    """The model, with a discrepancy that is not from predictions for storms that it was fitted to or is scored on.

    One that comes from none of them stays as it is in the model.
    """
    fair = published_discrepancy(_sources(model), split.fit, split.score)
    if fair == published_discrepancy():
        return model
    return model.model_copy(update={"discrepancy": fair})


def _sources(model: Model) -> Observations:
    """What a model was fitted to, as far as its file says."""
    host = model.host
    return Observations(
        sources=tuple(
            Source(
                name=one.name, digest=one.digest, host=host.fingerprint, cpus=host.cpus, memory_bytes=host.memory_bytes
            )
            for one in model.sources
        ),
        workload=model.workload,
        targets={},
    )
