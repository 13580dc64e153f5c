"""The teacher-student tasks that exist, with the papers' recipes at paper scale. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.spec import Direction, Pruning, Scale, Task

LUCK = "Tian, Jiang, Gong & Morcos 2019 (1905.13405)"
SPECIALISATION = "Tian 2019 (1909.13458)"

DIRECTIONS: dict[str, Direction] = {
    "log_loss": "min",
    "recovered": "max",
    "recovered_weak": "max",
    "recovered_strong": "max",
    "best_correlation": "max",
    "strength_order": "max",
    "lshape": "max",
    "fanout_ratio": "min",
    "initial_rank": "min",
    "luck": "max",
    "observability": "max",
}
NO_LOGITS = "its temperature divides logits, and a student's outputs are none"
SHARED_WEIGHTS = (
    "each matrix between two hidden layers shrinks with the nodes of both, so that no number of whole nodes leaves the level's "
    "count in every layer; a network of one hidden layer can"
)
OTHER_PRUNING = (
    "whole nodes leave the level's count in each layer only where the weights to and from them, and nothing else, are pruned "
    "layer by layer at one rate"
)
NODE_METHODS = ("fanout", "fanout-reinit", "fanout-random")


class Length(NamedTuple):
    """How long and on how much a scale trains: updates, between evaluations, training and held-out examples."""

    budget: int
    every: int
    samples: int
    held_out: int


class TwoLayer(NamedTuple):
    """A two-layer teacher: inputs, hidden nodes, learning rate."""

    inputs: int
    hidden: int
    rate: float


OUTPUTS = 50
MULTI = 10
"""How many times the teacher's nodes the student has; two times in the narrow and the planted task."""
TWO_LAYER: dict[Scale, tuple[Length, TwoLayer]] = {
    "smoke": (Length(40, 2, 1_000, 500), TwoLayer(20, 10, 0.02)),
    "quick": (Length(1_000, 50, 10_000, 4_000), TwoLayer(20, 10, 0.02)),
    "small": (Length(3_000, 150, 10_000, 4_000), TwoLayer(20, 10, 0.02)),
    "paper": (Length(100_000, 1_000, 10_000, 10_000), TwoLayer(100, 20, 0.01)),
}
UNTRAINED: dict[tuple[float, int], float] = {(1.0, 20): -0.69, (1.0, 100): -0.7, (0.5, 20): -0.42, (0.5, 100): -0.34}
"""Decay of the teacher's strength and inputs -> log loss of a student before training; a mean over ten seeds."""
DEEP_SIZES = [20, 10, 15, 20, 25, 100]
DEEP_EPOCH = 1_563
"""Updates of 64 in 100,000 examples."""
DEEP: dict[Scale, tuple[Length, int]] = {
    "smoke": (Length(40, 2, 1_000, 500), 4),
    "quick": (Length(1_000, 50, 20_000, 4_000), 4),
    "small": (Length(5_000, 250, 20_000, 4_000), 4),
    "paper": (Length(40 * DEEP_EPOCH, DEEP_EPOCH, 100_000, 4_000), MULTI),
}
"""Scale -> lengths, and how many times the teacher's nodes the student has."""
PLANTED_SIZES = [10, 20, 30]
PLANTED: dict[Scale, Length] = {
    "smoke": Length(40, 2, 0, 500),
    "quick": Length(500, 25, 0, 4_000),
    "small": Length(3_000, 150, 0, 4_000),
    "paper": Length(20_000, 1_000, 0, 4_000),
}


def _task(
    name: str,
    scale: Scale,
    length: Length,
    config: Mapping[str, Any],
    *,
    chance: float,
    rate: float = 0.2,
    source: str,
    said: tuple[str, ...],
) -> Task:
    hidden = len(config["sizes"]) - 2
    pruning = Pruning(rate=rate)
    return Task(
        name=f"teacher/{name}",
        scale=scale,
        config={**config, "samples": length.samples},
        budget=length.budget,
        evaluate_every=length.every,
        rewind_step=0,
        pruning=pruning,
        metric="log_loss",
        directions={**DIRECTIONS, **{f"best_correlation_{number}": "max" for number in range(2, hidden + 1)}},
        splits=("test",),
        at=("final", "5%"),
        evaluation={"test": length.held_out},
        tolerance=0.25,
        chance=chance,
        constant_rate=True,
        unsupported=unsupported(config, pruning),
        source=source,
        deviations=(*said, f"The paper prunes nothing; a round here prunes {rate:.0%} of the weights of each layer."),
    )


def unsupported(config: Mapping[str, Any], pruning: Pruning) -> dict[str, str]:
    """Method -> why no student of this `config`, so pruned, can run it."""
    why = _part_nodes(config, pruning)
    return {"grasp": NO_LOGITS} | (dict.fromkeys(NODE_METHODS, why) if why else {})


