"""What a finished unit says about itself: the content of `record.json`, its curve included.

A value that a task cannot give is null, and `nulls` says why. No number is NaN. Whoever reads one from anybody else reads
it through `bench.schema`, which holds it to these types and their bounds.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NotRequired, TypedDict, TypeVar, cast

import msgspec
from msgspec import Meta

from bench.errors import SpecError
from bench.schema import Amount, Count, Digest, Json, Level, Name, Number, Seed, Share, Text, Time, decode, json_of
from bench.spec import DIGITS, LATER, Direction, Method, Role, Task, Unit

FORMAT: Final = 2
"""Version of the store's layout and of these records; a store with a higher one is refused.

Units of version 1 may stand beside newer ones: they have their curve in `curve.jsonl`, their spec in `spec.json` too, and a
mask file even where nothing is masked.
"""

How = Literal["replay", "retrain"]
"""Evaluated from the stored weights, or trained again."""
SUBMITTED = cast("Role", "submitted")
"""The role that a submitted unit plays for itself when it is measured again; no method names it."""


class Metric(TypedDict):
    """One measured number."""

    name: Name
    split: Name
    at: Name  # final | early-stop | last-100 | 5%, a share of the budget
    value: Number | None
    direction: Direction
    step: Count


RELEVANT, IRRELEVANT = "relevant inputs", "irrelevant inputs"
"""Groups of the weights that read inputs, where it is known which inputs tell something of the task."""


class LayerCount(TypedDict):
    """Counts of one parameter or one group of parameters."""

    all: Count
    prunable: Count
    kept: Count  # of the prunable ones


class Counts(TypedDict):
    """How many numbers the network has, and how many are left."""

    all: Count  # every parameter, tied ones once
    weights: Count  # parameters of two or more dimensions, exempt ones included: the papers' denominator
    prunable: Count
    kept: Count  # of the prunable ones
    kept_weights: Count
    kept_all: Count
    level_asks: Count  # how many prunable weights the level leaves, exactly
    layers: dict[Name, LayerCount]
    groups: dict[Name, LayerCount]
    collapsed: list[Name]  # prunable layers without a single weight


class Digests(TypedDict):
    """What two records of one unit are compared by."""

    result: Digest  # over metrics, curve, mask and weights: never times or commits
    curve: Digest
    mask: Digest
    weights: Digest
    items: NotRequired[Digest]  # of `Record.items`; beside the result, as a signature tells versions
    nodes: NotRequired[Digest]  # of `Record.nodes`, beside the result for the same reason
    fit: NotRequired[Digest]  # of `Record.fit`, likewise
    interpolation: NotRequired[Digest]  # of `Record.interpolation`, likewise
    survival: NotRequired[Digest]  # of `Record.survival`, which earlier records of the same result lack
    files: NotRequired[dict[Name, Digest]]  # file name -> sha256 of its bytes; added when the record is committed


MOST_ITEMS = 20_000
"""Test items of a record, which keeps none of more; a table draws a thousand times as many. WMT's test sets have some 3,000."""


class Items(TypedDict):
    """What a score that is no mean over test items was computed from, so that a table can resample them."""

    metric: Literal["bleu"]
    split: Name
    signature: Text  # in full, with the version of what computed it
    statistics: Annotated[
        list[Text], Meta(max_length=MOST_ITEMS)
    ]  # per item: tokens of the output, of the reference, matched n-grams of order 1, 2, 3, 4


class Survival(TypedDict):
    """How the weights that a mask keeps differed from those that it prunes, in the dense network.

    See `bench.tickets.measurements.survival`.
    """

    initial: Share  # chance that a kept weight began larger in magnitude than a pruned one of its layer: 0.5 if it tells nothing
    movement: Number  # how much farther kept ones moved, in standard deviations of their layer's initial weights


RECOVERED: Final = 0.95
"""The correlation beyond which a student node has recovered a teacher node (1909.13458, code)."""
EARLY: Final = 0.05
"""Share of the budget after which nodes are looked at early."""


class TeacherNodes(TypedDict):
    """The nodes of one hidden layer of a teacher, a list per fact: entry j of each is of node j."""

    fanout: list[Amount]  # norm of the weights from it to the next layer
    dead: list[bool]  # constant on the held-out data: it correlates with nothing, zeros stand there
    correlation_initial: list[Number]  # with its best student, before training; pruned ones included
    correlation_early: list[Number] | None  # after 5 % of the budget; None if training did not get there
    correlation_final: list[Number]
    initial_rank: list[Share | None]  # how its finally best student began: 0 the best of all, 1 the worst; None: dead


