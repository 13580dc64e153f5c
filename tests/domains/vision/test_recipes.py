"""Every constant of every recipe, written down a second time: from the papers and what they leave open.

1803.03635 (figure 2, sections 2 to 4), 1906.02773 (section 3), and the stand-ins of this suite for both.
"""

import itertools

import pytest

from bench.digests import json_digest
from bench.spec import to_json
from domains.vision import domain
from domains.vision.pruning import PRUNING

TOLD = ("groups", "source", "deviations")
"""What a reader is told; other tests look at it."""

JPEG = "f6a7feab85df9199981d6ae66be74d34ccf21c6d0b7f6b32ef0df31e7ed57714"
CIFAR10 = {"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"}
CIFAR100 = {"cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85"}
SVHN = {"train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373", "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3"}
IMAGENET = {
    "ILSVRC2012_img_train.tar": "1d675b47d978889d74fa0da5fadfb00e",
    "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
}
PLACES365 = {
    "train_256_places365standard.tar": "53ca1c756c3d1e7809517cc47c5561c5",
    "val_256.tar": "e27b17d8d44f4af9a78502beb927f808",
}
DATA = {
    "mnist": ("mnist", "c40f5a58ae5edb81cbaa81ad2c5e91bc6196ffec3b49adb1ba325dc5bca58e68", [0.1307, 0.3081]),
    "lenet-fashion": ("fashion-mnist", "2bb72cf4f0d46784f7b981b9571f08096daf4059620b6409f57bc881d6ab07df", [0.2860, 0.3530]),
    "fashion": (
        "fashion-mnist", "2bb72cf4f0d46784f7b981b9571f08096daf4059620b6409f57bc881d6ab07df", [[0.2860] * 3, [0.3530] * 3],
    ),
    "cifar10": ("cifar-10", CIFAR10, [[0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]]),
    "cifar10-jpeg": ("cifar10-jpeg", JPEG, [[0.4913, 0.4821, 0.4465], [0.2452, 0.2428, 0.2606]]),
    "cifar100": ("cifar-100", CIFAR100, [[0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]]),
    "svhn": ("svhn", SVHN, [[0.4377, 0.4438, 0.4728], [0.1980, 0.2010, 0.1970]]),
    "imagenet": ("imagenet", IMAGENET, [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]),
    "places365": ("places365", PLACES365, [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]),
}  # fmt: skip
"""Name in a task -> data set, digest (or the md5 of each file that it is of), mean and standard deviation."""


def whole(name, scale, dataset, *, budget, every, config, pruning, rewind=0, val=None, test=None, **changed):
    data, digest, normalisation = DATA[dataset]
    if not isinstance(digest, str):
        digest = json_digest(digest)
    config = {"normalisation": normalisation, "split_seed": 0, **config}
    return {
        "name": f"vision/{name}", "scale": scale, "version": 1, "data": {data: digest}, "budget": budget,
        "unit": "updates", "evaluate_every": every, "rewind_step": rewind, "schedule": "resume", "metric": "accuracy",
        "directions": {"accuracy": "max", "loss": "min"}, "split": "test", "splits": ["val", "test"],
        "at": ["final", "early-stop"], "select": "loss", "evaluation": {"val": val, "test": test}, "tolerance": 0.2,
        "chance": 10.0, "reference": None, "fewest_seeds": 3, "constant_rate": True, "unsupported": {},
        "pruning": {"rate": 0.2, "scope": "layer", "biases": False, "rates": {}, "exempt": [], **pruning},
        "config": config, **changed,
    }  # fmt: skip


AT_THE_END = {"splits": ["test"], "at": ["final"], "select": None, "constant_rate": False}

# LeNet-300-100, 1803.03635 section 2.

LENET_SCALES = {
    "smoke": (40, 20, 1_000, 1_000),
    "quick": (800, 200, 5_000, 10_000),
    "small": (5_000, 250, 5_000, 10_000),
    "paper": (50_000, 100, 5_000, 10_000),
}
"""Scale -> updates, updates between evaluations, images of validation and test."""


