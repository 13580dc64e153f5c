"""The networks of 1803.03635 on CIFAR-10: Conv-2, Conv-4 and Conv-6 (section 3), the ResNet and VGG-19 (section 4).

Each is also there on the JPEG copy of CIFAR-10.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from bench.spec import Pruning, Scale, Task
from domains.vision.datasets import DIGESTS
from domains.vision.pruning import PRUNING
from domains.vision.tasks.lenet import UNSTATED
from domains.vision.tasks.sets import JPEG_COPY, SETS

EVERY = 100
"""Updates between two evaluations in the paper."""


class Recipe(NamedTuple):
    """A training as the paper has it.

    Args:
        name: of the task, without domain and data set.
        budget: updates.
        config: model, batch, optimizer and schedule.
        small: updates at `small` scale; 0 where no small budget is worth its time.
        rewind: update.
        section: of the paper.
        said: what differs from the paper.
        pruning: the network's, if not its own in `PRUNING`.
    """

    name: str
    budget: int
    config: Mapping[str, Any]
    small: int = 0
    rewind: int = 0
    section: str = "figure 2 and section 3"
    said: tuple[str, ...] = ()
    pruning: Pruning | None = None


def _conv(model: str, rate: float) -> dict[str, Any]:
    return {"model": model, "batch": 60, "optimizer": "adam", "rate": rate, "schedule": "constant"}


def _deep(model: str, batch: int, *, rate: float, milestones: tuple[float, ...], warmup: float = 0.0) -> dict[str, Any]:
    return {
        "model": model,
        "augment": {"crop": 4, "flip": True},
        "batch": batch,
        "optimizer": "sgd",
        "rate": rate,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "schedule": "step",
        "milestones": list(milestones),
        "gamma": 0.1,
        **({"warmup": warmup} if warmup else {}),
    }


_resnet = partial(_deep, "resnet-20", 128, milestones=(20_000 / 30_000, 25_000 / 30_000))
_vgg = partial(_deep, "vgg-19", 64, milestones=(80 / 160, 120 / 160))
LATE = "Rewinds to update {}, as 1903.01611 and 1912.05671 do; the paper to 0."
SECTION_4 = "figure 2 and section 4"
EPOCHS = "The paper says 112,000 updates and 160 epochs, which of 45,000 images are 112,480: here the former."

CONVS = (
    Recipe("conv2", 20_000, _conv("conv-2", 2e-4), small=6_000),
    Recipe("conv4", 25_000, _conv("conv-4", 3e-4), small=2_500),
    Recipe("conv6", 30_000, _conv("conv-6", 3e-4), small=3_000),
)
"""Conv-2's small budget is larger, for the one chain that is published: two cores train it in about six hours."""

RESNETS = (
    Recipe("resnet20", 30_000, _resnet(rate=0.1), section=SECTION_4),
    Recipe("resnet20-low", 30_000, _resnet(rate=0.01), section=SECTION_4),
    Recipe("resnet20-warmup", 30_000, _resnet(rate=0.03, warmup=20_000 / 30_000), section=SECTION_4),
    Recipe("resnet20-rewind", 30_000, _resnet(rate=0.1), rewind=500, section=SECTION_4, said=(LATE.format(500),)),
)
VGGS = (
    Recipe("vgg19", 112_000, _vgg(rate=0.1), section=SECTION_4, said=(EPOCHS,)),
    Recipe("vgg19-low", 112_000, _vgg(rate=0.01), section=SECTION_4, said=(EPOCHS,)),
    Recipe("vgg19-warmup", 112_000, _vgg(rate=0.1, warmup=10_000 / 112_000), section=SECTION_4, said=(EPOCHS,)),
    Recipe("vgg19-rewind", 112_000, _vgg(rate=0.1), rewind=100, section=SECTION_4, said=(EPOCHS, LATE.format(100))),
    Recipe(
        "vgg19-warmup-layers",
        112_000,
        _vgg(rate=0.1, warmup=10_000 / 112_000),
        section="section 4, and the appendix on global pruning",
        said=(EPOCHS, "Every convolution is pruned by itself."),
        pruning=replace(PRUNING["vgg-19"], scope="layer"),
    ),
)


class Length(NamedTuple):
    """How a scale trains: updates, updates between evaluations, images of validation and test."""

    budget: int
    every: int
    val: int = 5_000
    test: int = 10_000


def _length(recipe: Recipe, scale: Scale) -> Length:
    if scale == "paper":
        return Length(recipe.budget, EVERY)
    if scale == "small":
        return Length(recipe.small, 2 * EVERY)
    return Length(4, 2, val=100, test=100) if recipe in VGGS else Length(20, 10, val=200, test=200)


def _task(recipe: Recipe, dataset: str, scale: Scale) -> Task:
    length, facts = _length(recipe, scale), SETS[dataset]
    rewind = min(recipe.rewind, length.budget // 2)
    return Task(
        name=f"vision/{recipe.name}-{dataset}",
        scale=scale,
        config={
            "normalisation": facts.normalisation,
            "classes": facts.classes,
            "validation": 5_000,
            "split_seed": 0,
            **recipe.config,
        },
        data={facts.data: DIGESTS[facts.data]},
        budget=length.budget,
        evaluate_every=length.every,
        rewind_step=rewind,
        pruning=recipe.pruning or PRUNING[recipe.config["model"]],
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        at=("final", "early-stop"),
        select="loss",
        evaluation={"val": length.val, "test": length.test},
        tolerance=0.5,
        chance=facts.chance,
        constant_rate=recipe.config["schedule"] == "constant",
        source=f"Frankle & Carbin 2018 (1803.03635v5), {recipe.section}",
        deviations=(
            *((JPEG_COPY,) if dataset == "cifar10-jpeg" else ()),
            *shortened(recipe.budget, budget=length.budget, every=length.every, val=length.val, test=length.test),
            *((f"Rewinds to update {rewind}.",) if rewind not in {0, recipe.rewind} else ()),
            *recipe.said,
            UNSTATED,
        ),
    )


def shortened(paper: int, *, budget: int, every: int, val: int, test: int) -> tuple[str, ...]:
    """Sentences about a training that is not of the paper's length.

    Args:
        paper: its updates.
        budget: ours.
        every: updates between evaluations.
        val: images of validation.
        test: images of the test.
    """
    if budget == paper:
        return ()
    sentences = [f"Trained for {budget:,} updates; the paper trains for {paper:,}."]
    if every != EVERY:
        sentences.append(f"Evaluated every {every} updates; the paper evaluates every {EVERY}.")
    whole = Length(0, 0)
    if (val, test) != (whole.val, whole.test):
        sentences.append(f"Evaluated on {val:,} validation and {test:,} test images of 5,000 and 10,000.")
    return tuple(sentences)


TASKS = tuple(
    _task(recipe, dataset, scale)
    for recipe in (*CONVS, *RESNETS, *VGGS)
    for dataset in ("cifar10", "cifar10-jpeg")
    for scale in (("smoke", "small", "paper") if recipe.small else ("smoke", "paper"))
)
