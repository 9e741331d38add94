"""Roles: what the parameters of a target stand for, whatever stage of a start they belong to.

Data tell how much CPU work a start has, and hardly in which stage it lies. So the parameters of a role are summed over
the stages before anybody asks what decides an answer. Single starts tell how long a stage is, and storms what it is
made of: where there is more CPU work, or a longer hold of the lock, there is less delay. So these are moved at the
expense of the delay of their stage, and the delay stands for the length of a single start. One role joins two numbers
of different units: inflation and crowding both make CPU work longer when more boxes start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.words import CPU_GROWTH, START, WAY, role_of
from bench.sim.kind import Kind
from bench.sim.model.draws import weighted_sd
from bench.sim.model.file import Model

Floats = NDArray[np.float64]
About = Literal["times", "memory", "both"]
"""What an answer is made of."""
Moved = Callable[[Model, int, float], Model]
"""The model in which a number has another value at one draw; other numbers have what they have there."""

NARROWED: Final = 0.5
"""What the data narrowed by less is bounded and not measured."""
_JOINED: Final = {"inflation": CPU_GROWTH, "crowding": CPU_GROWTH}
_OF_START: Final = ("delay", "work", "hold")
"""Roles that the length of a stage is the sum of."""
_SURE: Final = 0.8
"""The way in which the lock is held is known where so many draws have it."""
_HELD: Final = 0.05
"""A part with a smaller share of a draw's hold is none of its ways."""
_OF_NOISE: Final = ("block_sd", "block_correlation", "box_sd")
_COUNTS: Final = 0.25
"""A number of a joined role counts where it moves the answer by at least this part of what the other one does."""


@dataclass(frozen=True, kw_only=True)
class Varying:
    """One number that differs from draw to draw and is no parameter of the model."""

    target: str
    parameter: str
    kind: Kind
    narrowed: float
    values: Floats
    """(draws,)"""
    moved: Moved


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One number of a role: the sum of some parameters."""

    names: tuple[str, ...]
    """Of the parameters; of a ``Varying`` its own."""
    values: Floats
    """(draws,)"""
    moved: Moved
    ways: bool = False
    """The values are no sizes but numbers of ways; -1: none of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Role:
    """What some parameters of a target stand for."""

    target: str
    name: str
    """As in ``bench.sim.answer.words``: ``work``, ``hold``, ``cpu_growth``."""
    members: tuple[Member, ...]
    """One; of a joined role one for each of its parameters."""
    known: tuple[Kind, float] | None = None
    """Kind and narrowing of what is no parameter."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters."""
        return tuple(name for one in self.members for name in one.names)


def roles_of(
    model: Model, targets: Sequence[str], draws: Sequence[int], about: About, more: Iterable[Varying] = ()
) -> list[Role]:
    """The roles that differ from draw to draw and can move an answer without noise.

    Args:
        about: parameters of anything else cannot move the answer.
        more: what is no parameter, each a role of its own.
    """
    found: list[Role] = []
    for target in targets:
        members: dict[str, list[Member]] = {}
        for name, one in _members(model, target, draws, about):
            if one.values.min() < one.values.max():
                members.setdefault(_JOINED.get(name, name), []).append(one)
        found += [Role(target=target, name=name, members=tuple(some)) for name, some in members.items()]
    return [*found, *(_role_of(one) for one in more if one.values.min() < one.values.max())]


def _role_of(one: Varying) -> Role:
    member = Member(names=(one.parameter,), values=one.values, moved=one.moved)
    return Role(target=one.target, name=one.parameter, members=(member,), known=(one.kind, one.narrowed))


def knowledge(model: Model, role: Role, sizes: Sequence[float]) -> tuple[Kind, float]:
    """What the data say of a role: its kind, and how much they narrowed it.

    A joined role is known as well as its weakest number that moves the answer. A sum of parameters is measured if those
    that make most of what is open in it are, and if it was narrowed by at least half.

    Args:
        sizes: for each member, how far it moves the answer; only their ratio counts.
    """
    if role.known is not None:
        return role.known
    if role.name == START:
        share = _narrowed_sum(model, role.target, role.names)
        return "measured" if share >= NARROWED else "limit", share
    if role.name == WAY:
        return _knowledge_of_ways(model, role.target, role.names)
    least = _COUNTS * max(sizes)
    found = [
        _knowledge(model, role.target, one.names)
        for one, size in zip(role.members, sizes, strict=True)
        if size >= least
    ]
    kinds = [kind for kind, _ in found]
    return "limit" if "limit" in kinds else kinds[0], min(share for _, share in found)