def lenet(name, dataset, scale):
    budget, every, val, test = LENET_SCALES[scale]
    config = {
        "model": "lenet-300-100", "validation": 5_000, "batch": 60, "optimizer": "adam", "rate": 1.2e-3,
        "schedule": "constant",
    }  # fmt: skip
    pruning = {"rates": {"output.weight": 0.1}}
    return whole(
        name, scale, dataset, budget=budget, every=every, val=val, test=test, config=config, pruning=pruning
    )  # fmt: skip


# 1803.03635 sections 3 and 4.

CONVS = {
    "conv2": ("conv-2", 20_000, 6_000, 2e-4, 0.1),
    "conv4": ("conv-4", 25_000, 2_500, 3e-4, 0.1),
    "conv6": ("conv-6", 30_000, 3_000, 3e-4, 0.15),
}
"""Name -> model, updates, updates at small scale, rate, share of a convolution that a round prunes."""


def conv(name, dataset, scale):
    model, budget, small, rate, share = CONVS[name]
    length = {
        "smoke": (20, 10, 200, 200),
        "small": (small, 200, 5_000, 10_000),
        "paper": (budget, 100, 5_000, 10_000),
    }
    budget, every, val, test = length[scale]
    return whole(
        f"{name}-{dataset}", scale, dataset, budget=budget, every=every, val=val, test=test, tolerance=0.5,
        config={
            "model": model, "classes": 10, "validation": 5_000, "batch": 60, "optimizer": "adam", "rate": rate,
            "schedule": "constant",
        },
        pruning={"rates": {"conv.*": share, "output.weight": 0.1}},
    )  # fmt: skip


DEEP = {
    "resnet20": ("resnet-20", 30_000, 128, 0.1, None, 0, 20),
    "resnet20-low": ("resnet-20", 30_000, 128, 0.01, None, 0, 20),
    "resnet20-warmup": ("resnet-20", 30_000, 128, 0.03, 20_000, 0, 20),
    "resnet20-rewind": ("resnet-20", 30_000, 128, 0.1, None, 500, 20),
    "vgg19": ("vgg-19", 112_000, 64, 0.1, None, 0, 4),
    "vgg19-low": ("vgg-19", 112_000, 64, 0.01, None, 0, 4),
    "vgg19-warmup": ("vgg-19", 112_000, 64, 0.1, 10_000, 0, 4),
    "vgg19-rewind": ("vgg-19", 112_000, 64, 0.1, None, 100, 4),
    "vgg19-warmup-layers": ("vgg-19", 112_000, 64, 0.1, 10_000, 0, 4),
}
"""Name -> model, updates, batch, rate, updates of warm-up, rewind step, updates of the smoke scale."""
DROPS = {"resnet-20": (20_000, 25_000), "vgg-19": (56_000, 84_000)}


