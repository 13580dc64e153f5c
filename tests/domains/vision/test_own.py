"""Networks and examples of a user's own, held to the protocol, and all that can be wrong with them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench import registry
from bench.errors import DataError, SpecError, UnknownName, Unsupported
from bench.spec import Pruning, Unit, task_from_json, to_json
from bench.streams import Streams
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.methods import METHODS
from bench.tickets.protocol import run_unit
from domains import vision
from domains.vision.examples import examples

DIGITS = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 4))

def digits():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 4
    return torch.randn(200, 64, generator=generator) + labels[:, None], labels
"""
PICTURES = """
import numpy as np
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))

def pictures():
    rng = np.random.default_rng(0)
    def some(n):
        labels = np.arange(n) % 3
        return rng.integers(0, 200, (n, 2, 8, 8), dtype=np.uint8) + labels[:, None, None, None].astype(np.uint8), labels
    return {"train": some(90), "test": some(30)}
"""


@pytest.fixture
def digits(write_code):
    write_code("my_tasks.py", DIGITS)

    def make(**changes):
        given = {"network": "my_tasks:net", "data": "my_tasks:digits", "budget": 20, "rate": 1e-2, "evaluate_every": 10}
        return vision.own("digits", **{**given, "scale": "smoke", **changes})

    return make


def learner(task, seed=0, width=1.0):
    return vision.domain.learner(task, streams=Streams(seed), device="cpu", width=width)


def test_numbers_and_a_network_with_dropout_conform(digits):
    """Dropout draws from the streams, not from torch's global state: conformance would find it."""
    task = digits(rewind_step=5)
    assert check_learner(vision.domain, task) == []
    assert check_method(METHODS["ticket"], vision.domain, task) == []


def test_images_and_a_lazy_network_conform(write_code):
    write_code("photos.py", PICTURES)
    task = vision.own(
        "photos", network="photos:net", data="photos:pictures", budget=20, rate=0.05, optimizer="sgd", schedule="cosine",
        evaluate_every=10, config={"momentum": 0.9, "augment": {"crop": 1, "flip": True}}, scale="smoke",
    )  # fmt: skip
    assert task.config["shape"] == [2, 8, 8]
    assert not task.constant_rate
    assert (task.config["validation"], task.config["test"]) == (9, 0)
    assert check_learner(vision.domain, task) == []


@pytest.mark.parametrize("network", ["lenet-300-100", "conv-2"])
def test_networks_of_this_package_take_examples_of_ones_own(write_code, digits, network):
    write_code("photos.py", PICTURES)
    task = vision.own("photos", network=network, data="photos:pictures", budget=4, rate=1e-3, scale="smoke")
    agent = learner(task)
    agent.train(4)
    assert 0 <= agent.evaluate("test")["accuracy"] <= 100
    assert task.pruning.rates["output.weight"] == 0.1
    if network == "lenet-300-100":
        assert learner(digits(network=network)).module(torch.zeros(2, 64)).shape == (2, 4)
    else:
        with pytest.raises(SpecError, match="conv-2 sees images"):
            digits(network=network)


def test_torchvisions_networks_take_images_of_ones_own_and_drop_by_the_seed(write_code):
    text = PICTURES.replace("(n, 2, 8, 8)", "(n, 3, 24, 24)")
    write_code("photos.py", text)
    task = vision.own(
        "photos",
        network="torchvision:squeezenet1_1",
        data="photos:pictures",
        budget=4,
        rate=1e-3,
        batch=8,
        scale="smoke",
    )
    ends = []
    for chance in (1, 2):
        torch.manual_seed(chance)
        agent = learner(task)
        agent.train(3)
        ends.append(agent.snapshot().weights)
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert task.unsupported.keys() == {"small-dense"}
    assert task.pruning.is_exempt("output.weight")


def test_a_network_may_view_what_its_convolutions_give(write_code):
    """The commonest line of all, `x.view(len(x), -1)`, fails where channels lie last in memory."""
    views = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.output = nn.Conv2d(2, 6, 3), nn.Linear(216, 3)

    def forward(self, x):
        return self.output(self.conv(x).relu().view(len(x), -1))
