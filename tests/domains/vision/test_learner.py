import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.errors import Diverged, SpecError, UnknownName
from bench.runs.planning.plan import plan
from bench.spec import Entry, Suite
from bench.streams import Streams
from bench.tickets.conformance import check_learner
from bench.tickets.methods import METHODS
from domains.vision import domain
from domains.vision.examples.examples import load


def variant(task, **config):
    return replace(task, config={**task.config, **config})


def build(task, streams=None, width=1.0):
    return domain.learner(task, streams=streams or Streams(0), device="cpu", width=width)


def same(one, other):
    """Whether two states are equal to the bit."""
    tensors, others = ({**state.weights, **state.buffers} for state in (one, other))
    return (
        tensors.keys() == others.keys()
        and all(torch.equal(tensors[name], others[name]) for name in tensors)
        and (one.step, one.updates, one.origin) == (other.step, other.updates, other.origin)
    )


def test_the_learner_conforms(either):
    assert check_learner(domain, either) == []


def test_a_short_training_does_not_wait_for_a_compiler():
    code = """
import sys

from bench.streams import Streams
from domains.vision import domain

learner = domain.learner(domain.tasks()["vision/lenet-mnist@smoke"], streams=Streams(0), device="cpu")
learner.train(2)
learner.snapshot()
learner.evaluate("val")
print({"torch._dynamo", "sympy"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_a_loaded_learner_equals_a_new_one_to_the_bit(either):
    begin = build(either).snapshot()
    new, used = build(either), build(either)
    used.train(13)
    used.load(begin)
    assert not used.optimizer.state
    assert all(parameter.grad is None for parameter in used.module.parameters())
    assert same(used.snapshot(), new.snapshot())
    for learner in (new, used):
        learner.train(25)
    assert same(used.snapshot(), new.snapshot())


def test_load_copies_into_the_same_objects(either):
    learner = build(either)
    objects = [learner.optimizer, *learner.module.parameters(), *learner.module.buffers()]
    learner.load(build(either, Streams(1)).snapshot())
    assert all(
        one is other
        for one, other in zip(
            objects, [learner.optimizer, *learner.module.parameters(), *learner.module.buffers()], strict=True
        )
    )
    held = [each for group in learner.optimizer.param_groups for each in group["params"]]
    assert all(one is other for one, other in zip(held, learner.module.parameters(), strict=True))


def test_load_takes_a_copy(task):
    learner = build(task)
    state = learner.snapshot()
    kept = {name: weight.clone() for name, weight in state.weights.items()}
    learner.load(state)
    learner.train(3)
    assert all(torch.equal(kept[name], weight) for name, weight in state.weights.items())


def test_a_snapshot_is_not_changed_by_training(either):
    learner = build(either)
    state = learner.snapshot()
    kept = {name: tensor.clone() for name, tensor in {**state.weights, **state.buffers}.items()}
    learner.train(5)
    assert all(torch.equal(kept[name], tensor) for name, tensor in {**state.weights, **state.buffers}.items())
    moved = learner.snapshot()
    assert all((moved.weights[name] != weight).any() for name, weight in state.weights.items())
    assert all((moved.buffers[name] != buffer).any() for name, buffer in state.buffers.items())
    assert moved.step == moved.updates == 5


def test_fewer_examples_than_a_batch_are_refused(task):
    told = r"^59 of 159 examples are left to train on \(limit is 159, validation is 100, batch is 60\): take more, hold out"
    with pytest.raises(SpecError, match=told):
        build(variant(task, limit=159))
    build(variant(task, limit=160)).train(2)


def test_a_split_that_nothing_is_held_out_for_is_refused_before_training(task):
    with pytest.raises(
        SpecError, match="vision/lenet-mnist is evaluated on val, and its examples are for test: hold some"
    ):
        build(variant(task, validation=0))
    with pytest.raises(SpecError, match="is evaluated on train, and its examples are for test and val: hold some"):
        build(replace(task, splits=("val", "test", "train")))


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "all"])
def test_an_evaluation_of_no_examples_is_known_when_planning(task, count):
    told = domain.refusal(replace(task, evaluation={"val": count}))
    assert told.startswith(f"evaluation.val is {count!r}: write how many examples")
    assert domain.refusal(replace(task, evaluation={"val": 1})) is None


def test_what_a_limit_leaves_is_known_when_planning(task):
    def asked(**config):
        return Suite(
            name="few",
            title="",
            entries=(Entry(task=variant(task, **config), methods=(METHODS["dense"],), levels=(0,), seeds=(0,)),),
        )

    with pytest.raises(
        SpecError, match=r"^vision/lenet-mnist@smoke: 0 of 80 examples .*limit is 80, validation is 100, batch is 60"
    ):
        plan(asked(limit=80))
    for fine in (asked(limit=160), asked()):
        assert len(plan(fine).units) == 1


def test_a_state_of_another_model_or_width_is_refused(task, normed):
    learner = build(task)
    for other in (build(normed), build(task, width=0.5)):
        with pytest.raises(SpecError, match="another"):
            learner.load(other.snapshot())


def test_batch_norm_statistics_are_state(normed):
    learner = build(normed)
    learner.train(4)
    state = learner.snapshot()
    assert set(state.buffers) == {"2.running_mean", "2.running_var", "2.num_batches_tracked"}
    assert state.buffers["2.num_batches_tracked"] == 4
    learner.train(9)
    learner.load(state)
    assert same(learner.snapshot(), state)


def test_training_is_in_training_mode(normed):
    plain, left = build(normed), build(normed)
    left.module.eval()
    for learner in (plain, left):
        learner.train(3)
    assert same(plain.snapshot(), left.snapshot())


def test_training_is_plain_descent_on_the_batches_of_one_permutation_per_epoch(task):
    learner = build(variant(task, optimizer="sgd", rate=0.05))
    other = build(task).module
    train = learner._splits["train"]
    for step in range(12):
        order = Streams(0).numpy("data", step // 10).permutation(600)
        rows = torch.from_numpy(order[step % 10 * 60 : step % 10 * 60 + 60])
        images, labels = train.at(rows)
        loss = F.cross_entropy(other(images), labels)
        gradients = torch.autograd.grad(loss, list(other.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(other.parameters(), gradients, strict=True):
                parameter.sub_(0.05 * gradient)
    learner.train(12)
    for ours, plain in zip(learner.module.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


def batches(learner, until):
    """The rows of every batch from the learner's step on."""
    seen = []
    while learner.step < until:
        seen.append(learner._rows().tolist())
        learner.train(learner.step + 1)
    return seen


