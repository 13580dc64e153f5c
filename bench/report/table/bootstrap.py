"""The noise of the test set, seed by seed: a paired bootstrap over test items, beside the interval over seeds.

It never stands instead of that interval. It says what another test set could have shown of the same two networks;
only the seeds say what another training could have given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.record import MOST_ITEMS, Items, Record
from bench.report.table.arms import Arm, Comparison
from bench.report.table.rows import OPPONENTS, TICKET, Section
from bench.spec import DENSE, Scale, Task

RESAMPLES = 1_000
SEED = 12345
"""sacreBLEU's own number of resamples and seed, so that its paired test draws the same."""

ORDER = 4
"""The longest n-grams of BLEU."""

LARGEST = 2**31
"""Of a count, so that sums of them are whole numbers still."""
BLOCK = 2**24
"""Numbers of resamples that are held at once: many test items must not take the memory."""

UNREADABLE, UNLIKE = "unreadable test items", "not the same test items"
"""Instead of a comparison: a record may be anybody's, and the others are shown whatever it tells."""

Floats = NDArray[np.float64]
Scores = tuple[float, Floats]
"""On the test set, and on every resample of it."""
Pair = tuple[Record, Record]
"""Two records of one seed that keep their items: an arm's, and its opponent's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """Two networks of one seed, compared on resampled test items.

    Args:
        difference: of the score on the test set itself, positive where the method is better than its opponent.
        low: 2.5th percentile of the difference over the resamples.
        high: 97.5th percentile.
        p: of no difference, as sacreBLEU's paired bootstrap computes it: at least 1 / 1,001.
        items: number of test items.
    """

    task: str
    scale: Scale
    method: str
    level: int
    opponent: str
    seed: int
    metric: str
    split: str
    difference: float
    low: float
    high: float
    p: float
    items: int
    resamples: int = RESAMPLES
    bootstrap_seed: int = SEED


COLUMNS = tuple(item.name for item in fields(Resampled))


def resampled(comparison: Comparison, arms: tuple[Arm, ...]) -> Iterator[Resampled]:
    """The arms against their opponents, at every seed for which both records have the same items, as a learner writes them.

    Args:
        comparison: holds the opponents.
        arms: those that are shown.
    """
    return (row for _, row in _compared(comparison, arms) if isinstance(row, Resampled))


def cells(section: Section) -> list[tuple[str, ...]]:
    """The ticket against its controls, a column per seed, the header first; empty if no record keeps its items."""
    tickets = tuple(arm for arm in section.arms if arm.method == TICKET and arm.installed)
    found: dict[tuple[int, str], dict[int, str]] = {}
    for (record, other), row in _compared(section.comparison, tickets):
        opponent, spec = other["spec"]["method"]["name"], record["spec"]
        if opponent != DENSE:
            text = row if isinstance(row, str) else f"{row.difference:+.1f} [{row.low:+.1f}, {row.high:+.1f}]"
            found.setdefault((spec["level"], opponent), {})[spec["seed"]] = text
    seeds = sorted({seed for texts in found.values() for seed in texts})
    lines = [
        (TICKET, str(level), opponent, *(texts.get(seed, "") for seed in seeds))
        for (level, opponent), texts in found.items()
    ]
    return [("bootstrap", "level", "against", *(f"seed {seed}" for seed in seeds)), *lines] if lines else []


def _compared(comparison: Comparison, arms: tuple[Arm, ...]) -> Iterator[tuple[Pair, Resampled | str]]:
    """Every pair, compared, or why it cannot be."""
    known: dict[str, Scores | None] = {}

    def scores(record: Record) -> Scores | None:
        if record["unit_id"] not in known:
            known[record["unit_id"]] = _scores(record)
        return known[record["unit_id"]]

    for pair in _pairs(comparison, arms):
        own, other = map(scores, pair)
        if own is None or other is None:
            yield pair, UNREADABLE
        elif len({len(record["items"]["statistics"]) for record in pair}) > 1:
            yield pair, UNLIKE
        else:
            yield pair, _row(comparison.task, pair, own, other)


def _pairs(comparison: Comparison, arms: tuple[Arm, ...]) -> Iterator[Pair]:
    for arm in arms:
        for method in OPPONENTS.values():
            opponent = None if method == arm.method else comparison.arm(method, arm.level)
            for seed, record in arm.records.items():
                other = opponent.records.get(seed) if opponent else None
                if other and "items" in record and "items" in other:
                    yield record, other


def _row(task: Task, pair: Pair, own: Scores, other: Scores) -> Resampled:
    record, opponent = pair
    (mine, many), (theirs, others) = own, other
    items = record["items"]
    low, high = np.percentile(many - others, (2.5, 97.5))
    return Resampled(
        task=task.name,
        scale=task.scale,
        method=record["spec"]["method"]["name"],
        level=record["spec"]["level"],
        opponent=opponent["spec"]["method"]["name"],
        seed=record["spec"]["seed"],
        metric=items["metric"],
        split=items["split"],
        difference=mine - theirs,
        low=float(low),
        high=float(high),
        p=p_value(many - others, mine - theirs),
        items=len(items["statistics"]),
    )


def p_value(differences: Floats, difference: float) -> float:
    """How often resampling alone moves the absolute difference up by more than it is (sacreBLEU 2.6, paired bootstrap).

    Args:
        differences: (resamples,).
        difference: on the test set itself.
    """
    sizes = np.abs(differences)
    extreme = np.count_nonzero(sizes - sizes.mean() > abs(difference))
    return float(extreme + 1) / (len(sizes) + 1)


def _scores(record: Record) -> Scores | None:
    """None if its items are not what a learner writes."""
    try:
        counts = statistics(record["items"])
    except ValueError:
        return None
    return float(bleu(counts.sum(0))), bleu(resampled_sums(counts))


def statistics(items: Items) -> Floats:
    """(items, 10): tokens of output and reference, matched n-grams of each order, n-grams of each order of the output.

    Raises:
        ValueError: if they are not such numbers.
    """
    if items["metric"] != "bleu":
        raise ValueError(f"they are of {items['metric']!r}, not of bleu")
    if len(items["statistics"]) > MOST_ITEMS:
        raise ValueError(f"they are more than {MOST_ITEMS:,}")
    told = np.array([line.split() for line in items["statistics"]], dtype=np.float64)
    if told.ndim != 2 or told.shape[1] != 2 + ORDER or not ((told >= 0) & (told <= LARGEST)).all():
        raise ValueError(f"not {2 + ORDER} counts an item")
    return np.hstack([told, np.maximum(told[:, :1] - np.arange(ORDER), 0)])


def bleu(sums: Floats) -> Floats:
    """BLEU (0-100) from summed statistics: sacreBLEU's, where each order without a match is counted as 1/2, 1/4 ... of one.

    Args:
        sums: (..., 10), as the rows of `statistics`.

    Returns:
        (...); 0 where nothing matches, or no output is as long as the longest n-gram.
    """
    output, reference, matched, possible = np.split(sums, (1, 2, 2 + ORDER), axis=-1)
    halvings = np.cumsum(matched == 0, axis=-1)
    defined = (possible > 0).all(-1) & (matched > 0).any(-1)
    precision = np.where(matched > 0, matched, 0.5**halvings) / np.where(possible > 0, possible, 1)
    shortness = np.minimum(0, 1 - reference / np.where(output > 0, output, 1))[..., 0]
    score: Floats = np.where(defined, 100 * np.exp(shortness + np.log(precision).mean(-1)), 0.0)
    return score


def resampled_sums(counts: Floats) -> Floats:
    """(resamples, columns): of the rows of each resample.

    Args:
        counts: (items, columns).
    """
    return np.concatenate([draws @ counts for draws in _draws(len(counts))])


def _draws(n: int) -> Iterable[Floats]:
    """(resamples, n), in blocks of rows: how often each of n items is in each resample."""
    return _kept(n) if RESAMPLES * n <= BLOCK else _blocks(n)


@lru_cache(maxsize=2)
def _kept(n: int) -> tuple[Floats, ...]:
    return tuple(_blocks(n))


def _blocks(n: int) -> Iterator[Floats]:
    generator, rows = np.random.default_rng(SEED), max(1, BLOCK // n)
    for first in range(0, RESAMPLES, rows):
        drawn = generator.choice(n, size=(min(rows, RESAMPLES - first), n), replace=True)
        drawn += n * np.arange(len(drawn))[:, None]
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)
