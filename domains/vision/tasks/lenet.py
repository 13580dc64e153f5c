"""LeNet-300-100 on MNIST and on Fashion-MNIST, at four scales each.

Everything is as in 1803.03635 (figure 2, section 2, appendix G) unless a deviation says otherwise.
"""

from typing import Any, NamedTuple

from bench.spec import Scale, Task
from domains.vision.datasets import DIGESTS
from domains.vision.pruning import PRUNING


class Length(NamedTuple):
    """How long a scale trains and how it is evaluated: updates, updates between evaluations, examples per split."""

    budget: int
    every: int
    val: int = 5_000
    test: int = 10_000


LENGTHS: dict[Scale, Length] = {
    "smoke": Length(40, 20, val=1_000, test=1_000),
    "quick": Length(800, 200),
    "small": Length(5_000, 250),
    "paper": Length(50_000, 100),
}

NORMALISATION = {"mnist": [0.1307, 0.3081], "fashion-mnist": [0.2860, 0.3530]}
"""Data set -> mean and standard deviation of its training pixels, on a scale of 0 to 1."""

UNSTATED = (
    "The paper states neither activation nor input normalisation nor the fate of an epoch's last partial batch: "
    "here ReLU, the mean and standard deviation of the training pixels, and dropped."
)


def _deviations(dataset: str, length: Length) -> tuple[str, ...]:
    paper = LENGTHS["paper"]
    sentences = []
    if dataset != "mnist":
        sentences.append("The paper trains this network on MNIST only; the data set is the one change to its recipe.")
    if length.budget != paper.budget:
        sentences.append(f"Trained for {length.budget:,} updates; the paper trains for {paper.budget:,}.")
    if length.every != paper.every:
        sentences.append(f"Evaluated every {length.every} updates; the paper evaluates every {paper.every}.")
    if (length.val, length.test) != (paper.val, paper.test):
        sentences.append(
            f"Evaluated on {length.val:,} validation and {length.test:,} test images "
            f"of the paper's {paper.val:,} and {paper.test:,}."
        )
    return (*sentences, UNSTATED)


def _lenet(name: str, dataset: str, scale: Scale) -> Task:
    length = LENGTHS[scale]
    config: dict[str, Any] = {
        "model": "lenet-300-100",
        "normalisation": NORMALISATION[dataset],
        "validation": 5_000,
        "split_seed": 0,
        "batch": 60,
        "optimizer": "adam",
        "rate": 1.2e-3,
        "schedule": "constant",
    }
    return Task(
        name=name,
        scale=scale,
        config=config,
        data={dataset: DIGESTS[dataset]},
        budget=length.budget,
        evaluate_every=length.every,
        pruning=PRUNING["lenet-300-100"],
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        at=("final", "early-stop"),
        select="loss",
        evaluation={"val": length.val, "test": length.test},
        tolerance=0.2,
        chance=10.0,
        constant_rate=True,
        source="Frankle & Carbin 2018 (1803.03635v5), section 2",
        deviations=_deviations(dataset, length),
    )


TASKS = tuple(
    _lenet(name, dataset, scale)
    for name, dataset in (("vision/lenet-mnist", "mnist"), ("vision/lenet-fashion", "fashion-mnist"))
    for scale in LENGTHS
)
