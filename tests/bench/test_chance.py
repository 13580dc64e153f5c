"""What chance gives a mask: against scipy's distribution, against counting, and never an accusation too many."""

import itertools
import math
import time

import numpy as np
import pytest
from scipy import stats

from bench.chance import LARGEST_EXACT, Draw, moments, p_value


@pytest.mark.parametrize(
    "draw", [Draw(50, 20, 13), Draw(64, 32, 32), Draw(1000, 30, 900), Draw(7, 7, 3), Draw(9, 0, 4), Draw(1, 1, 1)]
)
def test_of_one_layer_it_is_the_hypergeometric_test(draw):
    law = stats.hypergeom(draw.size, draw.marked, draw.drawn)
    low, high = law.support()
    for hits in range(int(low), int(high) + 1):
        tails = law.cdf(hits), law.sf(hits - 1)
        assert p_value([draw], hits) == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9, abs=1e-300)


def test_of_several_layers_every_draw_is_counted():
    """Brute force: all masks of two small layers, each as likely as any other."""
    draws, marked = [Draw(5, 2, 3), Draw(4, 3, 1)], [{0, 1}, {0, 1, 2}]
    layers = [itertools.combinations(range(draw.size), draw.drawn) for draw in draws]
    hits = [
        sum(len(marks & set(mask)) for marks, mask in zip(marked, masks, strict=True))
        for masks in itertools.product(*layers)
    ]
    for told in set(hits):
        tails = np.mean([each <= told for each in hits]), np.mean([each >= told for each in hits])
        assert p_value(draws, told) == pytest.approx(min(1.0, 2 * min(tails)))
    assert moments(draws) == pytest.approx((np.mean(hits), np.var(hits)))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_moments_of_the_smallest_layers_are_counted_without_a_warning(size):
    for marked, drawn in itertools.product(range(size + 1), repeat=2):
        hits = [len(set(range(marked)) & set(mask)) for mask in itertools.combinations(range(size), drawn)]
        assert moments([Draw(size, marked, drawn)]) == pytest.approx((np.mean(hits), np.var(hits)))


def test_what_no_draw_gives_has_no_chance():
    assert p_value([Draw(10, 5, 5)], 6) == 0
    assert p_value([Draw(10, 8, 5)], 2) == 0
    assert p_value([Draw(10, 5, 5)], -1) == 0
    assert p_value([Draw(100_000, 20_000, 8_000)], 8_001) == 0


def test_layers_without_weights_and_no_layers_tell_nothing():
    assert p_value([Draw(0, 0, 0), Draw(10, 5, 5)], 2) == p_value([Draw(10, 5, 5)], 2)
    assert p_value([], 0) == 1
    assert moments([Draw(0, 0, 0), Draw(1, 1, 1)]) == (1.0, 0.0)
    assert moments([Draw(1, 1, 1), Draw(10, 5, 5)]) == pytest.approx((3.5, 25 / 36))


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
            assert p_value([draw], hits) >= min(1.0, exact) * (1 - 1e-9)
    far = round(law.mean() + 7 * law.std())
    assert p_value([draw], far) < 1e-6, "and it accuses at seven standard deviations"
    assert p_value([Draw(100_000, 10_000, 10_000)], 1_000) == 1, "nothing is nearer than the mean"
    bound = 2 * math.exp(-(200**2) / 2 / (law.var() + 200 / 3))
    assert p_value([draw], round(law.mean()) - 200) == pytest.approx(min(1.0, bound), rel=0.02)


def test_many_large_layers_are_no_way_to_stop_the_clock():
    begun = time.perf_counter()
    assert p_value([Draw(100_000, LARGEST_EXACT, LARGEST_EXACT)] * 2000, 320_000) > 0.1
    assert time.perf_counter() - begun < 5


def test_where_chance_leaves_nothing_open_it_is_one_and_never_more():
    assert p_value([Draw(5000, 5000, 5000)], 5000) == 1.0
    assert p_value([Draw(20_000, 10_000, 10_000)], 5001) == 1.0


def test_the_exact_sum_is_used_up_to_its_limit():
    draw = Draw(3 * LARGEST_EXACT, LARGEST_EXACT, LARGEST_EXACT)
    law, hits = stats.hypergeom(*draw), LARGEST_EXACT // 3 + 100
    assert p_value([draw], hits) == pytest.approx(2 * law.sf(hits - 1), rel=1e-6)
