"""One finished unit measured: all of it is told, and a wrong execution is no measurement."""

import json
from multiprocessing import Pipe
from threading import Thread

import pytest
import torch
from example import ExampleDomain
from folders import Folders
from torch import nn
from torch.nn.functional import layer_norm

from bench import registry
from bench.errors import Unsupported
from bench.schema import decode
from bench.speed import TIMED, WAYS, Speed
from bench.tickets.speed import measure as measuring
from bench.tickets.speed import networks
from bench.tickets.speed.differences import TOLERANCE, Unequal, apart, exceeded
from bench.tickets.speed.layers import SparseLinear
from bench.tickets.speed.measure import measure
from bench.tickets.speed.serve import serve

TASKS = {"teacher": "teacher/two-layer", "rl": "rl/cartpole-a2c", "q": "rl/cartpole-dqn"}


@pytest.fixture(scope="module", autouse=True)
def domains():
    """The registry knows the example domain besides those that are installed."""
    installed = registry.domains()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "domains", lambda: {**installed, "example": ExampleDomain()})
        yield patch


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished unit of the example's task, or of another's."""
    made = {}

    def folder(method="ticket", level=2, of=None):
        if of not in made:
            more = {"task": registry.task(TASKS[of], "smoke")} if of else {}
            made[of] = Folders(tmp_path_factory.mktemp("runs"), **more)
        made[of](method, level)
        return made[of].folders[method, level]

    return folder


def test_everything_is_told_and_valid(finished):
    folder = finished(of="teacher")
    record = json.loads((folder / "record.json").read_text())
    found = measure(folder, device="cpu", count=4)
    assert decode(json.dumps(found), Speed) == found
    for name in ("unit_id", "density", "flops", "flops_dense"):
        assert found[name] == record[name]
    assert found["result"] == record["digests"]["result"]
    named = ("task", "method", "level", "seed", "batch", "rounds")
    assert [found[each] for each in named] == ["teacher/two-layer@smoke", "ticket", 2, 0, 16, 4]
    assert set(found["executions"]) == set(WAYS)
    for way in found["executions"].values():
        for told in (way["seconds"], way["faster"]):
            assert set(told) == set(TIMED)
            assert all(0 < each["low"] <= each["median"] <= each["high"] for each in told.values())
    assert all(each == {"median": 1, "low": 1, "high": 1} for each in found["executions"]["dense"]["faster"].values())
    assert found["several"]["nets"] == 16
    assert not found["nulls"]
    assert not found["masked_dense"]
    assert all(found["difference"][name] <= 1e-12 for name in TOLERANCE), "of 64-bit numbers"
    assert found["clock"] == ("processor" if torch.get_num_threads() == 1 else "wall")
    assert found["provenance"]["threads"] == torch.get_num_threads()
    assert found["provenance"]["capability"]


def test_a_ratio_is_that_of_the_same_round(finished, monkeypatch):
    """Three rounds, each twice as slow as the last: whatever slows the machine down is in no ratio."""
    slow, own = (1.0, 2.0, 4.0), {"dense": 3.0, "masked": 4.0, "sparse": 2.0}
    monkeypatch.setattr(
        measuring,
        "rounds",
        lambda things, *_, **__: {
            name: [each * (24.0 if name == "several" else own[name[0]]) for each in slow] for name in things
        },
    )
    monkeypatch.setattr(networks.Network, "training_bytes", 0)
    found = measure(finished(of="teacher"), device="cpu", count=3)
    faster = {way: each["faster"]["step"] for way, each in found["executions"].items()}
    assert faster["sparse"] == {"median": 1.5, "low": 1.5, "high": 1.5}
    assert faster["masked"]["median"] == 0.75
    assert found["executions"]["sparse"]["seconds"]["step"] == {"median": 4.0, "low": 3.0, "high": 6.0}
    assert found["several"]["faster"]["median"] == 16 * 3 / 24, "of so many dense steps"


def test_dense_is_the_unmasked_network_and_masked_has_zeros(finished, monkeypatch):
    seen = {}

    def spy(things, *_, **__):
        for (way, timed), thing in ((name, each) for name, each in things.items() if isinstance(name, tuple)):
            seen[way, timed] = thing.func.__self__
        return {name: [1.0] for name in things}

    monkeypatch.setattr(measuring, "rounds", spy)
    monkeypatch.setattr(networks.Network, "training_bytes", 0)
    found = measure(finished(of="teacher"), device="cpu", count=3)
    zeros = {
        way: sum(int((each == 0).sum()) for name, each in network.module.named_parameters() if each.ndim > 1)
        for (way, timed), network in seen.items()
        if timed == "batch 128"
    }
    counts = json.loads((finished(of="teacher") / "record.json").read_text())["counts"]
    assert zeros == {"dense": 0, "masked": counts["prunable"] - counts["kept"], "sparse": 0}
    assert found["density"] == counts["kept"] / counts["prunable"]
    for (way, timed), network in seen.items():
        assert network.module.training == (timed == "step"), "inference in evaluation mode, steps in training mode"
        kinds = {type(each) for each in network.module.modules()} & {nn.Linear, SparseLinear}
        assert kinds == ({SparseLinear} if way == "sparse" else {nn.Linear})
    assert len({id(network) for network in seen.values()}) == 2 * len(WAYS), "what trains is not what is asked"


@pytest.mark.parametrize("of", ["rl", "q"])
def test_agents_are_measured_without_their_environments(finished, of):
    found = measure(finished(of=of), device="cpu", count=2)
    assert found["several"]["nets"] == 16
    assert found["batch"] == {"rl": 128, "q": 64}[of], "a whole rollout; a batch of what is remembered"
    assert found["difference"]["gradients"] <= TOLERANCE["gradients"]


def test_what_is_not_measured_has_a_reason(finished):
    found = measure(finished(), device="cpu", count=2)
    assert found["nulls"] == {"several": "not all of its layers are linear"}, "it normalises"
    assert "several" not in found


def test_a_wrong_index_is_no_measurement(finished, monkeypatch):
    """One kept weight stands in another column, whose weight is pruned: every sum is legal, and wrong."""

    class Astray(SparseLinear):
        def __init__(self, weight, keep, bias, **blocks):
            row = int((keep.any(1) & ~keep.all(1)).nonzero()[0])
            moved = keep.clone()
            moved[row, keep[row].nonzero()[0]] = False
            moved[row, (~keep[row]).nonzero()[0]] = True
            super().__init__(weight + 1e-3, moved, bias, **blocks)

    monkeypatch.setattr(networks, "SparseLinear", Astray)
    with pytest.raises(
        Unequal, match=r"^sparse and masked execution are not the same: outputs differ by .*, more than 1e-05"
    ):
        measure(finished(of="teacher"), device="cpu", count=2)


def test_a_wrong_gradient_is_no_measurement(finished, monkeypatch):
    """Right outputs, and one weight is told nothing of the loss."""
    right = SparseLinear.__init__

    def deaf(self, *args, **more):
        right(self, *args, **more)
        first = torch.ones_like(self.values).index_fill(0, torch.zeros(1, dtype=torch.int64), 0.0)
        self.values.register_hook(lambda gradient: gradient * first)

    monkeypatch.setattr(SparseLinear, "__init__", deaf)
    with pytest.raises(Unequal, match="gradients differ by"):
        measure(finished(of="teacher"), device="cpu", count=2)


def test_a_block_that_is_not_what_one_is_is_not_timed(finished, monkeypatch):
    right = networks.several

    def wrong(*args):
        made = right(*args)
        made.module.output.values.data[-1] += 1
        return made

    monkeypatch.setattr(networks, "several", wrong)
    found = measure(finished(of="teacher"), device="cpu", count=2)
    assert found["nulls"] == {"several": "side by side its layers are joined by more than functions of single numbers"}


def test_a_unit_without_sparse_layers_is_refused(finished):
    with pytest.raises(Unsupported, match=r"no layer of it can be executed sparse \(nothing of it is pruned\)"):
        measure(finished("dense", 0), device="cpu", count=2)


def test_what_is_farther_apart_than_it_may_be_is_told():
    found = {"outputs": 1.0, "gradients": 0.0, "updates": float("nan")}
    assert exceeded(found) == ["outputs differ by 1, more than 1e-05", "updates differ by nan, more than 0.05"]
    ones = torch.ones(3)
    assert apart(ones, ones) == 0
    assert apart(ones * 3, ones * 2) == 0.5
    assert apart(ones, ones * 0) == float("inf")
    assert apart(ones, torch.ones(4)) == float("inf")


def test_the_process_answers_for_every_unit(finished, monkeypatch):
    ours, theirs = Pipe()
    thread = Thread(target=serve, args=(theirs, 1, "cpu", "2"))
    thread.start()
    folder = finished(of="teacher")

    def told(of):
        ours.send_bytes(str(of).encode())
        return json.loads(ours.recv_bytes())

    assert told(folder)["speed"]["unit_id"] == json.loads((folder / "record.json").read_text())["unit_id"]
    assert told(finished("dense", 0))["refused"].startswith("no layer of it")
    assert "record.json cannot be read" in told(folder / "nowhere")["refused"]
    monkeypatch.setattr(measuring, "exceeded", lambda _: ["outputs differ"])
    assert told(folder) == {"wrong": "sparse and masked execution are not the same: outputs differ"}
    monkeypatch.setattr(measuring, "training_step", lambda _: 1 / 0)
    assert told(folder)["failed"].startswith("ZeroDivisionError: division by zero")
    ours.close()
    thread.join(10)
    assert not thread.is_alive(), "nobody is left to ask"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("of", ["teacher", None])
def test_a_unit_is_measured_on_a_gpu(finished, of):
    found = measure(finished(of=of), device="cuda", count=4)
    assert not exceeded(found["difference"])
    assert ("several" in found) == (of == "teacher")
    assert found["provenance"]["device"] == torch.cuda.get_device_name()


def test_a_block_that_breaks_is_not_timed_and_the_rest_is(finished, monkeypatch):
    """A functional layer norm was told how wide one network is."""
    right = networks.several

    def broken(*args):
        made = right(*args)
        made.module.register_forward_pre_hook(lambda _, inputs: layer_norm(inputs[0], (3,)))
        return made

    monkeypatch.setattr(networks, "several", broken)
    found = measure(finished(of="teacher"), device="cpu", count=2)
    assert found["nulls"] == {"several": "side by side its layers are joined by more than functions of single numbers"}
    assert found["executions"]