def narrowed(model: Model, target: str, names: Sequence[str]) -> float:
    """How much the data narrowed the sum of some parameters of one role, in [0, 1].

    What the fit says of the parameters themselves counts, the least of it. 1 where all are read off; 0 where a user
    stated one, and of what is no parameter of the model.
    """
    known = model.targets[target].parameters
    if any(name not in known or known[name].kind == "assumed" for name in names):
        return 0.0
    said = [one.narrowed for name in names if (one := known[name]).narrowed is not None]
    return min(said) if said else _narrowed_sum(model, target, names)


def weakest(model: Model, target: str, names: Sequence[str]) -> str:
    """The parameter of these that the data narrowed least."""
    return min(names, key=lambda name: narrowed(model, target, (name,)))


def sum_of(model: Model, target: str, names: Sequence[str]) -> Floats:
    """(draws of the model,) The sum of some parameters."""
    total = np.zeros(len(model.weights))
    for name in names:
        values = model.draws.get(target, {}).get(name)
        total = total + (model.targets[target].parameters[name].value if values is None else np.asarray(values))
    return total


def with_values(model: Model, target: str, values: Mapping[str, float]) -> Model:
    """The model with other values of some parameters, also in its draws."""
    entry = model.targets[target]
    parameters = entry.parameters | {
        name: entry.parameters[name].model_copy(update={"value": value}) for name, value in values.items()
    }
    draws = model.draws.get(target, {}) | {name: (value,) * len(model.weights) for name, value in values.items()}
    return model.model_copy(
        update={
            "targets": model.targets | {target: entry.model_copy(update={"parameters": parameters})},
            "draws": model.draws | {target: draws},
        }
    )


def _members(model: Model, target: str, draws: Sequence[int], about: About) -> list[tuple[str, Member]]:
    """The numbers of a target by what each stands for."""
    names: dict[str, list[str]] = {}
    for name, parameter in model.targets[target].parameters.items():
        if parameter.kind != "assumed" and name in model.draws.get(target, {}) and _can_move(name, about):
            names.setdefault(role_of(name), []).append(name)
    delays = tuple(names.get("delay", ()))
    found = list(_ways(model, target, tuple(names.get("hold", ())), delays, draws))
    for role, group in names.items():
        own = tuple(group)
        if role == "delay":
            stages = {name.rpartition(".")[0] for name in delays}
            parts = (name for part in _OF_START for name in names.get(part, ()))
            whole = tuple(name for name in parts if name.rpartition(".")[0] in stages)
            found.append((START, _member(model, target, whole, draws, partial(_with_length, target, whole, delays))))
        else:
            given = delays if role in _OF_START else ()
            found.append((role, _member(model, target, own, draws, partial(_with_sum, target, own, given))))
    return found


def _ways(
    model: Model, target: str, names: tuple[str, ...], delays: tuple[str, ...], draws: Sequence[int]
) -> Iterator[tuple[str, Member]]:
    """In which stages the lock is held, and whether CPU time is burnt meanwhile, as numbers of ways."""
    numbers = _numbers_of_ways(model, target, names)
    moved = partial(_with_way, target, names, delays, tuple(numbers.tolist()))
    yield WAY, Member(names=names, values=numbers[list(draws)].astype(np.float64), moved=moved, ways=True)


def _numbers_of_ways(model: Model, target: str, names: Sequence[str]) -> NDArray[np.int64]:
    """(draws of the model,) The number of each draw's way; -1 where no lock is held."""
    sums = sum_of(model, target, names)
    found = np.full(len(sums), -1)
    there = sums > 0
    if there.any():
        parts = np.array([sum_of(model, target, (name,))[there] for name in names])
        found[there] = np.unique(parts > _HELD * sums[there], axis=1, return_inverse=True)[1].ravel()
    return found


def _with_way(
    target: str,
    names: tuple[str, ...],
    delays: tuple[str, ...],
    ways: tuple[int, ...],
    model: Model,
    draw: int,
    way: float,
) -> Model:
    """The model in which one draw has its lock held in another way, for as long as it is."""
    sums = sum_of(model, target, names)
    far = np.where(np.array(ways) == way, np.abs(sums - sums[draw]), np.inf)
    pattern = int(np.argmin(far))
    factor = float(sums[draw] / sums[pattern])
    held = {name: factor * value for name, value in _at(model, target, names, pattern).items()}
    return _with_parts(model, target, delays, draw, held)


