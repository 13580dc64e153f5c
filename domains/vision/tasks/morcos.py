"""VGG19 and torchvision's ResNet50 on the six data sets of 1906.02773, on two halves of CIFAR-10, with SGD and with Adam."""

from dataclasses import replace
from typing import Any, NamedTuple

from bench.spec import Pruning, Scale, Task
from domains.vision.datasets import DIGESTS
from domains.vision.networks.kinds import KIND, unsupported
from domains.vision.tasks.sets import SETS

BATCH = 512
HALVES = {"cifar10a": [0, 2], "cifar10b": [1, 2]}
LARGE = ("imagenet", "places365")
"""Too large to be in memory: their images are read as they are needed, and cut to 224 pixels a side."""
LARGE_SIDE = 224
PRUNING = Pruning(rate=0.2, scope="global", exempt=("output.*",))
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "": {"optimizer": "sgd", "rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4},
    "-adam": {"optimizer": "adam", "rate": 3e-4, "weight_decay": 1e-4},
}
"""Ending of a task's name -> optimizer; Adam's weight decay is in its gradient, as the paper's is taken to be."""


class Net(NamedTuple):
    """A network and its training: its name here, its epochs, and those at which the rate drops to a tenth."""

    model: str
    epochs: int
    drops: tuple[int, ...]
    said: str


NETS = {
    "vgg19-gap": Net("vgg-19", 160, (80, 120), "Convolutions have no biases, which batch norm would take away."),
    "resnet50": Net(
        f"{KIND}:resnet50",
        90,
        (50, 65, 80),
        "The network is torchvision's, with its initial weights; the paper's small images may have had another stem.",
    ),
}

UNSTATED = (
    "The paper states neither augmentation nor input normalisation: here flips and crops within a black border of 4 pixels, and "
    "the mean and standard deviation of the training pixels; an epoch's last partial batch is dropped."
)
UNSTATED_LARGE = (
    "The paper states neither augmentation nor input normalisation: here random windows of 8 to 100 % of the area and flips, "
    "whole images cut to their middle for the test, and the mean and standard deviation of ImageNet's pixels."
)
UNSTATED_LENGTH = (
    "The paper does not state how long a rewound ticket trains: here the rest of the budget, its schedule resumed."
)
EXEMPT = "The output layer is exempt from pruning, so that a ticket fits any number of classes."
LAYERS = "Every layer is pruned by itself, where the paper's other tickets rank all weights together."
CHECKED = "The folder is checked by its classes and its numbers of images, not byte by byte."


def _task(net_name: str, dataset: str, optimizer: str, scale: Scale, *, pruning: Pruning = PRUNING) -> Task:
    net = NETS[net_name]
    facts = SETS["cifar10" if dataset in HALVES else dataset]
    large = dataset in LARGE
    epoch = facts.train // (2 if dataset in HALVES else 1) // BATCH
    rewind = (3 if large else 1) * epoch
    full = net.epochs * epoch
    budget, every, batch = (full, 10 * epoch, BATCH) if scale == "paper" else (4, 2, 8 if large else 16)
    config: dict[str, Any] = {
        "model": net.model,
        "channels": 3,
        "side": LARGE_SIDE if large else 32,
        "normalisation": facts.normalisation,
        "classes": facts.classes,
        "validation": 0,
        "split_seed": 0,
        **({"stream": True} if large else {}),
        **({"part": HALVES[dataset]} if dataset in HALVES else {}),
        "augment": {"flip": facts.flips, **({} if large else {"crop": 4})},
        "batch": batch,
        **OPTIMIZERS[optimizer],
        "schedule": "step",
        "milestones": [drop / net.epochs for drop in net.drops],
        "gamma": 0.1,
    }
    by_layer = pruning.scope == "layer"
    said = [UNSTATED_LARGE if large else UNSTATED, UNSTATED_LENGTH, EXEMPT, net.said, *([LAYERS] if by_layer else [])]
    if large:
        said.append(CHECKED)
    if dataset == "fashion":
        said.append("Grey images of 28x28 pixels, repeated to three channels, with a black border of 2 pixels.")
    if optimizer:
        said.append("The rate drops as it does with SGD, which the paper does not state for Adam.")
    if scale != "paper":
        said.append(f"Trained for {budget} updates of batch {batch}; the paper trains for {full:,} of batch {BATCH}.")
        said.append("Rewinds to update 1; evaluated on 100 test images.")
    return Task(
        name=f"vision/{net_name}-{dataset}{optimizer}{'-layers' if by_layer else ''}",
        scale=scale,
        config=config,
        data={facts.data: DIGESTS[facts.data]},
        budget=budget,
        evaluate_every=every,
        rewind_step=rewind if scale == "paper" else 1,
        pruning=pruning,
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        splits=("test",),
        evaluation={} if scale == "paper" else {"test": 100},
        tolerance=0.5,
        chance=facts.chance,
        constant_rate=False,
        unsupported=unsupported(net.model),
        source="Morcos, Yu, Paganini & Tian 2019 (1906.02773), section 3",
        deviations=tuple(said),
    )


SCALES: tuple[Scale, ...] = ("smoke", "paper")
TASKS = (
    *(
        _task(net, dataset, optimizer, scale)
        for net in NETS
        for dataset in ("cifar10", *HALVES, "cifar100", "svhn", "fashion", *LARGE)
        for optimizer in OPTIMIZERS
        for scale in SCALES
    ),
    *(_task("vgg19-gap", "cifar10", "", scale, pruning=replace(PRUNING, scope="layer")) for scale in SCALES),
)