"""
    write_code("photos.py", PICTURES + views)
    task = vision.own("photos", network="photos:Net", data="photos:pictures", budget=4, rate=1e-3, scale="smoke")
    result = run_unit(Unit(task=task, method=METHODS["dense"], level=0, seed=0), vision.domain, {})
    assert result.trained.steps == 4
    assert result.effective_density == 1


def test_images_of_the_package_and_of_the_data_folder_take_a_network_of_ones_own(write_code, data_folder, write_images):
    write_code(
        "flat.py", "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))"
    )
    write_images(data_folder / "pets", train=12, test=3)
    task = vision.own("pets", network="flat:net", data="pets", budget=4, rate=1e-3, batch=4, scale="smoke")
    assert task.config["classes"] == 2
    assert task.chance == 50
    learner(task).train(4)
    with pytest.raises(UnknownName, match="unknown data set 'pest': did you mean 'pets'"):
        vision.own("pets", network="flat:net", data="pest", budget=4, rate=1e-3)
    with pytest.raises(SpecError, match="imagenet does not fit into memory"):
        vision.own("pets", network="flat:net", data="imagenet", budget=4, rate=1e-3)


def test_what_is_held_out_is_as_the_task_says_and_the_same_for_every_seed(digits):
    task = digits()
    splits = examples.load(task, "cpu")
    rows = {split: set(each.rows.tolist()) for split, each in splits.items()}
    assert {split: len(each) for split, each in rows.items()} == {"train": 140, "val": 20, "test": 40}
    assert set.union(*rows.values()) == set(range(200))
    assert "Of 200 examples 20 for validation and 40 for test are held out" in " ".join(task.deviations)
    assert rows == {split: set(each.rows.tolist()) for split, each in learner(task, seed=7)._splits.items()}
    seen, labels = splits["test"].at(torch.arange(3))
    everything = {tuple(row) for row in splits["train"].at(torch.arange(140))[0].tolist()}
    assert not everything & {tuple(row) for row in seen.tolist()}
    assert labels.dtype == torch.int64


def test_what_is_held_out_does_not_normalise(write_code):
    text = PICTURES.replace('{"train": some(90), "test": some(30)}', "some(90)")
    write_code("photos.py", text)
    task = vision.own("photos", network="photos:net", data="photos:pictures", budget=4, rate=1e-3, scale="smoke")
    splits = examples.load(task, "cpu")
    seen = splits["train"].at(torch.arange(len(splits["train"])))[0]
    assert torch.allclose(seen.mean((0, 2, 3)), torch.zeros(2), atol=1e-5)
    assert not torch.allclose(splits["test"].at(torch.arange(18))[0].mean((0, 2, 3)), torch.zeros(2), atol=1e-4)


def test_the_identity_covers_examples_and_code(digits, write_code):
    task = digits()
    assert digits() == task
    assert task_from_json(to_json(task)) == task
    assert vision.domain.code(task).keys() == task.config["code"].keys() == {"my_tasks"}
    write_code("my_tasks.py", DIGITS + "# edited\n")
    edited = digits()
    assert edited.data == task.data
    write_code("my_tasks.py", DIGITS.replace("manual_seed(0)", "manual_seed(1)"))
    other = digits()
    assert other.data != task.data
    assert len({Unit(task=each, method=METHODS["dense"], level=0, seed=0).id for each in (task, edited, other)}) == 3


def test_another_file_or_other_examples_than_the_tasks_are_refused(digits, write_code):
    task = digits()
    write_code("my_tasks.py", DIGITS + "# edited\n")
    with pytest.raises(DataError, match=r"my_tasks.py is not what the task was made with"):
        learner(task)
    write_code("my_tasks.py", DIGITS.replace("torch.Generator().manual_seed(0)", "None"))
    wavering = digits()
    examples._load.cache_clear()
    with pytest.raises(DataError, match="my_tasks:digits gives other examples than when the task was made"):
        learner(wavering)


def test_a_config_that_names_code_without_a_digest_imports_nothing(digits):
    task = digits()
    config = {key: value for key, value in task.config.items() if key != "code"}
    for changed in ({**config, "model": "os:getcwd"}, config):
        with pytest.raises(SpecError, match="names code without the sha256"):
            learner(replace(task, config=changed))


def test_the_domain_knows_what_such_tasks_cannot_do(digits):
    task = digits()
    assert "your own" in vision.domain.seats(task, "cuda")
    with pytest.raises(Unsupported, match="my_tasks:net has one width"):
        learner(task, width=0.5)
    assert "small-dense" in task.unsupported
    assert vision.domain.network(task) != vision.domain.network(digits(config={"classes": 5}))
    other = replace(task, config={**task.config, "code": {"my_tasks": "0" * 64}})
    assert vision.domain.network(task) != vision.domain.network(other)
    assert registry.foreign_code(task) == (
        "names code, 'my_tasks', which runs only for the suite or file of your own that brings it"
    )


NETWORKS = {
    "return [1]": "returns a list: return a torch.nn.Module",
    "return nn.Linear(64, 7)": r"gives \(2, 7\) for 2 examples of 4 classes: its outputs must be \(2, 4\)",
    "return nn.Linear(9, 4)": r"cannot see examples of 64 \(64 numbers\): RuntimeError",
    "return nn.LSTM(64, 4)": "gives a tuple for 2 examples",
    "return nn.Linear(64, 4).double()": "cannot see examples of 64",
    "return nn.Flatten(0)": r"gives \(128,\) for 2 examples",
    "1 / 0": r"my_tasks.py:\d+: ZeroDivisionError: division by zero",
}


@pytest.mark.parametrize("body", NETWORKS)
def test_what_is_no_network_for_the_examples_is_refused(write_code, digits, body):
    write_code("my_tasks.py", f"{DIGITS}\ndef net():\n    {body}\n")
    with pytest.raises(SpecError, match=NETWORKS[body]) as caught:
        learner(digits())
    assert "\n" not in str(caught.value)


def test_a_network_may_fold_numbers_into_images(write_code, digits):
    net = "nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 2, 3), nn.Flatten(), nn.LazyLinear(4))"
    write_code("my_tasks.py", f"{DIGITS}\ndef net():\n    return {net}\n")
    agent = learner(digits())
    agent.train(2)
    assert agent.evaluate("val")["loss"] > 0


def test_a_network_without_weights_is_refused(write_code, digits):
    write_code(
        "my_tasks.py",
        f"{DIGITS}\nclass Cut(nn.Module):\n    def forward(self, x):\n        return x[:, :4]\nnet = Cut\n",
    )
    with pytest.raises(SpecError, match="has no weights"):
        learner(digits())


DATA = {
    "return 5": "train: it gives a int: give",
    "return x, y, y": "train: it gives 3 things",
    "return {'test': (x, y)}": "gives the splits test: give",
    "return {'train': (x, y), 'valid': (x, y)}": "gives the splits train, valid",
    "x[17, 3] = float('nan'); return x, y": "example 17 of 200 is not finite",
    "x[3, 0] = float('inf'); return x, y": "example 3 of 200 is not finite",
    "return x[:3], y[:3]": "gives 3 examples to train with: 10 or more",
    "return x, y * 0": "every label is 0: two classes or more",
    "return x, y + 1": "4 classes are labelled from 1 to 4: number them from 0 to 3",
    "return x, y - 1": "4 classes are labelled from -1 to 2",
    "return x, y.float()": r"its labels are float32 \(200,\) for examples \(200, 64\)",
    "return x, y[:5]": r"its labels are int64 \(5,\)",
    "return x[:, 0], y": r"its examples are float32 \(200,\): give numbers",
    "return x.to(torch.uint8), y": r"its bytes are \(200, 64\): give images",
    "return {'train': (x, y), 'test': (x[:5], y[:5] + 3)}": "test: label 4 is none of the 4",
    "return {'train': (x, y), 'test': (x[:0], y[:0])}": r"test: its examples are \(0, 64\): give one or more",
    "return [[1, 2], [3]], [0, 1]": "train: it gives 2 things that makes no array",
    "return x.double() * 1e300, y": "example 0 of 200 is not finite",
    "return {'train': (x, y), 'test': (x[:5, :9], y[:5])}": r"test: its examples are float32 \(9,\), those of train",
}


@pytest.mark.parametrize("body", DATA)
def test_what_are_no_examples_is_refused_in_one_line(write_code, digits, body):
    write_code("my_tasks.py", f"{DIGITS}\nmade = digits\ndef digits():\n    x, y = made()\n    {body}\n")
    with pytest.raises(DataError, match=DATA[body]) as caught:
        digits()
    assert "\n" not in str(caught.value)


def test_a_batch_larger_than_the_training_part_is_refused(digits):
    told = r"vision/digits: 140 of 200 examples are left to train on \(validation is 20, test is 40, batch is 141\): take more"
    with pytest.raises(SpecError, match=told):
        digits(batch=141)
    with pytest.raises(
        SpecError,
        match="71 of 99 examples are left to train on .limit is 99, validation is 9, test is 19, batch is 72",
    ):
        digits(batch=72, config={"limit": 99})
    assert digits(config={"limit": 100}).config["batch"] == 35, "half of what is left"


SORTED = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3), nn.Linear(3, 5))

def rows(n, order):
    labels = order(torch.arange(n) % 5)
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(0)) + 4 * labels[:, None], labels

def by_class():
    return {split: rows(n, lambda labels: labels.sort().values) for split, n in (("train", 1_001), ("val", 20), ("test", 20))}

def in_turn():
    return {split: rows(n, lambda labels: labels) for split, n in (("train", 1_001), ("val", 20), ("test", 20))}
"""