def test_data_order_is_a_function_of_seed_and_step(task):
    whole = batches(build(task), 25)
    for step in (0, 7, 10, 19):
        learner = build(task)
        learner.train(23)
        learner.load(replace(learner.snapshot(), step=step))
        assert batches(learner, 25) == whole[step:]
    assert batches(build(task, Streams(0, level=3).refreshed()), 25) == whole
    assert batches(build(task, Streams(1)), 2) != whole[:2]


def test_an_epoch_visits_whole_batches_once_and_drops_the_rest(task):
    learner = build(variant(task, batch=70))  # 8 batches of 70 leave 40 of the 600 out
    first, second = (batches(learner, until) for until in (8, 16))
    for epoch in (first, second):
        rows = [row for batch in epoch for row in batch]
        assert {len(batch) for batch in epoch} == {70}
        assert len(set(rows)) == len(rows) == 560
        assert max(rows) < 600
    assert first != second


def test_many_calls_are_one_training(either):
    whole, parts = build(either), build(either)
    whole.train(40)
    for until in (3, 3, 2, 10, 11, 40):
        parts.train(until)
    assert same(whole.snapshot(), parts.snapshot())
    assert parts.step == 40


def test_the_seed_decides_everything(either):
    def trained(seed):
        learner = build(either, Streams(seed))
        learner.train(5)
        return learner.snapshot()

    torch.manual_seed(1)
    first = trained(0)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert same(first, trained(0))
    assert torch.equal(torch.get_rng_state(), state)
    other = trained(1)
    assert all((other.weights[name] != weight).any() for name, weight in first.weights.items())


def test_fresh_streams_differ_in_initial_weights_only(task):
    streams = Streams(0, level=2)
    plain, fresh = build(task, streams), build(task, streams.refreshed())
    assert (plain.snapshot().weights["hidden.0.weight"] != fresh.snapshot().weights["hidden.0.weight"]).all()
    fresh.load(plain.snapshot())
    assert [loss.item() for loss in fresh.losses(2)] == [loss.item() for loss in plain.losses(2)]
    for learner in (plain, fresh):
        learner.train(12)
    assert same(plain.snapshot(), fresh.snapshot())


def rates(learner, until):
    """The learning rate that every update really used."""
    seen = []
    handle = learner.optimizer.register_step_pre_hook(
        lambda optimizer, *_: seen.append((learner.step, optimizer.param_groups[0]["lr"]))
    )
    learner.train(until)
    handle.remove()
    return dict(seen)


