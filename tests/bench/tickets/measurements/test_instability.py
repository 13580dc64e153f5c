"""What lies between two copies of one ticket."""

import pytest
import torch
from example import MOONS, Moons

from bench.errors import Diverged
from bench.streams import Streams
from bench.tickets.measurements.instability import POINTS, between


class Straight(Moons):
    """Whose metric is the weight that it has, so that all is known between two of them."""

    def __init__(self):
        super().__init__(MOONS, Streams(0), 1.0)
        self.estimated = []

    def reestimate(self):
        self.estimated.append(self.weight)
        self.module[1].running_mean.fill_(self.weight)

    @property
    def weight(self):
        return float(self.module[0].weight.detach()[0, 0])

    def evaluate(self, split):
        assert split == "test"
        return {"accuracy": self.weight, "mean": float(self.module[1].running_mean[0])}


def at(value, learner):
    state = learner.snapshot()
    state.weights["0.weight"].fill_(value)
    return state


def test_metrics_are_read_at_even_steps_from_the_twin_to_the_learner_with_statistics_of_each_point():
    learner = Straight()
    learner.load(at(3.0, learner))
    learner.step = 40
    before = learner.snapshot()
    found = between(learner, at(1.0, learner), "test")
    assert found["accuracy"] == pytest.approx([1 + 2 * place / (POINTS - 1) for place in range(POINTS)])
    assert (found["accuracy"][0], found["accuracy"][-1]) == (1.0, 3.0)
    assert found["mean"] == learner.estimated == found["accuracy"]
    after = learner.snapshot()
    assert after.step == 40
    for one, other in ((before.weights, after.weights), (before.buffers, after.buffers)):
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300])
def test_a_line_with_a_number_that_no_record_holds_is_none(value):
    class Reports(Straight):
        def evaluate(self, split):
            return {"accuracy": value if self.weight > 2 else self.weight}

    learner = Reports()
    learner.load(at(1.0, learner))
    assert between(learner, at(4.0, learner), "test") is None


def test_a_line_that_leads_through_infinity_is_none_and_the_learner_is_as_it_was():
    class Explodes(Straight):
        def evaluate(self, split):
            if self.weight > 2:
                raise Diverged(self.step, "the loss")
            return super().evaluate(split)

    learner = Explodes()
    learner.load(at(1.0, learner))
    assert between(learner, at(4.0, learner), "test") is None
    assert learner.weight == 1.0
