import pytest

from bench.errors import UnknownName
from domains.nlp import border
from domains.nlp.schedule import Schedule

SQRT = Schedule.of({"schedule": "inverse-sqrt", "rate": 5e-4, "warmup": 4_000}, budget=50_000)


def test_it_is_fairseqs_inverse_square_root():
    """5e-4 at the end of 4,000 updates of warm-up from 1e-7; half of it after four times as many."""
    assert SQRT.at(0) == 1e-7
    assert SQRT.at(2_000) == pytest.approx((5e-4 + 1e-7) / 2)
    assert SQRT.at(4_000) == 5e-4
    assert SQRT.at(16_000) == pytest.approx(2.5e-4)
    assert not SQRT.is_constant


def test_it_equals_fairseqs_scheduler_at_every_update():
    from argparse import Namespace

    with border.quietly():
        from fairseq.optim.lr_scheduler.inverse_square_root_schedule import InverseSquareRootSchedule

    class Optimizer:
        def set_lr(self, rate):
            self.rate = rate

        def get_lr(self):
            return self.rate

    config = Namespace(lr=[2e-3], warmup_updates=30, warmup_init_lr=1e-7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fairseq.optim.lr_scheduler.fairseq_lr_scheduler.FairseqOptimizer", Optimizer)
        theirs = InverseSquareRootSchedule(config, Optimizer())
    ours = Schedule.of({"schedule": "inverse-sqrt", "rate": 2e-3, "warmup": 30}, budget=200)
    for step in range(200):
        assert ours.at(step) == pytest.approx(theirs.step_update(step))


def test_a_restart_warms_up_again():
    assert [SQRT.at(1_000 + step, origin=1_000) for step in (0, 4_000, 16_000)] == [
        SQRT.at(step) for step in (0, 4_000, 16_000)
    ]


@pytest.mark.parametrize("origin", [0, 1_000])
def test_beyond_the_budget_the_rate_is_that_of_its_last_update(origin):
    """What trains on at the last learning rate trains there; fairseq's own goes on falling."""
    last = SQRT.at(49_999, origin)
    assert last == 5e-4 * (4_000 / (49_999 - origin)) ** 0.5 < SQRT.at(49_998, origin)
    assert {SQRT.at(step, origin) for step in (50_000, 50_001, 99_000)} == {last}


def test_a_constant_rate_is_constant():
    schedule = Schedule.of({"schedule": "constant", "rate": 1e-3}, budget=100)
    assert schedule.is_constant
    assert {schedule.at(step) for step in (0, 10, 10_000)} == {1e-3}


def test_an_unknown_schedule_names_those_that_exist():
    with pytest.raises(UnknownName, match="known are constant, inverse-sqrt"):
        Schedule.of({"schedule": "cosine", "rate": 1.0}, budget=1)
