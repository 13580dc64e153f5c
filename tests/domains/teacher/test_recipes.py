"""Every constant of every recipe, written down a second time; and each task, at each scale, built and trained a little.

1909.13458 by its code (two-layer experiments, README sweep), 1905.13405 by its code (recon_multilayer.py; test_multilayer.py
with a perturbed start), and what this suite adds: how long, on how much, and how it is pruned.
"""

import itertools

import pytest

from bench.spec import task_from_json, to_json
from bench.streams import Streams
from domains.teacher import domain

TOLD = ("source", "deviations", "unsupported")
"""What a reader is told; other tests look at it."""

SCALES = ("smoke", "quick", "small", "paper")
METRICS = {
    "log_loss": "min", "recovered": "max", "recovered_weak": "max", "recovered_strong": "max", "best_correlation": "max",
    "strength_order": "max", "lshape": "max", "fanout_ratio": "min", "initial_rank": "min", "luck": "max",
    "observability": "max",
}  # fmt: skip


def whole(name, scale, *, budget, every, held_out, chance, config, rate=0.2, more=()):
    return {
        "name": f"teacher/{name}", "scale": scale, "version": 1, "data": {}, "budget": budget, "unit": "updates",
        "evaluate_every": every, "rewind_step": 0, "schedule": "resume", "metric": "log_loss",
        "directions": {**METRICS, **dict.fromkeys(more, "max")}, "split": "test", "splits": ["test"],
        "at": ["final", "5%"], "select": None, "evaluation": {"test": held_out}, "tolerance": 0.25, "chance": chance,
        "reference": None, "fewest_seeds": 3, "constant_rate": True, "groups": {},
        "pruning": {"rate": rate, "scope": "layer", "biases": False, "rates": {}, "exempt": []}, "config": config,
    }  # fmt: skip


# Two layers, 1909.13458: m teacher nodes of strength (j + 1) ** -p, d Gaussian inputs, c = 50 outputs.

TWO_LAYER = {  # updates, between evaluations, examples to train on and held out; d, m, rate
    "smoke": ((40, 2, 1_000, 500), (20, 10, 0.02)),
    "quick": ((1_000, 50, 10_000, 4_000), (20, 10, 0.02)),
    "small": ((3_000, 150, 10_000, 4_000), (20, 10, 0.02)),
    "paper": ((100_000, 1_000, 10_000, 10_000), (100, 20, 0.01)),
}
P_AND_MULTI = {  # p, students per teacher node, log loss of an untrained student (and at paper scale), weights pruned a round
    "two-layer": (1.0, 10, (-0.69, -0.7), 0.2),
    "two-layer-even": (0.5, 10, (-0.42, -0.34), 0.2),
    "two-layer-narrow": (0.5, 2, (-0.42, -0.34), 0.4),
}


def two_layer(name, scale):
    (budget, every, samples, held_out), (d, m, rate) = TWO_LAYER[scale]
    p, multi, chance, pruned = P_AND_MULTI[name]
    config = {
        "sizes": [d, m, 50], "multi": multi, "teacher": "per-seed", "draw": "decaying", "decay": p,
        "init": {"kind": "normal", "std": 0.005}, "std": 1.5, "samples": samples, "sampling": "replacement", "batch": 16,
        "rate": rate, "loss": "half-sum", "dtype": "float64",
    }  # fmt: skip
    return whole(
        name,
        scale,
        budget=budget,
        every=every,
        held_out=held_out,
        chance=chance[scale == "paper"],
        config=config,
        rate=pruned,
    )


# Deep, 1905.13405: ks [10, 15, 20, 25], 20 inputs of standard deviation 10, 100 outputs, 40 epochs of 1,563 batches.

DEEP = {  # updates, between evaluations, examples to train on and held out, students per teacher node
    "smoke": (40, 2, 1_000, 500, 4),
    "quick": (1_000, 50, 20_000, 4_000, 4),
    "small": (5_000, 250, 20_000, 4_000, 4),
    "paper": (62_520, 1_563, 100_000, 4_000, 10),
}


def deep(scale):
    budget, every, samples, held_out, multi = DEEP[scale]
    config = {
        "sizes": [20, 10, 15, 20, 25, 100], "multi": multi, "teacher": "fixed", "draw": "normalised", "bias": 0.5,
        "init": {"kind": "uniform"}, "std": 10.0, "samples": samples, "sampling": "epochs", "batch": 64, "rate": 0.05,
        "loss": "mean", "dtype": "float32",
    }  # fmt: skip
    more = ("best_correlation_2", "best_correlation_3", "best_correlation_4")
    return whole("deep", scale, budget=budget, every=every, held_out=held_out, chance=0.68, config=config, more=more)