class StudentNodes(TypedDict):
    """The nodes of the student's layer at the same height, a list per fact: entry k of each is of node k."""

    fanout_initial: list[Amount]  # before training, before any weight was pruned
    fanout_final: list[Amount]
    kept_in: list[Count]  # weights to it that the mask keeps
    kept_out: list[Count]  # weights from it
    correlation_initial: list[Number]  # with its best teacher node, before training, before any weight was pruned
    teacher_initial: list[Count]  # which one that is
    correlation_final: list[Number]
    teacher_final: list[Count]


class NodeLayer(TypedDict):
    """One hidden layer of a student beside its teacher's.

    Correlations are Pearson's, of activations on the split where the task scores. Numbers are rounded to four significant
    digits, before the digest is taken.
    """

    layer: Name
    teachers: TeacherNodes
    students: StudentNodes


class Provenance(TypedDict, total=False):
    """Where and with what a record was made; what could make another machine round otherwise."""

    commit: Text | None
    versions: dict[Name, Text]
    device: Text
    threads: Count
    stack: Count  # seats of the stack that it was trained in; absent where it was trained by itself
    machine: Text  # system and architecture
    cpu: Text | None  # model
    capability: Text | None  # the instruction set that torch chose: AVX2, AVX512, ...
    start: Time
    end: Time


if TYPE_CHECKING:
    Spec = dict[str, Any]
else:

    class Spec(TypedDict):
        """`Unit.spec()`, as JSON."""

        spec_version: Literal[1]  # `bench.spec.SPEC_VERSION`
        task: json_of(Task, later=LATER)
        method: json_of(Method)
        level: Level
        seed: Seed
        parents: dict[Role, Digest]


class Record(TypedDict):
    """`record.json` without its curve: what tables, reports and published files hold by the thousands."""

    format: Literal[1, 2]
    unit_id: Digest
    spec: Spec  # the whole task and method embedded
    status: Literal["ok", "diverged"]
    reason: Text | None  # why it diverged
    imported: NotRequired[Digest]  # sha256 of the ticket file that it came in, without its ancestors
    metrics: list[Metric]
    items: NotRequired[Items]  # of the final evaluation, from learners that keep them
    nodes: NotRequired[list[NodeLayer]]  # at the end of training, lowest layer first, from learners that have a teacher
    fit: NotRequired[
        dict[Name, Number]
    ]  # metrics of examples that were trained on, in the end, from learners that have some
    interpolation: NotRequired[
        dict[Name, list[Number]]
    ]  # metrics at even steps from its twin's weights to its own; see `bench.tickets.measurements.instability`
    survival: NotRequired[Survival]  # of masks that rank trained weights, where the dense states are at hand
    counts: Counts
    density: Share  # kept / prunable weights of the whole network
    density_weights: Share  # the papers' P_m as a fraction
    density_total: Share
    effective_density: Share | None
    flops: Amount | None  # multiply-adds of one example
    flops_dense: Amount | None
    nulls: dict[Name, Text]  # column -> why it is null
    steps: Count  # trained by this unit, in the task's budget unit
    updates: Count  # optimizer updates made by this unit
    search_cost: Count  # updates spent to obtain this point, ancestors included
    env_steps: Count | None
    overlap: Share | None  # share of the ticket's (parent's) kept weights that this mask keeps, for controls
    wall_seconds: Amount
    peak_memory_bytes: Count  # of the worker process, so far
    parents: dict[Digest, Digest]  # unit id of a parent -> its result digest
    provenance: Provenance
    digests: Digests


def grouped(task: Task, layers: Mapping[str, LayerCount]) -> dict[str, LayerCount]:
    """Group of the task -> counts of its layers together."""
    groups: dict[str, LayerCount] = {}
    for name, layer in layers.items():
        if (group := task.group_of(name)) is not None:
            add_counts(groups.setdefault(group, {"all": 0, "prunable": 0, "kept": 0}), layer)
    return groups


def add_counts(total: LayerCount, layer: LayerCount) -> None:
    """Count what a layer has in a total."""
    for key in total:
        total[key] += layer[key]  # type: ignore[literal-required]


Recorded = TypeVar("Recorded", bound=Record)
Defined = TypeVar("Defined", Task, Method)


def decode_record(data: bytes | str, kind: type[Recorded]) -> Recorded:
    """A record from anybody: of its types and bounds, of a task and a method that may be, made at times that there are.

    Its id is that of its spec, and its densities are those of its counts.

    Args:
        data: the JSON.
        kind: `Record`, or what holds more.

    Raises:
        ValueError: in one line, if it is none.
    """
    record = decode(data, kind)
    unit = _unit(record["spec"])
    if record["unit_id"] != unit.id:
        raise ValueError(f"the id of its spec is {unit.id[:DIGITS]}, the record says {record['unit_id'][:DIGITS]}")
    for moment in ("start", "end"):
        _check_time(str(dict(record["provenance"]).get(moment, "")))
    for name, layer in record["counts"]["layers"].items():
        if layer["kept"] > layer["prunable"]:
            raise ValueError(f"{name} keeps {layer['kept']} of {layer['prunable']} prunable weights")
    _check_densities(record)
    return record


