"""Stand-ins that two cores pay for: slim networks on images of 16x16 pixels, by the recipes of both vision papers.

`slim-*` stand for the VGG19 of 1906.02773: two halves of CIFAR-10, Fashion-MNIST, sources that differ in size, classes or
optimizer, and a half that is pruned layer by layer. `conv2-16px` and `resnet20-half-16px` stand for the Conv-2 and the ResNet of
1803.03635, at its high and its low learning rate, and rewound late.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from bench.spec import Pruning, Scale, Task
from domains.vision.datasets import DIGESTS
from domains.vision.pruning import PRUNING
from domains.vision.tasks import frankle
from domains.vision.tasks.sets import JPEG_COPY, SETS

MORCOS = "Morcos, Yu, Paganini & Tian 2019 (1906.02773), section 4; a stand-in of this suite"
FRANKLE = "Frankle & Carbin 2018 (1803.03635v5), {}; a stand-in of this suite"
ANIMALS = [[0, 1, 8, 9], [2, 3, 4, 5, 6, 7]]
"""The labels of CIFAR-10 that are vehicles and that are animals."""
WHOLE_TEST = 10_000
"""Test images of CIFAR-10 and of Fashion-MNIST."""


class Length(NamedTuple):
    """How a scale trains a slim VGG.

    Args:
        width: of the network, of 16, 32 and 64 channels.
        images: of a part.
        batch: images of an update.
        budget: updates.
        epoch: updates; the rewind step.
        test: images that are evaluated.
    """

    width: float
    images: int
    batch: int
    budget: int
    epoch: int
    test: int = WHOLE_TEST


LENGTHS: dict[Scale, Length] = {
    "smoke": Length(0.5, 5_000, 100, 20, 5, test=500),
    "quick": Length(0.5, 5_000, 100, 400, 50),
    "small": Length(1.0, 25_000, 128, 975, 195),
}

SGD = {"optimizer": "sgd", "rate": 0.05, "momentum": 0.9, "weight_decay": 5e-4}
ADAM = {"optimizer": "adam", "rate": 3e-3, "weight_decay": 1e-4}
WARMUP = 40
"""Updates."""

SLIM_PRUNING = Pruning(rate=0.4, scope="global", exempt=("output.*",))


def _slim(
    name: str,
    scale: Scale,
    dataset: str,
    *,
    pruning: Pruning = SLIM_PRUNING,
    chance: float = 10.0,
    said: str = "",
    **config: Any,
) -> Task:
    length, facts = LENGTHS[scale], SETS[dataset]
    whole: dict[str, Any] = {
        "model": "slim-vgg",
        "width": length.width,
        "channels": 3,
        "side": 16,
        "normalisation": facts.normalisation,
        "classes": facts.classes,
        "limit": length.images,
        "validation": 0,
        "split_seed": 0,
        "batch": length.batch,
        **(ADAM if name.endswith("-adam") else SGD),
        "schedule": "cosine",
        "warmup": WARMUP / length.budget if length.budget > WARMUP else 0.1,
        **config,
    }
    channels = ", ".join(str(round(width * length.width)) for width in (16, 32, 64))
    return Task(
        name=f"vision/{name}",
        scale=scale,
        config=whole,
        data={facts.data: DIGESTS[facts.data]},
        budget=length.budget,
        evaluate_every=length.epoch,
        rewind_step=length.epoch,
        pruning=pruning,
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        splits=("test",),
        evaluation={"test": length.test},
        tolerance=1.0,
        chance=chance,
        constant_rate=False,
        source=MORCOS,
        deviations=(
            f"A VGG of two convolutions each of {channels} channels stands for the paper's VGG19; no augmentation.",
            "Images averaged to 16x16 pixels.",
            JPEG_COPY if dataset == "cifar10-jpeg" else "Grey images, repeated to three channels, with a black border.",
            f"Trained for {length.budget:,} updates of {length.batch} images; the paper trains for 160 epochs of batch 512.",
            f"A set of {whole['limit']:,} training images.",
            *(() if length.test == WHOLE_TEST else (f"Evaluated on {length.test:,} of {WHOLE_TEST:,} test images.",)),
            "The learning rate falls along half a cosine after a warm-up; the paper's drops to a tenth twice.",
            "The learning rate resumes after rewinding; the paper states nothing of it.",
            "A round prunes 40 % of what is left, the paper's 20 %; the output layer is exempt.",
            *((said,) if said else ()),
        ),
    )


def _transfer(scale: Scale) -> tuple[Task, ...]:
    jpeg, limit = "cifar10-jpeg", LENGTHS[scale].images
    fewer = limit // 5
    return (
        _slim("slim-cifar10a", scale, jpeg, part=[0, 2]),
        _slim("slim-cifar10b", scale, jpeg, part=[1, 2]),
        _slim(
            "slim-cifar10b-layers",
            scale,
            jpeg,
            part=[1, 2],
            pruning=replace(SLIM_PRUNING, scope="layer"),
            said="Every layer is pruned by itself, where the others' weights are ranked together.",
        ),
        _slim("slim-cifar10a-adam", scale, jpeg, part=[0, 2]),
        _slim("slim-cifar10b-adam", scale, jpeg, part=[1, 2]),
        _slim("slim-fashion", scale, "fashion"),
        _slim(
            "slim-cifar10a-5k",
            scale,
            jpeg,
            part=[0, 2],
            limit=fewer,
            said=f"A source of {fewer:,} images beside one of {limit:,}, for as many updates: the paper compares data sets.",
        ),
        _slim(
            "slim-cifar10a-animals",
            scale,
            jpeg,
            part=[0, 2],
            classes=2,
            superclasses=ANIMALS,
            chance=60.0,
            said="A source of 2 classes, vehicles and animals, beside one of 10, on the same images: the paper compares data sets.",
        ),
    )


class Small(NamedTuple):
    """How a scale trains the other stand-ins: updates, between evaluations, images of validation and test, rewind step."""

    budget: int
    every: int
    val: int = 5_000
    test: int = 10_000
    late: int = 0


CONV2: dict[Scale, Small] = {
    "smoke": Small(20, 10, val=500, test=500),
    "quick": Small(400, 100, val=2_000, test=2_000),
    "small": Small(2_000, 200),
}
RESNET: dict[Scale, Small] = {
    "smoke": Small(20, 10, val=500, test=500, late=4),
    "quick": Small(200, 50, val=2_000, test=2_000, late=20),
    "small": Small(2_000, 200, late=200),
}
CONV2_CONFIG = {"model": "conv-2", "batch": 60, "optimizer": "adam", "rate": 2e-4, "schedule": "constant"}
RESNET_CONFIG = {
    "model": "resnet-20",
    "width": 0.5,
    "augment": {"crop": 2, "flip": True},
    "batch": 128,
    "optimizer": "sgd",
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "schedule": "step",
    "milestones": [2 / 3, 5 / 6],
    "gamma": 0.1,
}


def _small(
    name: str,
    scale: Scale,
    length: Small,
    config: Mapping[str, Any],
    *,
    rewind: int = 0,
    paper: tuple[int, str],
    said: tuple[str, ...],
) -> Task:
    budget, section = paper
    facts = SETS["cifar10-jpeg"]
    return Task(
        name=f"vision/{name}",
        scale=scale,
        config={
            "channels": 3,
            "side": 16,
            "normalisation": facts.normalisation,
            "classes": 10,
            "validation": 5_000,
            "split_seed": 0,
            **config,
        },
        data={facts.data: DIGESTS[facts.data]},
        budget=length.budget,
        evaluate_every=length.every,
        rewind_step=rewind,
        pruning=PRUNING[config["model"]],
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        at=("final", "early-stop"),
        select="loss",
        evaluation={"val": length.val, "test": length.test},
        tolerance=1.0,
        chance=10.0,
        constant_rate=config["schedule"] == "constant",
        source=FRANKLE.format(section),
        deviations=(
            "Images averaged to 16x16 pixels.",
            JPEG_COPY,
            *frankle.shortened(budget, budget=length.budget, every=length.every, val=length.val, test=length.test),
            *said,
        ),
    )


def _conv2(scale: Scale) -> Task:
    return _small("conv2-16px", scale, CONV2[scale], CONV2_CONFIG, paper=(20_000, "figure 2 and section 3"), said=())


class Variant(NamedTuple):
    """How a ResNet differs from the one at rate 0.1 that rewinds to 0: ending of its name, rate, whether it rewinds late."""

    ending: str = ""
    rate: float = 0.1
    late: bool = False


def _resnet(scale: Scale, variant: Variant) -> Task:
    length = RESNET[scale]
    rewind = length.late if variant.late else 0
    return _small(
        f"resnet20-half-16px{variant.ending}",
        scale,
        length,
        {**RESNET_CONFIG, "rate": variant.rate},
        rewind=rewind,
        paper=(30_000, "figure 2 and section 4"),
        said=(
            "Half the channels of the paper's network; crops within a border of 2 pixels, the paper's 4 of 32.",
            *((f"Rewinds to update {rewind}, as 1912.05671 does; the paper to 0.",) if variant.late else ()),
        ),
    )


TASKS = tuple(
    task
    for scale in LENGTHS
    for task in (
        *_transfer(scale),
        _conv2(scale),
        *(_resnet(scale, each) for each in (Variant(), Variant("-rewind", late=True), Variant("-low", rate=0.01))),
    )
)
