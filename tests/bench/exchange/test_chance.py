"""Whether a mask was drawn by chance: the p-values are right, honest draws pass, and borrowed masks do not."""

import time

import numpy as np
import pytest
from scipy import stats

from bench.exchange.checks import chance
from bench.exchange.checks.chance import FALSE_ALARM, LARGEST_EXACT, Draw, surprise

LENET = {"fc1": 784 * 300, "fc2": 300 * 100, "fc3": 100 * 10}


@pytest.mark.parametrize(
    "draw", [Draw(50, 20, 13), Draw(64, 32, 32), Draw(1000, 30, 900), Draw(7, 7, 3), Draw(9, 0, 4)]
)
def test_of_one_layer_it_is_scipys_hypergeometric_test(draw):
    law = stats.hypergeom(draw.size, draw.marked, draw.drawn)
    low, high = law.support()
    for hits in range(int(low), int(high) + 1):
        tails = law.cdf(hits), law.sf(hits - 1)
        assert surprise([draw], hits) == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9, abs=1e-300)


def test_of_several_layers_it_is_that_of_the_sum():
    draws = [Draw(20, 8, 5), Draw(30, 3, 10), Draw(6, 6, 2)]
    laws = [stats.hypergeom(*each) for each in draws]
    total = np.ones(1)
    for law, draw in zip(laws, draws, strict=True):
        total = np.convolve(total, law.pmf(np.arange(draw.drawn + 1)))
    for hits in range(2, 11):
        tails = total[: hits + 1].sum(), total[hits:].sum()
        assert surprise(draws, hits) == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9)


def test_what_no_draw_gives_has_no_chance():
    assert surprise([Draw(10, 5, 5)], 6) == 0
    assert surprise([Draw(10, 8, 5)], 2) == 0
    assert surprise([Draw(10, 5, 5)], -1) == 0


def test_layers_without_weights_and_no_layers_tell_nothing():
    assert surprise([Draw(0, 0, 0), Draw(10, 5, 5)], 2) == surprise([Draw(10, 5, 5)], 2)
    assert surprise([], 0) == 1


@pytest.mark.parametrize(
    "draw", [Draw(100_000, 20_000, 8_000), Draw(40_000, 5_000, 38_000), Draw(235_200, 4_100, 4_100)]
)
def test_of_large_layers_it_never_accuses_more_than_the_exact_test(draw):
    """Bernstein's inequality is an upper bound of the exact p-value, at every distance."""
    assert min(draw.marked, draw.drawn) > LARGEST_EXACT
    law = stats.hypergeom(draw.size, draw.marked, draw.drawn)
    for sigmas in (0, 0.5, 1, 2, 4, 5, 6, 8, 10):
        for sign in (1, -1):
            hits = round(law.mean() + sign * sigmas * law.std())
            exact = law.cdf(hits) if sign < 0 else law.sf(hits - 1)
            assert surprise([draw], hits) >= min(1.0, exact) * (1 - 1e-9)
    far = round(law.mean() + 10 * law.std())
    assert surprise([draw], far) < FALSE_ALARM, "and it accuses at ten standard deviations"


def test_small_and_large_layers_together_are_bounded_too():
    draws = [Draw(100_000, 20_000, 8_000), Draw(1000, 300, 300)]
    mean, spread = sum(each.mean for each in draws), sum(each.variance for each in draws) ** 0.5
    assert surprise(draws, round(mean)) > 0.9
    assert surprise(draws, round(mean + 10 * spread)) < FALSE_ALARM


def test_the_variance_is_scipys():
    for draw in (Draw(50, 20, 13), Draw(100_000, 20_000, 8_000)):
        law = stats.hypergeom(draw.size, draw.marked, draw.drawn)
        assert draw.mean == pytest.approx(law.mean())
        assert draw.variance == pytest.approx(law.var())
    assert Draw(1, 1, 1).variance == 0


def test_many_large_layers_are_no_way_to_stop_the_clock():
    begun = time.perf_counter()
    surprise([Draw(100_000, LARGEST_EXACT, LARGEST_EXACT)] * 2000, 320_000)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(("size", "keep"), [(64, 40), (400, 60), (3000, 200)])
def test_a_thousand_honest_draws_are_not_accused_and_their_p_values_are_spread(size, keep):
    """Against one fixed ticket, in two layers, as the check counts them."""
    generator = np.random.default_rng(1)
    ticket = generator.random((2, size)).argsort(axis=1) < keep
    found = []
    for _ in range(1000):
        chosen = generator.permutation(2 * size)[: 2 * keep]
        mine = np.zeros(2 * size, bool)
        mine[chosen] = True
        mine = mine.reshape(2, size)
        draws = [Draw(size, int(a.sum()), int(b.sum())) for a, b in zip(ticket, mine, strict=True)]
        found.append(surprise(draws, int((mine & ticket).sum())))
        share = surprise([Draw(2 * size, 2 * keep, size)], int(mine[0].sum()))
        assert share > FALSE_ALARM
    assert min(found) > FALSE_ALARM
    for level in (0.01, 0.1, 0.5):
        expected = level * 1000
        assert sum(each <= level for each in found) < expected + 4 * expected**0.5, "an honest p is rarely small"
    assert np.median(found) < 0.9, "and it is no constant"


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_borrowed_mask_is_accused_on_lenet(share):
    """A quarter taken from the ticket is enough, at the level where a tenth of the weights is left."""
    generator = np.random.default_rng(2)
    draws, hits = [], 0
    for size in LENET.values():
        keep = size // 10
        ticket = generator.permutation(size) < keep
        mine = generator.permutation(size) < keep
        borrowed = generator.random(size) < share
        mine = np.where(borrowed, ticket, mine)
        draws.append(Draw(size, keep, int(mine.sum())))
        hits += int((mine & ticket).sum())
    assert (surprise(draws, hits) < FALSE_ALARM) == (share > 0)


def test_a_mask_that_avoids_the_ticket_is_accused_too():
    assert surprise([Draw(400, 100, 100)], 0) < FALSE_ALARM
    assert surprise([Draw(400, 100, 100)], 25) > 0.5


def test_nothing_is_left_of_a_rounding_error():
    assert 0.999 < chance.surprise([Draw(3000, 1500, 1500)], 750) <= 1