@pytest.mark.parametrize("data", ["by_class", "in_turn"])
@pytest.mark.parametrize("most", [100, 10_000])
def test_what_the_fit_is_measured_on_is_like_all_examples_whatever_their_order(write_code, monkeypatch, data, most):
    """Every tenth example of classes in turn would be of one class; a thousand and one end in a batch of one."""
    write_code("ordered.py", SORTED)
    monkeypatch.setattr("domains.vision.learner.FIT", most)
    monkeypatch.setattr("domains.vision.learner.EVALUATION_BATCH", 100)
    task = vision.own("ordered", network="ordered:net", data=f"ordered:{data}", budget=4, rate=1e-3, scale="smoke")
    agents = [learner(task, seed) for seed in (0, 1)]
    train, fitted = agents[0]._splits["train"], agents[0]._fitted()
    assert len(set(fitted.tolist())) == min(most, 1_001)
    assert fitted.equal(agents[1]._fitted()), "one choice for all seeds"
    values, labels = train.at(fitted)
    assert torch.bincount(labels).min() > 0.1 * len(fitted)
    agents[0].module.eval()
    found = (agents[0].module(values).argmax(1) == labels).float().mean()
    assert agents[0].fit()["accuracy"] == pytest.approx(100 * float(found))
    agents[0].reestimate()
    buffers = agents[0].snapshot().buffers
    everything = train.at(torch.arange(1_001))[0]
    assert torch.allclose(buffers["1.running_var"], everything.var(0), rtol=0.2)
    assert torch.allclose(buffers["1.running_mean"], everything.mean(0), atol=1.0)