def test_the_schedule_spans_the_budget_and_holds_its_last_rate(dropping):
    seen = rates(build(dropping), 60)
    wanted = [0.025, 0.05, 0.075] + [0.1] * 17 + [0.01] * 10 + [0.001] * 30
    assert list(seen.values()) == pytest.approx(wanted)


def test_a_resumed_schedule_goes_on_and_a_restarted_one_starts_anew(dropping):
    task = replace(dropping, rewind_step=10, schedule="restart")
    learner = build(task)
    learner.train(10)
    state = learner.snapshot()
    learner.train(40)
    learner.load(state)
    assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    resumed = rates(learner, 40)
    learner.load(replace(state, origin=10))
    assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 / 3)
    restarted = rates(learner, 40)
    assert resumed == {step: rate for step, rate in rates(build(task), 40).items() if step >= 10}
    assert restarted[10] == pytest.approx(0.1 / 3)  # a warm-up of 4 of 40 steps is 3 of 30
    assert [step for step in restarted if restarted[step] == pytest.approx(0.1)] == list(range(12, 25))
    assert [step for step in restarted if restarted[step] == pytest.approx(0.001)] == list(range(32, 40))
    assert learner.snapshot().origin == 10


def test_adam_and_sgd_take_the_papers_options(task, dropping):
    adam = build(task).optimizer
    assert isinstance(adam, torch.optim.Adam)
    told = {"lr": 1.2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False}
    assert {name: adam.defaults[name] for name in told} == told
    assert build(variant(task, weight_decay=1e-4)).optimizer.defaults["weight_decay"] == 1e-4
    sgd = build(dropping).optimizer
    assert isinstance(sgd, torch.optim.SGD)
    told = {"momentum": 0.9, "weight_decay": 1e-3, "dampening": 0, "nesterov": False}
    assert {name: sgd.defaults[name] for name in told} == told
    still = build(variant(task, optimizer="sgd")).optimizer.defaults
    assert (still["momentum"], still["weight_decay"]) == (0, 0)


def test_width_narrows_the_network(task):
    narrow = build(task, width=0.1)
    assert narrow.module.hidden[0].weight.shape == (30, 784)
    assert narrow.module.output.weight.shape == (10, 10)
    narrow.train(2)


def test_divergence_is_noticed_at_the_end_of_a_call(task):
    learner = build(variant(task, optimizer="sgd", rate=1e30))
    with pytest.raises(Diverged) as caught:
        learner.train(7)
    assert caught.value.step == learner.step == 7


def test_divergence_is_noticed_on_the_way(task):
    learner = build(variant(task, optimizer="sgd", rate=1e30))
    with pytest.raises(Diverged, match="training loss is not finite at step 50"):
        learner.train(1_000)
    assert learner.step == 50


def test_a_last_loss_that_is_not_finite_is_divergence(task):
    learner = build(variant(task, optimizer="sgd", rate=1e-40))
    with torch.no_grad():
        learner.module.output.bias[:2] = torch.tensor([3e38, -3e38])  # finite, and so are all gradients
    with pytest.raises(Diverged, match="training loss is not finite at step 3"):
        learner.train(3)


def test_one_weight_that_is_not_finite_is_divergence(task):
    learner = build(task)
    with torch.no_grad():
        learner.module.hidden[0].bias[3] = -torch.inf  # a dead unit: the loss stays finite
    with pytest.raises(Diverged, match=r"hidden\.0\.bias"):
        learner.train(1)


def test_what_does_not_exist_is_named(task):
    with pytest.raises(UnknownName, match="split"):
        build(task).evaluate("train")
    with pytest.raises(UnknownName, match="optimizer"):
        build(variant(task, optimizer="adagrad"))
    with pytest.raises(UnknownName, match="model"):
        build(variant(task, model="lenet-5"))


def test_a_changing_rate_is_not_called_constant(dropping):
    with pytest.raises(SpecError, match="constant_rate"):
        build(replace(dropping, constant_rate=True))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"schedule": "cosin"}, "unknown schedule 'cosin': did you mean 'cosine'"),
        ({"warmup": 0.1}, "the schedule is constant, yet has warmup: drop them or write 'step'"),
        ({"schedule": "cosine"}, "task vision/lenet-mnist has constant_rate and a cosine schedule: drop one"),
    ],
)
def test_a_schedule_that_contradicts_itself_is_known_when_planning(task, config, told):
    assert domain.refusal(variant(task, **config)).startswith(told)
    assert domain.refusal(task) is None


