"""What a finished unit says about itself: the content of `record.json` and of one line of `curve.jsonl`.

A value that a task cannot give is null, and `nulls` says why. No number is NaN.
"""

from typing import Any, Literal, NotRequired, TypedDict

FORMAT = 1
"""Version of the store's layout and of these records; a store with a higher one is refused."""


class Metric(TypedDict):
    """One measured number."""

    name: str
    split: str
    at: str  # final | early-stop | last-100
    value: float | None
    direction: Literal["max", "min"]
    step: int


class LayerCount(TypedDict):
    """Counts of one parameter or one group of parameters."""

    all: int
    prunable: int
    kept: int  # of the prunable ones


class Counts(TypedDict):
    """How many numbers the network has, and how many are left."""

    all: int  # every parameter, tied ones once
    weights: int  # parameters of two or more dimensions, exempt ones included: the papers' denominator
    prunable: int
    kept: int  # of the prunable ones
    kept_weights: int
    kept_all: int
    level_asks: int  # how many prunable weights the level leaves, exactly
    layers: dict[str, LayerCount]
    groups: dict[str, LayerCount]
    collapsed: list[str]  # prunable layers without a single weight


class Digests(TypedDict):
    """What two records of one unit are compared by."""

    result: str  # over metrics, curve, mask and weights: never times or commits
    curve: str
    mask: str
    weights: str
    items: NotRequired[str]  # of `Record.items`; beside the result, as a signature tells versions
    files: NotRequired[dict[str, str]]  # file name -> sha256 of its bytes; added when the record is committed


class Items(TypedDict):
    """What a score that is no mean over test items was computed from, so that a table can resample them."""

    metric: Literal["bleu"]
    split: str
    signature: str  # in full, with the version of what computed it
    statistics: list[str]  # per item: tokens of the output, of the reference, matched n-grams of order 1, 2, 3, 4


class Record(TypedDict):
    """`record.json`."""

    format: int
    unit_id: str
    spec: dict[str, Any]  # Unit.spec(): the whole task and method embedded
    status: Literal["ok", "diverged"]
    reason: str | None  # why it diverged
    metrics: list[Metric]
    items: NotRequired[Items]  # of the final evaluation, from learners that keep them
    counts: Counts
    density: float  # kept / prunable weights of the whole network
    density_weights: float  # the papers' P_m as a fraction
    density_total: float
    effective_density: float | None
    flops: float | None  # multiply-adds of one example
    flops_dense: float | None
    nulls: dict[str, str]  # column -> why it is null
    steps: int  # trained by this unit, in the task's budget unit
    updates: int  # optimizer updates made by this unit
    search_cost: int  # updates spent to obtain this point, ancestors included
    env_steps: int | None
    overlap: float | None  # share of the ticket's (parent's) kept weights that this mask keeps, for controls
    wall_seconds: float
    peak_memory_bytes: int  # of the worker process, so far
    parents: dict[str, str]  # unit id of a parent -> its result digest
    provenance: dict[str, Any]  # commit, versions, device, threads, start, end
    digests: Digests


class CurvePoint(TypedDict):
    """One line of `curve.jsonl`: split -> metric -> value at a step."""

    step: int
    updates: int
    metrics: dict[str, dict[str, float]]


class Measurement(TypedDict):
    """What somebody else found of a claimed score: one line of a `measured/*.jsonl` file."""

    unit_id: str
    how: Literal["replay", "retrain"]  # evaluated from the stored weights, or trained again
    metric: str
    split: str
    claimed: float | None  # the record's final score
    measured: float | None  # None: it diverged
    equal: bool  # whether the whole curve (replay: its last point) is the same to the bit
    provenance: dict[str, Any]  # of who measured


def metric_of(record: Record, metric: str | None = None, at: str | None = None) -> Metric | None:
    """One measurement of a record on the split where its task scores.

    Args:
        record: of any status.
        metric: name; the task's own, if None.
        at: where it was read; the headline, if None.

    Returns:
        None if it was not measured, as where training diverged.
    """
    task = record["spec"]["task"]
    wanted = (metric or task["metric"], task["split"], at or task["at"][0])
    return next((m for m in record["metrics"] if (m["name"], m["split"], m["at"]) == wanted), None)


def score_of(record: Record, metric: str | None = None, at: str | None = None) -> float | None:
    """Its value; None as well where a task cannot give it."""
    measured = metric_of(record, metric, at)
    return measured["value"] if measured else None
