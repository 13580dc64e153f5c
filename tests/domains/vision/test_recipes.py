"""Every constant of every recipe, written down a second time: from 1803.03635 (figure 2, section 2) and what it leaves open."""

import pytest

from bench.spec import to_json
from domains.vision import domain
from domains.vision.pruning import PRUNING

TOLD = ("groups", "unsupported", "source", "deviations")
"""What a reader is told; other tests look at it."""

DATA = {
    "mnist": ("c40f5a58ae5edb81cbaa81ad2c5e91bc6196ffec3b49adb1ba325dc5bca58e68", [0.1307, 0.3081]),
    "fashion-mnist": ("2bb72cf4f0d46784f7b981b9571f08096daf4059620b6409f57bc881d6ab07df", [0.2860, 0.3530]),
}
"""Data set -> digest, mean and standard deviation."""

SCALES = {
    "smoke": (40, 20, 1_000, 1_000),
    "quick": (800, 200, 5_000, 10_000),
    "small": (5_000, 250, 5_000, 10_000),
    "paper": (50_000, 100, 5_000, 10_000),
}
"""Scale -> updates, updates between evaluations, images of validation and test."""


def lenet(name, dataset, scale):
    digest, normalisation = DATA[dataset]
    budget, every, val, test = SCALES[scale]
    return {
        "name": name, "scale": scale, "version": 1, "data": {dataset: digest}, "budget": budget, "unit": "updates",
        "evaluate_every": every, "rewind_step": 0, "schedule": "resume", "metric": "accuracy",
        "directions": {"accuracy": "max", "loss": "min"}, "split": "test", "splits": ["val", "test"],
        "at": ["final", "early-stop"], "select": "loss", "evaluation": {"val": val, "test": test}, "tolerance": 0.2,
        "chance": 10.0, "reference": None, "fewest_seeds": 3, "constant_rate": True,
        "pruning": {"rate": 0.2, "scope": "layer", "biases": False, "rates": {"output.weight": 0.1}, "exempt": []},
        "config": {
            "model": "lenet-300-100", "normalisation": normalisation, "validation": 5_000, "split_seed": 0, "batch": 60,
            "optimizer": "adam", "rate": 1.2e-3, "schedule": "constant",
        },
    }  # fmt: skip


EXPECTED = [
    lenet(name, dataset, scale)
    for name, dataset in (("vision/lenet-mnist", "mnist"), ("vision/lenet-fashion", "fashion-mnist"))
    for scale in SCALES
]


def test_these_are_all_tasks():
    assert [f"{expected['name']}@{expected['scale']}" for expected in EXPECTED] == list(domain.tasks())


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: f"{expected['name']}@{expected['scale']}")
def test_the_recipe_is_what_was_written_down(expected):
    found = to_json(domain.tasks()[f"{expected['name']}@{expected['scale']}"])
    assert {key: value for key, value in found.items() if key not in TOLD} == expected


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