# Planted, 1905.13405: ks [10, 20, 30], twice the nodes, init std .1, rate .05, batches of 64, 20,000 updates.

PLANTED = {
    "smoke": (40, 2, 500),
    "quick": (500, 25, 4_000),
    "small": (3_000, 150, 4_000),
    "paper": (20_000, 1_000, 4_000),
}


def planted(scale):
    budget, every, held_out = PLANTED[scale]
    config = {
        "sizes": [10, 20, 30], "multi": 2, "teacher": "per-seed", "draw": "normalised", "bias": 0.0,
        "init": {"kind": "planted", "std": 0.1}, "std": 1.0, "samples": 0, "sampling": "fresh", "batch": 64, "rate": 0.05,
        "loss": "half-sum", "dtype": "float32",
    }  # fmt: skip
    return whole("planted", scale, budget=budget, every=every, held_out=held_out, chance=-0.7, config=config)


RECIPES = {
    (recipe["name"], recipe["scale"]): recipe
    for recipe in (
        *(two_layer(*each) for each in itertools.product(P_AND_MULTI, SCALES)),
        *(deep(scale) for scale in SCALES),
        *(planted(scale) for scale in SCALES),
    )
}
PAPER = [key for key in domain.tasks() if key.endswith("@paper")]


def test_every_task_is_written_down():
    assert {(task.name, task.scale) for task in domain.tasks().values()} == set(RECIPES)


@pytest.mark.parametrize("key", domain.tasks())
def test_a_task_is_its_recipe(key):
    told = to_json(domain.tasks()[key])
    assert {name: value for name, value in told.items() if name not in TOLD} == RECIPES[told["name"], told["scale"]]


def test_tasks_survive_being_written():
    assert all(task_from_json(to_json(task)) == task for task in domain.tasks().values())


def test_five_per_cent_of_the_budget_is_a_point_of_the_curve():
    for task in domain.tasks().values():
        assert (task.budget * 0.05) % task.evaluate_every == 0


@pytest.mark.parametrize("key", domain.tasks())
def test_a_task_tells_what_it_is_of_and_where_it_differs(key):
    task = domain.tasks()[key]
    paper = "1909.13458" if "two-layer" in task.name else "1905.13405"
    assert paper in task.source
    assert all(sentence.endswith(".") for sentence in task.deviations)
    said = " ".join(task.deviations)
    assert ("the paper trains for" in said) is (task.scale != "paper")
    assert f"a round here prunes {task.pruning.rate:.0%} of the weights of each layer" in said
    if task.scale != "paper":
        assert f"Trained for {task.budget:,} updates" in said


@pytest.mark.parametrize(
    "key",
    [
        *(key for key in domain.tasks() if key not in PAPER),
        *(pytest.param(key, marks=pytest.mark.slow) for key in PAPER),
    ],
)
def test_a_task_is_built_and_trained_two_updates(key):
    task = domain.tasks()[key]
    learner = domain.learner(task, streams=Streams(1), device="cpu")
    sizes, multi = task.config["sizes"], task.config["multi"]
    widths = [each.out_features for each in learner.module if hasattr(each, "out_features")]
    assert widths == [*(nodes * multi for nodes in sizes[1:-1]), sizes[-1]]
    before = learner.evaluate("test")
    assert before["log_loss"] == pytest.approx(task.chance, abs=0.2)
    learner.train(2)
    after = learner.evaluate("test")
    assert (learner.step, learner.updates) == (2, 2)
    assert after["log_loss"] != before["log_loss"]
    assert set(after) | set(learner.absent()) == set(task.directions)


@pytest.mark.slow
def test_the_small_task_learns_its_teacher_in_seconds():
    """Teacher-student notes of this suite: all ten nodes at p = .5 with ten times as many students."""
    task = domain.tasks()["teacher/two-layer-even@small"]
    learner = domain.learner(task, streams=Streams(0), device="cpu")
    learner.train(task.budget)
    found = learner.evaluate("test")
    assert found["recovered"] == 1
    assert found["log_loss"] < -4
    assert found["initial_rank"] < 0.2
