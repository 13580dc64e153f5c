"""How long 10,000 records take to become a table."""

import json
from itertools import product

import many

from bench.report.table.rows import rows
from bench.tickets.methods import METHODS

LIMIT = 1.5
"""Seconds; several times what a slow core needs."""


def test_ten_thousand_records(benchmark):
    arms = list(METHODS)[1:21]
    asked = product(map(many.task, range(5)), arms, range(1, 11), range(10))
    # no dictionary is shared between two of them, as if just read
    records = [json.loads(json.dumps(many.record(*each))) for each in asked]
    assert len(records) == 10_000
    found = benchmark.pedantic(rows, args=(records,), rounds=3)
    assert sum(row.n for row in found if row.metric == "accuracy") == len(records)
    assert benchmark.stats is None or benchmark.stats.stats.min < LIMIT
