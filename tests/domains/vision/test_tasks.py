import json
import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image

from bench.doors import ForwardsOnes
from bench.learner import Learner
from bench.spec import SCALES, task_from_json, to_json
from bench.streams import Streams
from domains.vision import domain
from domains.vision.datasets import DIGESTS, large
from domains.vision.examples import examples

TASKS = domain.tasks()
LENETS = {key: task for key, task in TASKS.items() if task.name.startswith("vision/lenet")}
LENGTHS = {"smoke": (40, 20), "quick": (800, 200), "small": (5_000, 250), "paper": (50_000, 100)}


def test_lenet_has_two_data_sets_at_four_scales():
    names = ("vision/lenet-mnist", "vision/lenet-fashion")
    assert set(LENETS) == {f"{name}@{scale}" for name in names for scale in SCALES}
    assert all(task.key == key for key, task in TASKS.items())


def test_listing_tasks_imports_no_torch():
    program = (
        "import sys; from domains.vision import domain; assert domain.tasks(); "
        "heavy = {'torch', 'torchvision', 'PIL', 'scipy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("task", LENETS.values(), ids=LENETS)
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


@pytest.mark.parametrize("task", LENETS.values(), ids=LENETS)
def test_what_differs_from_the_paper_is_said(task):
    said = " ".join(task.deviations)
    assert "ReLU" in said
    assert (f"{task.budget:,} updates" in said) == (task.scale != "paper")
    assert (f"every {task.evaluate_every} updates" in said) == (task.scale != "paper")
    assert ("MNIST only" in said) == (task.name == "vision/lenet-fashion")
    assert ("1,000 validation" in said) == (task.scale == "smoke")


@pytest.mark.parametrize("task", LENETS.values(), ids=LENETS)
def test_only_smoke_evaluates_on_less_than_everything(task):
    wanted = {"val": 1_000, "test": 1_000} if task.scale == "smoke" else {"val": 5_000, "test": 10_000}
    assert task.evaluation == wanted


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_task_survives_json(task):
    assert to_json(task_from_json(to_json(task))) == to_json(task)


@pytest.mark.parametrize(
    "task", [task for task in TASKS.values() if "jpeg" in json.dumps(task.data)], ids=lambda t: t.key
)
def test_the_jpeg_copy_is_never_taken_for_cifar_10(task):
    assert task.data == {"cifar10-jpeg": DIGESTS["cifar10-jpeg"]}
    assert any("JPEG, which is lossy" in sentence for sentence in task.deviations)


@pytest.mark.parametrize("task", [task for task in TASKS.values() if task.scale != "paper"], ids=lambda task: task.key)
def test_a_shorter_training_says_so(task):
    if task.name not in {"vision/lenet-mnist", "vision/lenet-fashion"}:
        assert any(f"Trained for {task.budget:,} updates" in sentence for sentence in task.deviations)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_an_evaluation_on_less_than_everything_says_so_and_nothing_says_what_is_no_deviation(task):
    said = " ".join(task.deviations)
    assert f"{task.evaluation['test']:,}" in said if task.evaluation.get("test", 10_000) < 10_000 else True
    assert "every 100 updates; the paper evaluates every 100" not in said


def test_no_sentence_is_longer_than_a_record_holds():
    assert max(len(sentence) for task in TASKS.values() for sentence in task.deviations) < 300


def test_slim_tasks_fit_each_others_tickets():
    """Same network, same pruning and an output layer that is not part of the ticket, at every scale."""
    for scale in ("smoke", "quick", "small"):
        slim = [task for task in TASKS.values() if task.name.startswith("vision/slim-") and task.scale == scale]
        (by_layer,) = [task for task in slim if task.name.endswith("-layers")]
        slim.remove(by_layer)
        assert by_layer.pruning == replace(slim[0].pruning, scope="layer")
        assert len(slim) == 7
        assert (
            len({json.dumps([to_json(task.pruning), task.config["model"], task.config["width"]]) for task in slim}) == 1
        )
        assert all(task.pruning.is_exempt("output.weight") for task in slim)


IMAGES = {"mnist": (1, 28, 28), "fashion-mnist": (1, 28, 28)}
"""Data set -> what its images are, if not colour of 32x32."""
HEAVY = ("vgg-19", "torchvision:resnet50")
SHRUNK = {"batch": 8, "side": 64}
"""The most that a heavy network is given; its own batch of 512 and the 224 pixels of ImageNet are for GPUs."""


@pytest.fixture
def data(stand_in, monkeypatch, tmp_path):
    """Gives a task 50,000 random images like its own, or six in files."""

    def provide(task):
        ((name, _),) = task.data.items()
        classes = 10 if "superclasses" in task.config else task.config.get("classes", 10)
        if not task.config.get("stream"):
            stand_in(50_000, 600, image=IMAGES.get(name, (3, 32, 32)), classes=classes)
            return
        files = []
        for number in range(6):
            Image.new("RGB", (80, 60), (number, 0, 0)).save(tmp_path / f"{number}.png")
            files.append((f"{number}.png", number))
        monkeypatch.setattr(large, "find", lambda _: (tmp_path, {"train": files * 100, "test": files}))
        examples._load.cache_clear()

    return provide


def told_apart(*, heavy):
    """The first of those that train alike for two updates: a budget, evaluation, rewind step or pruning does not matter yet."""
    found = {}
    for task in TASKS.values():
        if (task.config["model"] in HEAVY) == heavy:
            found.setdefault(json.dumps([trained(task).config, task.data], sort_keys=True), task)
    return list(found.values())


def trained(task):
    """A task as it is tried here."""
    if task.config["model"] not in HEAVY:
        return task
    shrunk = {key: min(task.config[key], most) for key, most in SHRUNK.items() if key in task.config}
    return replace(task, config={**task.config, **shrunk}, evaluation={"val": 4, "test": 4})


def takes_two_updates(task):
    learner = domain.learner(task, streams=Streams(0), device="cpu")
    assert isinstance(learner, Learner)
    assert isinstance(learner, ForwardsOnes)
    before = learner.snapshot()
    learner.train(2)
    assert (learner.step, learner.updates) == (2, 2)
    assert any((weight != before.weights[name]).any() for name, weight in learner.snapshot().weights.items())
    if task.scale == "smoke":
        for split in task.splits:
            assert task.directions.keys() == learner.evaluate(split).keys()


@pytest.mark.parametrize("task", told_apart(heavy=False), ids=lambda t: t.key)
def test_every_task_is_built_and_takes_two_updates(data, task):
    data(task)
    takes_two_updates(task)


@pytest.mark.slow
@pytest.mark.parametrize("task", told_apart(heavy=True), ids=lambda t: t.key)
def test_every_heavy_task_is_built_and_takes_two_updates(data, task):
    data(task)
    takes_two_updates(trained(task))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "side"), [("vision/vgg19-gap-cifar10a@paper", 32), ("vision/resnet50-imagenet@paper", 224)]
)
def test_what_the_paper_trains_is_shown_its_own_batch(data, key, side):
    task = TASKS[key]
    data(task)
    learner = domain.learner(task, streams=Streams(0), device="cpu")

    def stop(_, inputs):
        raise InterruptedError(tuple(inputs[0].shape))

    learner.module.register_forward_pre_hook(stop)
    with pytest.raises(InterruptedError) as shown:
        learner.train(1)
    assert shown.value.args == ((512, 3, side, side),)


@pytest.mark.slow
def test_images_of_imagenet_are_trained_on_at_their_own_size(data):
    task = TASKS["vision/resnet50-imagenet@paper"]
    data(task)
    takes_two_updates(replace(task, config={**task.config, "batch": 2}))