def _unit(spec: Spec) -> Unit:
    task, method = (
        _definition(msgspec.json.encode(spec[part]), of) for part, of in (("task", Task), ("method", Method))
    )
    return Unit(task=task, method=method, level=spec["level"], seed=spec["seed"], parents=spec["parents"])


@lru_cache(maxsize=1024)
def _definition(data: bytes, kind: type[Defined]) -> Defined:
    """A task or a method, if it does not contradict itself; many records have the same, whose part of their ids is found once."""
    try:
        return msgspec.json.decode(data, type=kind)
    except SpecError as error:
        raise ValueError(str(error)) from error


DENSITIES = (
    ("density", "kept", "prunable"),
    ("density_weights", "kept_weights", "weights"),
    ("density_total", "kept_all", "all"),
)
"""Density -> the count that it is of, and the one that it is a share of."""


def keeps_everything(record: Record) -> bool:
    """Whether nothing of its network is pruned at a level that asks for it, as of a narrower one.

    Its densities refer to the network of full width, which stands in other records.
    """
    return record["counts"]["kept"] == record["counts"]["prunable"] and record["spec"]["level"] > 0


def wrong_densities(record: Record, whole: Counts) -> Iterator[tuple[str, float, object]]:
    """Each density that is not the record's counts over those of the whole network, what it is by these, and what is told."""
    for density, kept, of in DENSITIES:
        told, found = dict(record)[density], record["counts"][kept] / whole[of]  # type: ignore[literal-required]
        if not isinstance(told, float) or not math.isclose(told, found, rel_tol=1e-12):
            yield density, found, told


def _check_densities(record: Record) -> None:
    counts = record["counts"]
    if empty := next((of for *_, of in DENSITIES if not counts[of]), None):  # type: ignore[literal-required]
        raise ValueError(f"its network has no weights ({empty})")
    for density, found, told in () if keeps_everything(record) else wrong_densities(record, counts):
        raise ValueError(f"its {density} is {found:.6g} by its counts, the record says {told}")


def _check_time(text: str) -> None:
    try:
        if text:
            datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"there is no time {text}") from error


class CurvePoint(TypedDict):
    """One evaluation: split -> metric -> value at a step."""

    step: Count
    updates: Count
    metrics: dict[Name, dict[Name, Number]]


class StoredRecord(Record):
    """`record.json`."""

    curve: NotRequired[list[CurvePoint]]  # every evaluation, in order; since format 2


class StateRest(TypedDict):
    """What a stored state holds besides tensors; see `bench.learner.State`."""

    step: Count
    updates: Count
    origin: Count
    scalars: dict[Name, Json]


class Measurement(TypedDict):
    """What somebody else found of a claimed score: one line of a `measured/*.jsonl` file."""

    unit_id: Digest
    result: Digest  # of the record that was measured: of another one this line says nothing
    how: How
    metric: Name
    split: Name
    claimed: Number | None  # the record's final score
    measured: Number | None  # None: it diverged
    equal: bool  # whether everything it says (replay: of the last point) is the same to the bit
    believed: list[Literal["mask"]]  # what was taken from the record, and not measured
    provenance: Provenance  # of who measured


def is_stacked(record: Record) -> bool:
    """Whether the unit was trained in a stack: it may differ in the last bits from one that was not, and both are right."""
    return "stack" in record["provenance"]


def node_layers(record: Record) -> Iterator[NodeLayer]:
    """The hidden layers that a record tells of, the lowest first, up to one whose lists are empty or do not fit together."""
    for layer in record.get("nodes", []):
        for columns in (layer["teachers"], layer["students"]):
            lengths = {len(values) for values in cast("dict[str, Any]", columns).values() if values is not None}
            if len(lengths) != 1 or lengths == {0}:
                return
        yield layer


def metric_of(record: Record, metric: str | None = None, at: str | None = None) -> Metric | None:
    """One measurement of a record on the split where its task scores.

    Args:
        record: of any status.
        metric: name; the task's own, if None.
        at: where it was read; the headline, if None.

    Returns:
        None if it was not measured. Where training diverged its value is None, and its step how far it came.
    """
    task = record["spec"]["task"]
    wanted = (metric or task["metric"], task["split"], at or task["at"][0])
    return next((m for m in record["metrics"] if (m["name"], m["split"], m["at"]) == wanted), None)


def score_of(record: Record, metric: str | None = None, at: str | None = None) -> float | None:
    """Its value; None as well where a task cannot give it."""
    measured = metric_of(record, metric, at)
    return measured["value"] if measured else None