def _part_nodes(config: Mapping[str, Any], pruning: Pruning) -> str:
    """Why its hidden nodes cannot be pruned whole; empty if they can."""
    if len(config["sizes"]) > 3:
        return SHARED_WEIGHTS
    layers = ("hidden1.weight", "output.weight")
    others = pruning.scope == "global" or pruning.biases or any(map(pruning.is_exempt, layers))
    return OTHER_PRUNING if others or len({pruning.rate_of(name) for name in layers}) > 1 else ""


def _two_layer(name: str, scale: Scale, *, decay: float, multi: int = MULTI, rate: float = 0.2) -> Task:
    length, shape = TWO_LAYER[scale]
    config = {
        "sizes": [shape.inputs, shape.hidden, OUTPUTS],
        "multi": multi,
        "teacher": "per-seed",
        "draw": "decaying",
        "decay": decay,
        "init": {"kind": "normal", "std": 0.005},
        "std": 1.5,
        "sampling": "replacement",
        "batch": 16,
        "rate": shape.rate,
        "loss": "half-sum",
        "dtype": "float64",
    }
    smaller = (
        f"{shape.inputs} inputs and {shape.hidden} teacher nodes; the paper's sweep has 100 and 5, 10 or 20.",
        f"Trained for {length.budget:,} updates at rate {shape.rate}; the paper trains for 100,000 at 0.01.",
        f"{length.samples:,} training and {length.held_out:,} held-out examples; the paper has 10,000 of each.",
    )
    return _task(
        name,
        scale,
        length,
        config,
        chance=UNTRAINED[decay, shape.inputs],
        rate=rate,
        source=f"{SPECIALISATION}, two-layer experiments of its code",
        said=(
            *(smaller if scale != "paper" else ()),
            "Teacher weights of -0.5, -0.25, 0, 0.25 and 0.5, as in 1905.13405; the code's configuration does not tell them.",
        ),
    )


def _deep(scale: Scale) -> Task:
    length, multi = DEEP[scale]
    config = {
        "sizes": DEEP_SIZES,
        "multi": multi,
        "teacher": "fixed",
        "draw": "normalised",
        "bias": 0.5,
        "init": {"kind": "uniform"},
        "std": 10.0,
        "sampling": "epochs",
        "batch": 64,
        "rate": 0.05,
        "loss": "mean",
        "dtype": "float32",
    }
    smaller = (
        f"Trained for {length.budget:,} updates; the paper trains for {DEEP['paper'][0].budget:,}.",
        f"{length.samples:,} training examples; the paper has 100,000.",
        f"The student has {multi} times the teacher's nodes; the paper's {MULTI} times.",
    )
    return _task(
        "deep",
        scale,
        length,
        config,
        chance=0.68,
        source=f"{LUCK}, multi-layer experiment of its code",
        said=(
            *(smaller if scale != "paper" else ()),
            "Each seed has its own examples; the paper draws the student alone anew.",
            f"Measured on {length.held_out:,} examples; the code takes 192 of 1,024, others each time.",
            "Dead teacher nodes are left out of means; the paper's count as 0.",
        ),
    )


def _planted(scale: Scale) -> Task:
    length = PLANTED[scale]
    config = {
        "sizes": PLANTED_SIZES,
        "multi": 2,
        "teacher": "per-seed",
        "draw": "normalised",
        "bias": 0.0,
        "init": {"kind": "planted", "std": 0.1},
        "std": 1.0,
        "sampling": "fresh",
        "batch": 64,
        "rate": 0.05,
        "loss": "half-sum",
        "dtype": "float32",
    }
    smaller = f"Trained for {length.budget:,} updates; the paper trains for {PLANTED['paper'].budget:,}."
    return _task(
        "planted",
        scale,
        length,
        config,
        chance=-0.7,
        source=f"{LUCK}, two-layer matrix experiment of its code, perturbed start",
        said=(
            *((smaller,) if scale != "paper" else ()),
            "Trained by the gradient; the code multiplies the means of its factors.",
            "Weights are scaled once, at the start; the code scales those to each node to norm 1 after every update.",
            f"Measured on {length.held_out:,} examples; the code on 1,024, others each time.",
        ),
    )


TASKS: dict[str, Task] = {
    task.key: task
    for scale in TWO_LAYER
    for task in (
        _two_layer("two-layer", scale, decay=1.0),
        _two_layer("two-layer-even", scale, decay=0.5),
        _two_layer("two-layer-narrow", scale, decay=0.5, multi=2, rate=0.4),
        _deep(scale),
        _planted(scale),
    )
}
"""`task.key` -> task."""