def deep(name, dataset, scale):
    model, budget, batch, rate, warmup, rewind, few = DEEP[name]
    images = 200 if model == "resnet-20" else 100
    length, every, val, test = (budget, 100, 5_000, 10_000) if scale == "paper" else (few, few // 2, images, images)
    return whole(
        f"{name}-{dataset}", scale, dataset, budget=length, every=every, val=val, test=test, tolerance=0.5,
        constant_rate=False, rewind=min(rewind, length // 2),
        config={
            "model": model, "classes": 10, "validation": 5_000, "augment": {"crop": 4, "flip": True}, "batch": batch,
            "optimizer": "sgd", "rate": rate, "momentum": 0.9, "weight_decay": 1e-4, "schedule": "step",
            "milestones": [drop / budget for drop in DROPS[model]], "gamma": 0.1,
            **({"warmup": warmup / budget} if warmup else {}),
        },
        pruning={"scope": scope_of(name), "exempt": ["*shortcut*", "output.*"]},
    )  # fmt: skip


def scope_of(name):
    return "layer" if name.endswith("-layers") else "global"


# 1906.02773 section 3.

SETS = {
    "cifar10": (97, 10, 10.0), "cifar10a": (48, 10, 10.0), "cifar10b": (48, 10, 10.0), "cifar100": (97, 100, 1.0),
    "svhn": (143, 10, 19.6), "fashion": (117, 10, 10.0), "imagenet": (2_502, 1_000, 0.1), "places365": (3_522, 365, 100 / 365),
}  # fmt: skip
"""Name -> updates of an epoch of batch 512, classes, chance."""


def morcos(net, dataset, optimizer, scale, layers=""):
    epoch, classes, chance = SETS[dataset]
    large = dataset in {"imagenet", "places365"}
    epochs, drops = (160, (80, 120)) if net == "vgg19-gap" else (90, (50, 65, 80))
    config = {
        "model": "vgg-19" if net == "vgg19-gap" else "torchvision:resnet50", "channels": 3, "side": 224 if large else 32,
        "classes": classes, "validation": 0, "batch": 512, "schedule": "step",
        "milestones": [drop / epochs for drop in drops], "gamma": 0.1,
        "augment": {"flip": dataset != "svhn", **({} if large else {"crop": 4})},
    }  # fmt: skip
    if optimizer == "-adam":
        config |= {"optimizer": "adam", "rate": 3e-4, "weight_decay": 1e-4}
    else:
        config |= {"optimizer": "sgd", "rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
    if dataset in {"cifar10a", "cifar10b"}:
        config["part"] = [int(dataset == "cifar10b"), 2]
    if large:
        config["stream"] = True
    length = {"budget": epochs * epoch, "every": 10 * epoch, "rewind": 3 * epoch if large else epoch, "evaluation": {}}
    if scale == "smoke":
        config["batch"] = 8 if large else 16
        length = {"budget": 4, "every": 2, "rewind": 1, "evaluation": {"test": 100}}
    return whole(
        f"{net}-{dataset}{optimizer}{layers}", scale, dataset.removesuffix("a").removesuffix("b"), config=config, chance=chance,
        tolerance=0.5, pruning={"scope": scope_of(layers), "exempt": ["output.*"]}, **length, **AT_THE_END,
        unsupported={} if net == "vgg19-gap" else {"small-dense": "torchvision's models have one width"},
    )  # fmt: skip


# The stand-ins.

SLIM_SCALES = {
    "smoke": (20, 5, 100, 5_000, 0.5, 500, 0.1),
    "quick": (400, 50, 100, 5_000, 0.5, 10_000, 0.1),
    "small": (975, 195, 128, 25_000, 1.0, 10_000, 40 / 975),
}
"""Scale -> updates, those of an epoch, batch, images, width, test images, share of the warm-up."""
SLIM = (
    "cifar10a",
    "cifar10b",
    "cifar10b-layers",
    "cifar10a-adam",
    "cifar10b-adam",
    "fashion",
    "cifar10a-5k",
    "cifar10a-animals",
)


def slim(name, scale):
    budget, epoch, batch, images, width, test, warmup = SLIM_SCALES[scale]
    config = {
        "model": "slim-vgg", "width": width, "channels": 3, "side": 16, "classes": 10, "limit": images, "validation": 0,
        "batch": batch, "optimizer": "sgd", "rate": 0.05, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "cosine",
        "warmup": warmup,
    }  # fmt: skip
    changed = {}
    if name.endswith("-adam"):
        del config["momentum"]
        config |= {"optimizer": "adam", "rate": 3e-3, "weight_decay": 1e-4}
    if name != "fashion":
        config["part"] = [int("10b" in name), 2]
    if name.endswith("-5k"):
        config["limit"] = images // 5
    if name.endswith("-animals"):
        config |= {"classes": 2, "superclasses": [[0, 1, 8, 9], [2, 3, 4, 5, 6, 7]]}
        changed = {"chance": 60.0}
    return whole(
        f"slim-{name}", scale, "fashion" if name == "fashion" else "cifar10-jpeg", budget=budget, every=epoch, rewind=epoch,
        config=config, pruning={"rate": 0.4, "scope": scope_of(name), "exempt": ["output.*"]}, tolerance=1.0,
        **{**AT_THE_END, "evaluation": {"test": test}, **changed},
    )  # fmt: skip


def conv2_16px(scale):
    budget, every, val, test = {
        "smoke": (20, 10, 500, 500), "quick": (400, 100, 2_000, 2_000), "small": (2_000, 200, 5_000, 10_000)
    }[scale]  # fmt: skip
    config = {
        "channels": 3, "side": 16, "model": "conv-2", "classes": 10, "validation": 5_000, "batch": 60, "optimizer": "adam",
        "rate": 2e-4, "schedule": "constant",
    }  # fmt: skip
    pruning = {"rates": {"conv.*": 0.1, "output.weight": 0.1}}
    return whole(
        "conv2-16px", scale, "cifar10-jpeg", budget=budget, every=every, val=val, test=test, config=config, pruning=pruning,
        tolerance=1.0,
    )  # fmt: skip


def resnet_16px(ending, scale):
    budget, every, val, test, rewind = {
        "smoke": (20, 10, 500, 500, 4), "quick": (200, 50, 2_000, 2_000, 20), "small": (2_000, 200, 5_000, 10_000, 200)
    }[scale]  # fmt: skip
    config = {
        "channels": 3, "side": 16, "model": "resnet-20", "width": 0.5, "classes": 10, "validation": 5_000,
        "augment": {"crop": 2, "flip": True}, "batch": 128, "optimizer": "sgd", "momentum": 0.9,
        "rate": 0.01 if ending == "-low" else 0.1, "weight_decay": 1e-4, "schedule": "step",
        "milestones": [2 / 3, 5 / 6], "gamma": 0.1,
    }  # fmt: skip
    return whole(
        f"resnet20-half-16px{ending}", scale, "cifar10-jpeg", budget=budget, every=every, val=val,
        test=test, rewind=rewind if ending == "-rewind" else 0, config=config, tolerance=1.0, constant_rate=False,
        pruning={"scope": "global", "exempt": ["*shortcut*", "output.*"]},
    )  # fmt: skip


BOTH = ("cifar10", "cifar10-jpeg")
STAND_IN_SCALES = ("smoke", "quick", "small")
EXPECTED = [
    *(
        lenet(name, dataset, scale)
        for name, dataset in (("lenet-mnist", "mnist"), ("lenet-fashion", "lenet-fashion"))
        for scale in LENET_SCALES
    ),
    *(conv(*each) for each in itertools.product(CONVS, BOTH, ("smoke", "small", "paper"))),
    *(deep(*each) for each in itertools.product(DEEP, BOTH, ("smoke", "paper"))),
    *(morcos(*each) for each in itertools.product(("vgg19-gap", "resnet50"), SETS, ("", "-adam"), ("smoke", "paper"))),
    *(morcos("vgg19-gap", "cifar10", "", scale, "-layers") for scale in ("smoke", "paper")),
    *(slim(*each) for each in itertools.product(SLIM, STAND_IN_SCALES)),
    *map(conv2_16px, STAND_IN_SCALES),
    *(resnet_16px(*each) for each in itertools.product(("", "-rewind", "-low"), STAND_IN_SCALES)),
]


def key(expected):
    return f"{expected['name']}@{expected['scale']}"


def test_these_are_all_tasks():
    assert len({key(expected) for expected in EXPECTED}) == len(EXPECTED)
    assert {key(expected) for expected in EXPECTED} == set(domain.tasks())


@pytest.mark.parametrize("expected", EXPECTED, ids=key)
def test_the_recipe_is_what_was_written_down(expected):
    found = to_json(domain.tasks()[key(expected)])
    assert {field: value for field, value in found.items() if field not in TOLD} == expected


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("lenet-300-100", {"hidden.0.weight": 0.2, "output.weight": 0.1}),
        ("conv-2", {"conv.0.weight": 0.1, "hidden.0.weight": 0.2, "output.weight": 0.1}),
        ("conv-4", {"conv.3.weight": 0.1, "hidden.1.weight": 0.2, "output.weight": 0.1}),
        ("conv-6", {"conv.5.weight": 0.15, "hidden.0.weight": 0.2, "output.weight": 0.1}),
    ],
)
def test_layers_are_pruned_at_the_papers_rates(model, rates):
    pruning = PRUNING[model]
    assert (pruning.scope, pruning.biases, pruning.exempt) == ("layer", False, ())
    assert {name: pruning.rate_of(name) for name in rates} == rates


@pytest.mark.parametrize("model", ["resnet-20", "vgg-19"])
def test_convolutions_are_pooled_without_shortcuts_and_output(model):
    pruning = PRUNING[model]
    assert (pruning.rate, pruning.scope, pruning.biases) == (0.2, "global", False)
    assert pruning.is_exempt("blocks.3.shortcut.0.weight")
    assert pruning.is_exempt("output.weight")
    assert not pruning.is_exempt("conv.0.weight")