def test_a_few_examples_are_one_batch_of_what_statistics_are_estimated_on(digits, monkeypatch):
    agent, seen = learner(digits()), []
    agent.module.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    agent.reestimate()
    monkeypatch.setattr("domains.vision.learner.EVALUATION_BATCH", 60)
    agent.reestimate()
    assert seen == [140, 60, 60]


FROZEN = """
import torch
from torch import nn

def net():
    network = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 4))
    network[0].requires_grad_(False)
    return network

def stone():
    return net().requires_grad_(False)
"""


@pytest.mark.parametrize("name", ["ticket", "snip", "grasp", "synflow", "rigl", "gmp"])
def test_a_frozen_layer_is_not_pruned_and_all_else_is(write_code, digits, name):
    write_code("frozen.py", FROZEN)
    task = digits(network="frozen:net")
    assert check_method(METHODS[name], vision.domain, task) == []


def test_a_frozen_layer_stays_as_it_was_and_counts_among_all_weights(write_code, digits):
    write_code("frozen.py", FROZEN)
    task = digits(network="frozen:net")
    assert check_learner(vision.domain, task) == []
    counts = run_unit(Unit(task=task, method=METHODS["snip"], level=3, seed=0), vision.domain, {}).counts
    assert (counts["weights"], counts["prunable"]) == (24 * 64 + 16 * 24 + 4 * 16, 16 * 24 + 4 * 16)
    assert counts["kept"] == round(counts["prunable"] * 0.8**3)
    assert counts["layers"]["0.weight"] == {"all": 24 * 64, "prunable": 0, "kept": 0}
    agent = learner(task)
    before = agent.snapshot().weights
    agent.train(5)
    after = agent.snapshot().weights
    assert {name for name in before if not torch.equal(before[name], after[name])} == before.keys() - {
        "0.weight",
        "0.bias",
    }


