"""What each published arm is, written down a second time: another recipe under the same name and version is another arm."""

import pytest

from bench.errors import SpecError
from bench.tickets.methods import METHODS, define

CUBIC = {"start": 0.1, "end": 0.7, "cuts": 40}
COSINE = {"drop": 0.3, "end": 0.75, "cuts": 40}

RECIPES = {  # mask, weights, training, parents, options
    "dense": ("none", "initial", "full", (), {}),
    "ticket": ("iterative", "rewind", "rewound", ("previous", "dense"), {}),
    "ticket-init": ("iterative", "initial", "full", ("previous",), {}),
    "reinit": ("ticket", "fresh", "full", ("ticket",), {}),
    "reinit-signed": ("ticket", "fresh-signed", "full", ("ticket", "dense"), {}),
    "permuted": ("ticket", "permuted", "rewound", ("ticket", "dense"), {}),
    "shuffled": ("shuffled", "fresh", "full", ("ticket",), {}),
    "random-ticket": ("uniform", "fresh", "full", (), {}),
    "random-erk": ("erk", "fresh", "full", (), {}),
    "small-dense": ("none", "narrow", "full", (), {}),
    "one-shot": ("one-shot", "rewind", "rewound", ("dense",), {}),
    "one-shot-reinit": ("one-shot", "fresh", "full", ("dense",), {}),
    "one-shot-increase": ("increase", "rewind", "rewound", ("dense",), {}),
    "one-shot-untrained": ("one-shot", "initial", "untrained", ("dense",), {}),
    "ticket-noise": ("ticket", "noisy", "rewound", ("ticket", "dense"), {"deviations": 3.0}),
    "ticket-reordered": ("ticket", "rewind", "reordered", ("ticket", "dense", "twin"), {}),
    "shuffled-values": ("shuffled", "carried", "rewound", ("ticket", "dense"), {}),
    "fine-tune": ("iterative", "trained", "last-rate", ("previous", "dense"), {}),
    "lr-rewind": ("iterative", "trained", "rewound", ("previous", "dense"), {}),
    "magnitude-init": ("magnitude", "initial", "full", (), {}),
    "snip": ("snip", "initial", "full", (), {"losses": 10}),
    "magnitude-shuffled": ("magnitude-shuffled", "initial", "full", (), {}),
    "snip-shuffled": ("snip-shuffled", "initial", "full", (), {"losses": 10}),
    "grasp": ("grasp", "initial", "full", (), {"losses": 10, "temperature": 200}),
    "synflow": ("synflow", "initial", "full", (), {"rounds": 100}),
    "gmp": ("ones", "initial", "gmp", (), CUBIC),
    "set": ("erk", "initial", "set", (), COSINE),
    "rigl": ("erk", "initial", "rigl", (), COSINE),
}


def test_the_arms_are_those_of_the_list_in_its_order():
    """Tables and lists show them in this order."""
    assert list(METHODS) == list(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_published_arm_is_its_recipe(name):
    mask, weights, training, parents, options = RECIPES[name]
    method = METHODS[name]
    assert (method.name, method.version) == (name, 1)
    assert (method.mask, method.weights, method.training) == (mask, weights, training)
    assert method.parents == parents
    assert dict(method.options) == options
    assert method.about


def test_a_column_that_there_is_not_is_refused_by_name():
    with pytest.raises(SpecError, match="method column 'nowhere': write one of initial, rewind, "):
        define("mine", "ones", "nowhere", "full", "")
