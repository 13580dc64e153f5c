import subprocess
import sys

import pytest

from bench.learner import ForwardsOnes, Learner
from bench.spec import SCALES, task_from_json, to_json
from bench.streams import Streams
from domains.vision import domain
from domains.vision.datasets import DIGESTS

TASKS = domain.tasks()
LENGTHS = {"smoke": (40, 20), "quick": (800, 200), "small": (5_000, 250), "paper": (50_000, 100)}


def test_two_data_sets_at_four_scales():
    names = ("vision/lenet-mnist", "vision/lenet-fashion")
    assert set(TASKS) == {f"{name}@{scale}" for name in names for scale in SCALES}
    assert all(task.key == key for key, task in TASKS.items())


def test_listing_tasks_imports_no_torch():
    program = (
        "import sys; from domains.vision import domain; assert domain.tasks(); "
        "heavy = {'torch', 'torchvision'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_task_is_the_papers_recipe(task):
    assert (task.budget, task.evaluate_every) == LENGTHS[task.scale]
    assert (task.rewind_step, task.unit, task.schedule) == (0, "updates", "resume")
    assert task.at == ("final", "early-stop")
    assert (task.metric, task.select, task.chance, task.tolerance) == ("accuracy", "loss", 10.0, 0.2)
    assert task.constant_rate
    config = task.config
    assert (config["optimizer"], config["rate"], config["batch"]) == ("adam", 1.2e-3, 60)
    assert config["validation"] == 5_000
    assert (task.pruning.rate, task.pruning.rate_of("output.weight"), task.pruning.scope) == (0.2, 0.1, "layer")
    assert task.data.items() <= DIGESTS.items()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_what_differs_from_the_paper_is_said(task):
    said = " ".join(task.deviations)
    assert "ReLU" in said
    assert (f"{task.budget:,} updates" in said) == (task.scale != "paper")
    assert (f"every {task.evaluate_every} updates" in said) == (task.scale != "paper")
    assert ("MNIST only" in said) == (task.name == "vision/lenet-fashion")
    assert ("1,000 validation" in said) == (task.scale == "smoke")


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_only_smoke_evaluates_on_less_than_everything(task):
    wanted = {"val": 1_000, "test": 1_000} if task.scale == "smoke" else {"val": 5_000, "test": 10_000}
    assert task.evaluation == wanted


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_task_survives_json(task):
    assert to_json(task_from_json(to_json(task))) == to_json(task)


def test_every_task_is_built_and_takes_two_updates(stand_in):
    stand_in(60_000, 10_000)
    for task in TASKS.values():
        learner = domain.learner(task, streams=Streams(0), device="cpu")
        assert isinstance(learner, Learner)
        assert isinstance(learner, ForwardsOnes)
        before = learner.snapshot()
        learner.train(2)
        assert (learner.step, learner.updates) == (2, 2)
        assert any((weight != before.weights[name]).any() for name, weight in learner.snapshot().weights.items())
        for split in ("val", "test"):
            assert task.directions.keys() == learner.evaluate(split).keys()