NOT_DRAWN = {
    "SHARED = nn.Linear(64, 4)\ndef net():\n    return SHARED": "the same weight at each call",
    "SHARED = nn.Linear(64, 8)\ndef net():\n    return nn.Sequential(SHARED, nn.Linear(8, 4))": "the same 0.weight at each call",
    "SHARED = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8)).requires_grad_(False)\n"
    "def net():\n    return nn.Sequential(SHARED, nn.Linear(8, 4))": "the same 0.1.running_mean at each call",
    "def net():\n    torch.manual_seed(0)\n    return nn.Linear(64, 4)": "the same initial weights for every seed",
}


@pytest.mark.parametrize("body", NOT_DRAWN)
def test_a_network_that_is_not_drawn_by_the_seed_is_refused(write_code, digits, body):
    write_code("others.py", "import torch\nfrom torch import nn\n" + body)
    with pytest.raises(SpecError, match=rf"network others:net \w+ {NOT_DRAWN[body]}"):
        learner(digits(network="others:net"))


def test_frozen_layers_may_be_the_same_for_every_seed(write_code, digits):
    write_code("others.py", """
from torch import nn
BODY = nn.Linear(64, 8).requires_grad_(False)
def net():
    return nn.Sequential(BODY, nn.Linear(8, 4))
""")  # fmt: skip
    one, other = (dict(learner(digits(network="others:net"), seed).module.named_parameters()) for seed in (0, 1))
    assert torch.equal(one["0.weight"], other["0.weight"])
    assert not torch.equal(one["1.weight"], other["1.weight"])


def test_what_a_network_draws_from_numpy_and_python_follows_from_the_seed(write_code, digits):
    write_code("others.py", """
import random
import numpy as np
import torch
from torch import nn
def net():
    made = nn.Linear(64, 4)
    nn.init.constant_(made.bias, random.random())
    made.weight.data = torch.from_numpy(np.random.randn(4, 64)).float()
    return made
""")  # fmt: skip
    first, again, other = (learner(digits(network="others:net"), seed).snapshot().weights for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name]) for name in first)


PICKY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = nn.Linear(64, 4)

    def forward(self, x):
        FORWARD