def _member(model: Model, target: str, names: tuple[str, ...], draws: Sequence[int], moved: Moved) -> Member:
    return Member(names=names, values=sum_of(model, target, names)[list(draws)], moved=moved)


def _can_move(name: str, about: About) -> bool:
    """Whether a parameter can move an answer without noise that is made of times, of memory, or of both."""
    if name in _OF_NOISE:
        return False
    return about == "both" or name.startswith("memory_") == (about == "memory")


def _with_length(
    target: str, names: tuple[str, ...], delays: tuple[str, ...], model: Model, draw: int, total: float
) -> Model:
    """The model in which a single start takes ``total``: its delays are longer or shorter, as far as they can be."""
    longer = total - float(sum_of(model, target, names)[draw])
    delay = float(sum_of(model, target, delays)[draw])
    return _with_sum(target, delays, (), model, draw, max(0.0, delay + longer))


def _with_sum(
    target: str, names: tuple[str, ...], delays: tuple[str, ...], model: Model, draw: int, total: float
) -> Model:
    """The model in which the sum of some parameters is ``total``, divided among them as in one draw.

    Where the sum is 0 in that draw, it is divided as in the draw whose sum is above 0 and nearest to ``total``.

    Args:
        delays: that give way: a stage keeps its length, as far as its delay can be shorter.
    """
    return _with_parts(model, target, delays, draw, _divided(model, target, names, draw, total))


def _with_parts(model: Model, target: str, delays: tuple[str, ...], draw: int, changed: Mapping[str, float]) -> Model:
    """The model with other values of some parameters in place of those at one draw; delays give way."""
    here = _at(model, target, (*changed, *delays), draw)
    for delay in delays:
        stage = delay.rpartition(".")[0]
        more = sum(value - here[name] for name, value in changed.items() if name.rpartition(".")[0] == stage)
        here[delay] = max(0.0, here[delay] - more)
    return with_values(model, target, here | dict(changed))


def _divided(model: Model, target: str, names: tuple[str, ...], draw: int, total: float) -> dict[str, float]:
    if len(names) == 1:
        return {names[0]: total}
    sums = sum_of(model, target, names)
    pattern = draw if sums[draw] > 0 else int(np.argmin(np.where(sums > 0, np.abs(sums - total), np.inf)))
    if not sums[pattern] > 0:
        return dict.fromkeys(names, 0.0)
    factor = total / float(sums[pattern])
    return {name: factor * value for name, value in _at(model, target, names, pattern).items()}


def _at(model: Model, target: str, names: Sequence[str], draw: int) -> dict[str, float]:
    return {name: float(sum_of(model, target, (name,))[draw]) for name in names}


def _narrowed_sum(model: Model, target: str, names: Sequence[str]) -> float:
    """1 - sd of the sum after the data / sd before them; 1 where all are read off."""
    parameters = [model.targets[target].parameters[name] for name in names]
    if all(parameter.prior_sd is None for parameter in parameters):
        return 1.0
    # Before the data the parameters were independent.
    before = float(np.sqrt(sum((parameter.prior_sd or 0.0) ** 2 for parameter in parameters)))
    return min(1.0, max(0.0, 1 - weighted_sd(sum_of(model, target, names), model.weights) / before)) if before else 0.0


def _knowledge_of_ways(model: Model, target: str, names: Sequence[str]) -> tuple[Kind, float]:
    """Measured where most draws have one way. Narrowed: 1 - entropy of the ways / what it is with equal chances."""
    numbers = _numbers_of_ways(model, target, names)
    weights = np.asarray(model.weights, dtype=np.float64)
    chances = np.array([weights[numbers == way].sum() for way in np.unique(numbers[numbers >= 0])])
    chances = chances[chances > 0] / chances.sum()
    if len(chances) == 1:
        return "measured", 1.0
    share = 1 + float(chances @ np.log(chances)) / float(np.log(len(chances)))
    return "measured" if chances.max() >= _SURE else "limit", share


def _knowledge(model: Model, target: str, names: tuple[str, ...]) -> tuple[Kind, float]:
    share = narrowed(model, target, names)
    open_of: dict[Kind, float] = {}
    for name in names:
        kind = model.targets[target].parameters[name].kind
        open_of[kind] = open_of.get(kind, 0.0) + weighted_sd(sum_of(model, target, (name,)), model.weights)
    mostly = max(open_of, key=lambda kind: open_of[kind])
    return mostly if share >= NARROWED else "limit", share
