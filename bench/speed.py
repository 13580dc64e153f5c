"""What sparsity is worth in seconds and bytes, measured of one finished unit on one machine: a line of a `speed/*.jsonl` file."""

from typing import Final, Literal, NotRequired, TypedDict

from bench.record import Provenance
from bench.schema import Amount, Count, Digest, Level, Name, Seed, Share, Text

STYLES: Final = ("md", "csv", "json", "jsonl")
NETS: Final = 16
"""Networks that are trained at once in one block-diagonal one."""
INFERENCE: Final = (1, 128)
"""Examples of a forward pass that is timed."""

ClockName = Literal["processor", "wall"]
"""Of one thread that computes alone, whatever else runs; or of all that passes."""
Quantity = Literal["weights_bytes", "training_bytes", "disk_bytes"]
BYTES: Final[tuple[Quantity, ...]] = ("weights_bytes", "training_bytes", "disk_bytes")
Timed = Literal["batch 1", "batch 128", "step"]
TIMED: Final[tuple[Timed, ...]] = ("batch 1", "batch 128", "step")
"""Forward passes in evaluation mode without gradients; a training step."""
Way = Literal["dense", "masked", "sparse"]
WAYS: Final[tuple[Way, ...]] = ("dense", "masked", "sparse")
"""Without its mask; with zeros under it, which gradient hooks keep; with linear layers of which only kept weights exist."""


class Spread(TypedDict):
    """Over the rounds."""

    median: Amount
    low: Amount  # first quartile
    high: Amount  # third quartile


class Execution(TypedDict):
    """One way to execute a unit's network."""

    seconds: dict[Timed, Spread]
    faster: dict[Timed, Spread]  # how many times as fast as dense in the same round
    weights_bytes: Count  # what inference holds: parameters, buffers, indices of sparse layers
    training_bytes: Count  # with what the optimizer keeps of them, masks, and indices of the transposed layers
    disk_bytes: Count  # as a safetensors file of what inference holds


class Several(TypedDict):
    """Training steps of several networks at once: linear layers as one block-diagonal sparse matrix each."""

    nets: Count
    seconds: Spread  # a step of all of them
    faster: Spread  # how many times as fast as so many dense steps in the same round


Compared = Literal["outputs", "gradients", "updates"]


class Difference(TypedDict):
    """How far sparse is from masked, relative to masked."""

    outputs: Amount  # the largest difference, to the largest number of a tensor
    gradients: Amount  # the length of the difference of all, to their length
    updates: Amount  # likewise, of the way that the weights go in a few updates


class Speed(TypedDict):
    """What was measured of one unit."""

    format: Literal[1]
    unit_id: Digest
    result: Digest  # of the record that was measured
    task: Name  # name@scale
    method: Name
    level: Level
    seed: Seed
    density: Share
    flops: Amount | None  # as in the record: multiply-adds of one example
    flops_dense: Amount | None
    batch: Count  # examples of the training step
    rounds: Count
    clock: ClockName
    executions: dict[Way, Execution]
    several: NotRequired[Several]
    masked_dense: dict[Name, Text]  # parameter with a mask that no sparse kernel takes -> why
    nulls: dict[Name, Text]  # what was not measured, and why
    tolerance: Difference  # beyond which nothing is told
    difference: Difference
    provenance: Provenance


def flops_ratio(speed: Speed) -> float | None:
    """Theoretical multiply-adds over those of the dense network."""
    flops, dense = speed["flops"], speed["flops_dense"]
    return None if flops is None or not dense else flops / dense
