"""Whether a mask was drawn by chance: honest draws pass, and borrowed masks do not."""

import numpy as np
import pytest

from bench.chance import Draw, p_value
from bench.exchange.checks.chance import FALSE_ALARM

LENET = {"fc1": 784 * 300, "fc2": 300 * 100, "fc3": 100 * 10}


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
        found.append(p_value(draws, int((mine & ticket).sum())))
        share = p_value([Draw(2 * size, 2 * keep, size)], int(mine[0].sum()))
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
    assert (p_value(draws, hits) < FALSE_ALARM) == (share > 0)


def test_a_mask_that_avoids_the_ticket_is_accused_too():
    assert p_value([Draw(400, 100, 100)], 0) < FALSE_ALARM
    assert p_value([Draw(400, 100, 100)], 25) > 0.5