@pytest.fixture
def convolving(stand_in):
    """A slim VGG on 200 colour images of 8x8."""
    stand_in(200, 70, image=(3, 8, 8))
    slim = domain.tasks()["vision/slim-cifar10a@smoke"]
    config = {**slim.config, "width": 0.25, "side": 8, "limit": 100, "batch": 20}
    return replace(slim, config=config, evaluation={})


def test_a_convolving_learner_conforms(convolving):
    assert check_learner(domain, convolving) == []


def test_convolutions_and_their_images_are_channels_last_and_others_are_not(convolving, task):
    seen = []
    learner = build(convolving)
    learner.module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    learner.train(2)
    learner.evaluate("test")
    next(learner.losses(1))
    assert len(seen) == 5
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images in seen)
    weights = [each for each in learner.module.parameters() if each.ndim == 4]
    learner.load(learner.snapshot())
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in weights)
    assert all(each.is_contiguous() for each in build(task).module.parameters())


def test_a_task_without_validation_images_has_no_such_split(convolving):
    with pytest.raises(UnknownName, match="known are test"):
        build(convolving).evaluate("val")


def test_the_head_is_the_output_layer(convolving, task):
    from fnmatch import fnmatchcase

    for each in (convolving, task):
        learner = build(each)
        names = [name for name, _ in learner.module.named_parameters()]
        head = [name for name in names if any(fnmatchcase(name, pattern) for pattern in learner.head)]
        assert head == names[-2:] == ["output.weight", "output.bias"]


def test_the_config_of_a_task_may_narrow_its_network(convolving):
    narrow = build(variant(convolving, width=0.5), width=0.5)
    assert narrow.module.conv[0].weight.shape == (4, 3, 3, 3)
    assert build(convolving).module.output.weight.shape == (10, 16)


def test_the_fit_is_measured_on_the_training_images_themselves_and_changes_nothing(either, monkeypatch):
    learner = build(either)
    learner.train(25)
    before = learner.snapshot()
    found = learner.fit()
    assert same(learner.snapshot(), before)
    images, labels = load(either, "cpu")["train"].at(torch.arange(300))
    monkeypatch.setattr("domains.vision.learner.FIT", len(labels))
    learner.module.eval()
    with torch.no_grad():
        logits = learner.module(images)
    assert learner.fit()["accuracy"] == pytest.approx(100 * float((logits.argmax(1) == labels).float().mean()))
    assert learner.fit()["loss"] == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-4)
    assert found.keys() == learner.evaluate("test").keys()


@pytest.mark.parametrize("data", ["mnist", "cifar-10", "cifar10-jpeg", "images-of-ones-own"])
def test_the_fit_is_of_the_first_images_where_their_classes_are_mixed(task, monkeypatch, data):
    """As published."""
    monkeypatch.setattr("domains.vision.learner.FIT", 50)
    assert build(replace(task, data={data: "0" * 64}))._fitted().tolist() == list(range(50))


def test_statistics_are_estimated_anew_from_training_images_alone(convolving):
    learner = build(convolving)
    learner.train(25)
    before = learner.snapshot()
    learner.reestimate()
    after = learner.snapshot()
    assert all(torch.equal(before.weights[name], after.weights[name]) for name in before.weights)
    train = load(convolving, "cpu")["train"]
    images, _ = train.at(torch.arange(len(train)))
    norm = next(module for module in learner.module.modules() if isinstance(module, nn.BatchNorm2d))
    seen = []
    norm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        learner.module.train()(images)
    assert torch.allclose(after.buffers["norm.0.running_mean"], seen[0].mean((0, 2, 3)), rtol=1e-4, atol=1e-6)
    assert not torch.equal(after.buffers["norm.0.running_mean"], before.buffers["norm.0.running_mean"])


def test_large_images_are_evaluated_in_smaller_batches(convolving, monkeypatch):
    from domains.vision import learner as learner_module

    assert learner_module._at_once((1, 28, 28)) == 1_000
    assert learner_module._at_once((3, 32, 32)) == 255
    assert learner_module._at_once((3, 224, 224)) == 64
    learner, seen = build(convolving), []
    learner.module.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    whole = learner.evaluate("test")
    monkeypatch.setattr(learner_module, "EVALUATION_PIXELS", 1)
    assert learner.evaluate("test")["accuracy"] == whole["accuracy"]
    assert seen == [70, 64, 6]
