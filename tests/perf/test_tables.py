"""How long 10,000 records take to become a table."""

import json
from itertools import product

from bench.report.tables import rows
from bench.spec import Pruning, Task, Unit
from bench.tickets.methods import METHODS

LIMIT = 1.5
"""Seconds; several times what a slow core needs."""


def test_ten_thousand_records(benchmark):
    arms = list(METHODS)[1:21]
    asked = product(map(_task, range(5)), arms, range(1, 11), range(10))
    records = [_record(task, method, level, seed) for task, method, level, seed in asked]
    assert len(records) == 10_000
    found = benchmark.pedantic(rows, args=(records,), rounds=3)
    assert sum(row.n for row in found) == len(records)
    assert benchmark.stats is None or benchmark.stats.stats.min < LIMIT


def _task(number):
    return Task(
        name=f"vision/toy-{number}",
        scale="small",
        config={"model": {"name": "lenet", "width": [300, 100]}, "optimizer": {"name": "adam", "lr": 0.0012}},
        data={"mnist": "0" * 64},
        budget=1000,
        evaluate_every=100,
        pruning=Pruning(rate=0.2),
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        tolerance=0.01,
        chance=0.1,
        constant_rate=True,
        source="nowhere",
        deviations=("A sentence that says what differs.",) * 3,
    )


def _record(task, method, level, seed):
    """What the table reads of a record, with no dictionary shared between two of them, as if just read."""
    names = ("accuracy", "loss", "top5")
    record = {
        "unit_id": f"{method} {level} {seed}",
        "spec": Unit(task=task, method=METHODS[method], level=level, seed=seed).spec(),
        "status": "ok",
        "metrics": [
            {"name": name, "split": split, "at": "final", "value": 0.9 + seed / 1e3, "direction": "max", "step": 1000}
            for name, split in product(names, ("val", "test"))
        ],
        "counts": {"collapsed": []},
        "density": 0.8**level,
        "density_weights": 0.8**level,
        "density_total": 0.8**level,
        "effective_density": None,
        "flops": 10.0,
        "flops_dense": 20.0,
        "search_cost": 1000 * level,
        "provenance": {"versions": {"ticketbench": "0.1.0", "torch": "2.6.0"}, "end": "2024-01-01"},
        "digests": {"result": "0" * 64},
    }
    return json.loads(json.dumps(record))