net = Net
"""


@pytest.mark.parametrize(
    ("forward", "nulls", "told"),
    [
        (
            "return self.output(x.float())",
            {"effective_density"},
            "one example of torch.float64 ones: RuntimeError: mat1",
        ),
        (
            "return self.output(x) @ torch.eye(4)",
            {"effective_density"},
            "one example of torch.float64 ones: RuntimeError",
        ),
        (
            "return self.output(x - x[1])",
            {"effective_density", "flops", "flops_ratio"},
            "one example of torch.float32 ones: IndexError",
        ),
    ],
)
def test_what_a_network_cannot_be_measured_by_is_null_and_costs_no_training(write_code, digits, forward, nulls, told):
    """Flows are measured in double precision, and of one example."""
    write_code("picky.py", PICKY.replace("FORWARD", forward))
    task = digits(network="picky:net")
    result = run_unit(Unit(task=task, method=METHODS["dense"], level=0, seed=0), vision.domain, {})
    assert result.nulls.keys() == nulls
    assert f"network picky:net cannot see {told}" in result.nulls[max(nulls)]
    with pytest.raises(Unsupported, match="picky:net cannot see one example"):
        run_unit(Unit(task=task, method=METHODS["synflow"], level=1, seed=0), vision.domain, {})


def test_what_a_network_draws_while_it_is_evaluated_follows_from_the_seed(write_code, digits):
    write_code("picky.py", PICKY.replace("FORWARD", "return self.output(nn.functional.dropout(x))"))
    agent = learner(digits(network="picky:net"))
    first = [agent.evaluate("test"), agent.fit(), agent.forward_ones().tolist()]
    torch.manual_seed(1)
    assert [agent.evaluate("test"), agent.fit(), agent.forward_ones().tolist()] == first
    agent.load(learner(agent._task, seed=1).snapshot())
    assert learner(agent._task, seed=1).evaluate("test") != agent.evaluate("test"), "another seed draws otherwise"


def test_networks_of_one_file_for_other_classes_take_each_others_tickets(write_code, digits):
    write_code("my_tasks.py", DIGITS + """
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.hidden, self.output = nn.Linear(64, 8), nn.Linear(8, classes)
    def forward(self, x):
        return self.output(self.hidden(x).relu())
def four():
    return Net(4)
def two():
    return Net(2)
""")  # fmt: skip
    few = {"classes": 2, "superclasses": [[0, 1], [2, 3]]}
    heads = Pruning(rate=0.2, scope="global", exempt=("output.*",)), Pruning(rate=0.2, scope="global")
    for pruning, same in zip(heads, (True, False), strict=True):
        one, other = (
            digits(network=f"my_tasks:{name}", pruning=pruning, config=config)
            for name, config in (("four", {}), ("two", few))
        )
        assert (vision.domain.network(one) == vision.domain.network(other)) == same


def test_a_network_that_is_frozen_whole_is_refused(write_code, digits):
    write_code("frozen.py", FROZEN)
    with pytest.raises(SpecError, match="has no weights .* that are not frozen: there is nothing to prune"):
        learner(digits(network="frozen:stone"))


def test_numbers_are_seen_as_they_are_and_not_augmented(digits):
    task = digits()
    given = examples.load(task, "cpu")["train"].values
    assert given.dtype == torch.float32
    assert given.numpy().tobytes() == np.asarray(given).tobytes()
    for config in ({"augment": {"flip": True}}, {"channels": 3}, {"side": 8}, {"normalisation": [0.5, 0.5]}):
        with pytest.raises(SpecError, match=f"leave `{next(iter(config))}` out"):
            digits(config=config)


WORDS = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Embedding(50, 16), nn.Flatten(), nn.Linear(192, 2))

def words():
    examples = torch.randint(50, (200, 12), generator=torch.Generator().manual_seed(0))
    return examples, (examples[:, 0] > 25).long()
"""


def test_whole_numbers_are_seen_as_such_by_own_networks_and_as_floats_by_others(write_code):
    write_code("texts.py", WORDS)

    def make(network):
        return vision.own("texts", network=network, data="texts:words", budget=4, rate=0.01, batch=20, rewind_step=2)

    task = make("texts:net")
    assert check_learner(vision.domain, task) == []
    result = run_unit(Unit(task=task, method=METHODS["dense"], level=0, seed=0), vision.domain, {})
    assert (result.effective_density, result.flops) == (None, None)
    assert "no flow of ones begins" in result.nulls["effective_density"]
    learner(make("lenet-300-100")).train(2)


def test_images_of_ones_own_come_with_the_channels_and_the_side_that_are_asked(write_code):
    write_code("photos.py", PICTURES.replace("(n, 2, 8, 8)", "(n, 1, 8, 8)").replace("Conv2d(2", "Conv2d(3"))
    task = vision.own(
        "photos", network="photos:net", data="photos:pictures", budget=4, rate=0.01, config={"channels": 3, "side": 4}
    )
    assert task.config["shape"] == [3, 4, 4]
    assert examples.load(task, "cpu")["train"].shape == (3, 4, 4)
    learner(task).train(1)
    write_code("photos.py", PICTURES.replace("(n, 2, 8, 8)", "(n, 3, 8, 8)"))
    with pytest.raises(SpecError, match="channels is 2, but the images have"):
        vision.own("photos", network="photos:net", data="photos:pictures", budget=4, rate=0.01, config={"channels": 2})


