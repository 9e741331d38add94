"""Random numbers: the published vectors, and one value in all three forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kstest

from bench.sim.engine import rng
from bench.sim.engine.jit import pure
from tests.bench import draws

# The known answers of Random123 for philox4x32-10: key, counter, result.
VECTORS = [
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0xA4093822, 0x299F31D0),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
LAWS = [(rng.DETERMINISTIC, 5, 0), (rng.UNIFORM, 10, 1000), (rng.EXPONENTIAL, 10**6, 0)]
LAWS += [(rng.TWO_EXPONENTIALS, 10, 10**9)]


@pytest.mark.parametrize(("key", "counter", "words"), VECTORS)
def test_the_known_answers(key: tuple[int, int], counter: tuple[int, int, int, int], words: tuple[int, ...]) -> None:
    assert rng.philox(*key, *counter) == words
    assert pure(rng.philox)(*key, *counter) == words
    arrays = pure(rng.philox)(*key, *(np.array([word], dtype=np.int64) for word in counter))
    assert tuple(int(word[0]) for word in arrays) == words


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_a_uniform_is_the_same_in_all_forms(seed: int) -> None:
    entities = [0, 1, 2**32 - 1, 2**32, 2**48 - 1]
    numbers = [0, 1, 2, 2**33, 2**63 - 1]
    table = rng.uniforms(seed, 2**16 - 1, np.array(entities)[:, None], np.array(numbers))
    for row, entity in enumerate(entities):
        for column, number in enumerate(numbers):
            value = pure(rng.uniform)(seed, 2**16 - 1, entity, number)
            assert value == rng.uniform(seed, 2**16 - 1, entity, number) == table[row, column]
            assert 0 < value < 1
    assert len(np.unique(table)) == table.size


def test_every_argument_changes_the_draw() -> None:
    values = {rng.uniform(*key) for key in [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2)]}
    values |= {rng.uniform(1 + (1 << 32), 1, 1, 1), rng.uniform(1, 1, 1 + (1 << 32), 1)}
    assert len(values) == 7


def test_the_ends_of_the_unit_interval_are_not_reached() -> None:
    top = 0xFFFFFFFF
    assert pure(rng.unit)(0, 0) == 2.0**-53
    assert pure(rng.unit)(top, top) == 1 - 2.0**-53


def test_uniforms_are_uniform_and_neighbours_independent() -> None:
    found = rng.uniforms(7, 3, np.arange(200)[:, None], np.arange(100))
    assert kstest(found.ravel(), "uniform").pvalue > 0.001
    for one, other in ((found[:, 1:], found[:, :-1]), (found[1:], found[:-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03


@pytest.mark.parametrize(
    ("seed", "purpose", "entity", "number"),
    [(-1, 0, 0, 0), (2**63, 0, 0, 0), (0, 2**16, 0, 0), (0, -1, 0, 0), (0, 0, 2**48, 0), (0, 0, -1, 0), (0, 0, 0, -1)],
)
def test_a_value_outside_its_range_is_refused(seed: int, purpose: int, entity: int, number: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        rng.uniforms(seed, purpose, entity, number)


def test_a_stream_is_the_draws_of_one_entity() -> None:
    expected = rng.uniforms(5, 6, 7, np.arange(10, 30))
    assert draws.stream(5, 6, 7, first=10, count=20).tolist() == expected.tolist()
    with pytest.raises(ValueError, match="even"):
        draws.stream(5, 6, 7, first=1, count=20)


def test_the_logarithm_is_right_to_the_last_place_and_the_same_in_all_forms() -> None:
    values = np.concatenate([rng.uniforms(1, 1, 1, np.arange(3000)), [2.0**-53, 1 - 2.0**-53, 0.5, 1.0, 3e17]])
    in_numpy = rng.logs(values)
    for value, found in zip(values.tolist(), in_numpy.tolist(), strict=True):
        assert pure(rng.log)(value) == rng.log(value) == found
        assert abs(found - math.log(value)) <= math.ulp(found)


@pytest.mark.parametrize("law", LAWS)
def test_a_variate_is_the_same_in_all_forms(law: tuple[int, int, int]) -> None:
    count = 2 * draws.PART // 2 + 100
    u = rng.uniforms(3, 9, 4, np.arange(count))
    found = rng.variates(*law, u)
    parts = np.concatenate(list(draws.variate_parts(*law, seed=3, purpose=9, entity=4, count=count)))
    assert parts.tolist() == found.tolist()
    for place in range(50):
        value = float(u[place])
        assert rng.variate(*law, value) == pure(rng.variate)(*law, value) == found[place]


def test_variates_follow_their_laws() -> None:
    u = rng.uniforms(11, 1, 0, np.arange(20_000))
    assert kstest(rng.variates(rng.EXPONENTIAL, 10**9, 0, u), "expon", args=(0, 1e9)).pvalue > 0.001
    assert kstest(rng.variates(rng.UNIFORM, 10**6, 3 * 10**6, u), "uniform", args=(1e6, 2e6)).pvalue > 0.001
    both = rng.variates(rng.TWO_EXPONENTIALS, 10**6, 9 * 10**6, u)
    assert both.mean() == pytest.approx(5e6, rel=0.03)
    assert np.mean(both.astype(float) ** 2) == pytest.approx(1e12 + 81e12, rel=0.06)
