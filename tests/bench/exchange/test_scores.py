"""Recorded numbers are those of the curve, read as the method prunes."""

from types import SimpleNamespace

import pytest
from specs import LENET

from bench.exchange.checks.scores import recomputed
from bench.exchange.installed import NOTHING_PROMISED
from bench.tickets.columns import columns
from bench.tickets.measurements.metrics import metrics
from bench.tickets.methods import METHODS

CURVE = [
    {
        "step": step,
        "updates": step,
        "metrics": {split: {"accuracy": 90.0 + step, "loss": step / 100} for split in ("val", "test")},
    }
    for step in range(LENET.evaluate_every, LENET.budget + 1, LENET.evaluate_every)
]


def findings(method, *, settled, installed=True, options=None):
    given = METHODS[method].options if options is None else options
    record = {
        "steps": LENET.budget,
        "reason": None,
        "metrics": metrics(LENET, CURVE, steps=LENET.budget, diverged=False, settled=settled),
    }
    entry = SimpleNamespace(
        record=record,
        curve=CURVE,
        diverged=False,
        unit=SimpleNamespace(task=LENET, method=SimpleNamespace(options=given)),
        columns=columns(METHODS[method]) if installed else NOTHING_PROMISED,
    )
    return list(recomputed(None, entry))


def test_an_early_stop_before_the_last_cut_is_that_of_another_network():
    end = METHODS["gmp"].options["end"] * LENET.budget
    assert not findings("gmp", settled=end)
    assert "(early-stop) differs" in findings("gmp", settled=0)[0]
    assert not findings("rigl", settled=0)
    assert "(early-stop) differs" in findings("rigl", settled=end)[0]


def test_what_is_not_installed_here_may_prune_while_it_trains():
    for settled in (0, METHODS["gmp"].options["end"] * LENET.budget):
        assert not findings("gmp", settled=settled, installed=False)
    assert findings("gmp", settled=LENET.budget, installed=False)


@pytest.mark.parametrize("end", ["a", [0] * 9, None, {}])
def test_an_end_that_is_no_number_is_the_last_step(end):
    assert not findings("gmp", settled=LENET.budget, options={"end": end})