MIXED = """
import numpy as np
from torch import nn

def net():
    return nn.Linear(3, 2)

def rows():
    labels = np.repeat(np.arange(4), [40, 30, 20, 10])
    return np.random.default_rng(0).normal(size=(100, 3)), labels
"""


@pytest.mark.parametrize(
    ("superclasses", "expected"), [([[0], [1, 2, 3]], 60.0), ([[0, 3], [1, 2]], 50.0), ([[3], [2]], 100 * 20 / 30)]
)
def test_chance_is_that_of_the_superclasses(write_code, superclasses, expected):
    write_code("mixed.py", MIXED)
    config = {"classes": 2, "superclasses": superclasses}
    task = vision.own("mixed", network="mixed:net", data="mixed:rows", budget=2, rate=0.1, batch=5, config=config)
    assert task.chance == pytest.approx(expected)


def test_a_test_set_may_lack_a_label_of_the_superclasses(write_code):
    write_code("parted.py", DIGITS + """
def net():
    return nn.Linear(64, 2)

def parted():
    examples, labels = digits()
    few = labels[:40] < 3
    return {"train": (examples[40:], labels[40:]), "test": (examples[:40][few], labels[:40][few])}
""")  # fmt: skip
    config = {"classes": 2, "superclasses": [[0, 1], [2, 3]]}
    task = vision.own("parted", network="parted:net", data="parted:parted", budget=4, rate=0.1, config=config)
    splits = examples.load(task, "cpu")
    labels = splits["test"].labels[splits["test"].rows]
    assert (torch.bincount(labels).tolist(), {split: len(each) for split, each in splits.items()}) == (
        [20, 10],
        {"train": 144, "val": 16, "test": 30},
    )


@pytest.mark.parametrize(
    "config",
    [{"part": [0, 2]}, {"classes": 2, "superclasses": [[1], [2]]}, {"limit": 100}, {"part": [1, 2], "limit": 60}],
)
def test_held_out_shares_are_of_the_examples_that_are_taken(digits, config):
    task = digits(config=config)
    counts = {split: len(each) for split, each in examples.load(task, "cpu").items()}
    whole = sum(counts.values())
    assert (counts["val"], counts["test"]) == (whole // 10, whole // 5)
    assert f"Of {whole} examples" in task.deviations[1]


def test_one_deviation_is_one_sentence(digits):
    assert digits(deviations="It is small.").deviations == digits(deviations=("It is small.",)).deviations


def test_deviations_count_the_examples_that_are_taken(digits):
    (told,) = (each for each in digits(config={"limit": 100}).deviations if each.startswith("Of "))
    assert (
        told
        == "Of 100 examples 10 for validation and 20 for test are held out, drawn once and the same for every seed."
    )


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"validation": 0}, "there is no split val, and none held out: validation is 0"),
        ({"test": 0}, "there is no split test, and none held out: test is 0"),
        ({"momentun": 0.9}, "unknown key of a config 'momentun': did you mean 'momentum'?"),
        ({"momentum": 0.9}, "its config has a momentum, which Adam does not read"),
        ({"classes": 2, "superclasses": [[0], [4]]}, "superclasses have label 4, but the data set has 4, from 0 on"),
        ({"classes": 3, "superclasses": [[0], [1]]}, "classes is 3, but there are 2 superclasses"),
    ],
)
def test_a_config_that_cannot_be_followed_is_refused(digits, config, told):
    with pytest.raises(SpecError) as caught:
        digits(config=config)
    assert told in str(caught.value)


@pytest.mark.parametrize("changes", [{"batch": 0}, {"batch": -3}, {"rate": -1.0}])
def test_arguments_out_of_bounds_are_refused(digits, changes):
    with pytest.raises(SpecError, match="its config does not fit: Expected"):
        digits(**changes)
