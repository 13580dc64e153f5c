"""The verdicts on what is published: the table is right, and no verdict depends on what else was asked."""

from pathlib import Path

import pytest

from bench.report.claims.definitions import load_claims
from bench.report.claims.verdicts import judge
from bench.report.published import read

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module", name="records")
def published_records():
    return [record for suite in read(ROOT / "results" / "records").values() for record in suite]


def test_a_claim_alone_says_what_the_table_says(records):
    rows = (ROOT / "results" / "tables" / "claims.md").read_text(encoding="utf-8").splitlines()
    table = {
        cells[1].strip(): cells for cells in (row.split(" | ") for row in ("| | " + r[2:] for r in rows if "|" in r))
    }
    small = {claim.id: claim for claim in load_claims() if claim.scale == "small"}
    asked = {verdict: name for name, (_, _, verdict, scale, *_) in table.items() if scale == "small" and name in small}
    for name in (asked[verdict] for verdict in ("holds", "fails", "inconclusive")):
        (alone,) = judge([small[name]], records)
        _, _, verdict, scale, _, _, n, p, *_ = table[name]
        told = "" if alone.p is None else f"{alone.p:.2g}"
        assert (alone.status, alone.scale, str(alone.interval.n), told) == (verdict, scale, n, p)


def test_the_interval_of_a_decided_claim_clears_its_threshold(records):
    verdicts = judge(load_claims(), records)
    decided = [v for v in verdicts if v.status in ("holds", "fails") and v.claim.test != "exact"]
    assert len(decided) > 10
    for verdict in decided:
        claim, limits = verdict.claim, verdict.interval
        assert verdict.p < 0.05
        if limits.low is None:  # equal values, of which their signs tell
            assert verdict.signs < 0.05
            continue
        margins = {"not-worse": (-1,), "equivalent": (-1, 1)}.get(claim.test)
        for threshold in (claim.threshold,) if margins is None else (sign * claim.margin for sign in margins):
            assert not limits.low <= threshold <= limits.high, claim.id
