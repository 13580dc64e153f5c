"""Each silent bug of a learner, written on purpose, is caught by the check that exists for it."""

import re
from dataclasses import replace

import pytest
import torch
from example import MOONS, ExampleDomain, Moons, moons, variant

from bench.code.own import told_in_a_line
from bench.errors import SpecError
from bench.learner import State
from bench.tickets.conformance import check_learner
from bench.tickets.conformance.findings import raised
from bench.tickets.conformance.learners import LEARNER_CHECKS


def test_the_example_domain_conforms():
    assert check_learner(ExampleDomain(), MOONS) == []


class PrunesTheUnknown(Moons):
    def prunable(self):
        return {**super().prunable(), "tied.weight": torch.ones(4, 2, dtype=torch.bool)}


class PrunesIntegers(Moons):
    def prunable(self):
        return {name: each.long() for name, each in super().prunable().items()}


class ForgetsBuffers(Moons):
    def load(self, state):
        kept = {name: each.clone() for name, each in self.module.named_buffers()}
        super().load(replace(state, buffers=kept))


class KeepsMoments(Moons):
    def load(self, state):
        kept = {parameter: dict(value) for parameter, value in self.optimizer.state.items()}
        super().load(state)
        self.optimizer.state.update(kept)


class AliasesSnapshots(Moons):
    def snapshot(self):
        return State(
            weights={name: each.detach() for name, each in self.module.named_parameters()},
            buffers=dict(self.module.named_buffers()),
            step=self.step,
            updates=self.updates,
        )


class ReplacesParameters(Moons):
    """A mask that was attached before is lost with the parameter."""

    def load(self, state):
        for module in (self.module[0], self.module[4]):
            module.weight = torch.nn.Parameter(module.weight.detach().clone())
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=0.1, momentum=0.9)
        super().load(state)


class LosesTheMask(Moons):
    """Goes on with other parameters in the middle of training."""

    def train(self, until):
        super().train(self.step + 1)
        self.module[0].weight = torch.nn.Parameter(self.module[0].weight.detach().clone())
        super().train(until)


class DrawsGlobally(Moons):
    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        torch.nn.init.xavier_normal_(self.module[0].weight)


class SeedsAfterwards(Moons):
    """The recorded seed has no effect on the weights."""

    def __init__(self, task, streams, width):
        super().__init__(task, replace(streams, seed=0, init="init"), width)
        self.streams = streams


class OrdersDataAlike(Moons):
    """Every seed sees the same data in the same order: intervals over seeds are too narrow."""

    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        self.streams = replace(streams, seed=0)


class OrdersFreshDataAnew(Moons):
    """Arms that start from fresh weights see other data: they are paired with nothing."""

    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        self.streams = replace(streams, seed=streams.seed + 100 * (streams.init == "fresh"))


class EvaluatesInTrainingMode(Moons):
    def evaluate(self, split):
        self.module(torch.zeros(4, 2))
        return super().evaluate(split)


class TrainsOnScores(Moons):
    def losses(self, n, *, temperature=1.0):
        for loss in super().losses(n, temperature=temperature):
            self.step += 1
            yield loss


class StretchesTheSchedule(Moons):
    """Every call of `train` is taken for a whole training: what a second `learn()` does."""

    def train(self, until):
        self.origin = self.step
        super().train(until)


class FallsBeyondTheBudget(Moons):
    """As the inverse square root does that never learns the budget."""

    def rate(self):
        return super().rate() / max(1, self.step + 1 - self.task.budget)


def learner_checks(learner_class, task=MOONS):
    return {finding.check for finding in check_learner(ExampleDomain(learner_class), task)}


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (PrunesTheUnknown, "C2"),
        (PrunesIntegers, "C2"),
        (ForgetsBuffers, "C4"),
        (KeepsMoments, "C4"),
        (AliasesSnapshots, "C1"),
        (ReplacesParameters, "C4"),
        (LosesTheMask, "C2"),
        (DrawsGlobally, "C10"),
        (SeedsAfterwards, "C10"),
        (OrdersDataAlike, "C10"),
        (OrdersFreshDataAnew, "C10"),
        (EvaluatesInTrainingMode, "C13"),
        (TrainsOnScores, "C13"),
        (StretchesTheSchedule, "C9"),
        (FallsBeyondTheBudget, "C9"),
    ],
)
def test_a_broken_learner_is_caught(broken, check):
    task = variant(rewind_step=30) if broken is StretchesTheSchedule else MOONS
    assert check in learner_checks(broken, task)


def test_findings_read_as_one_line():
    finding = check_learner(ExampleDomain(ForgetsBuffers), MOONS)[0]
    assert str(finding).startswith("C4: ")
    assert "\n" not in str(finding)


def test_a_learner_that_shares_its_whole_state_is_told_once():
    (finding,) = (each.what for each in check_learner(ExampleDomain(AliasesSnapshots), MOONS) if each.check == "C1")
    assert re.match(r"snapshot shares \d parts of the state \(0.weight, 0.bias, 1.weight, ...\) with the live", finding)


def test_what_is_checked_is_told_on_the_way():
    told = []
    check_learner(ExampleDomain(), MOONS, tell=told.append)
    assert told == [f"{name} ({n} of {len(LEARNER_CHECKS)})" for n, (name, _) in enumerate(LEARNER_CHECKS, start=1)]


class Raises(Moons):
    def evaluate(self, split):
        raise RuntimeError(f"no {split}\nand more")


class CannotBeBuilt(Moons):
    def __init__(self, *_):
        raise OSError("no data here")


@pytest.mark.parametrize(("broken", "said"), [(Raises, "RuntimeError: no "), (CannotBeBuilt, "OSError: no data here")])
def test_what_a_learner_raises_is_a_finding_with_file_and_line(broken, said):
    findings = [finding for finding in check_learner(ExampleDomain(broken), MOONS) if finding.check == "C14"]
    assert findings
    assert all(re.fullmatch(rf"{said}.* \(.*test_learners\.py:\d+\)", finding.what) for finding in findings)


Opaque = type("Opaque", (), {name: value for name, value in vars(Moons).items() if name != "forward_ones"})
"""Offers no all-ones examples, although its domain says so."""


class Secretive(ExampleDomain):
    forwards_ones = False


def test_what_planning_knows_of_synflow_is_checked():
    assert "has no forward_ones" in " ".join(map(str, check_learner(ExampleDomain(Opaque), MOONS)))
    assert "never planned" in " ".join(map(str, check_learner(Secretive(), MOONS)))


class Unready(Moons):
    reestimate = None


class Averages(Moons):
    def reestimate(self):
        self.module.train()
        self.module(moons(self.streams.numpy("score"))[0])


class Resets(Moons):
    def reestimate(self):
        super().reestimate()
        with torch.no_grad():
            self.module[0].weight.zero_()


class EvaluatesOrdered(Moons):
    def evaluate(self, split):
        self.streams, kept = replace(self.streams, seed=self.streams.seed + self.streams.order), self.streams
        found = super().evaluate(split)
        self.streams = kept
        return found


class StartsOrdered(Moons):
    def __init__(self, task, streams, width):
        super().__init__(task, replace(streams, seed=streams.seed + streams.order), width)


class Deaf(Moons):
    def __init__(self, task, streams, width):
        super().__init__(task, replace(streams, order=0), width)


@pytest.mark.parametrize(("broken", "said"), [
    (Averages, "leaves partly as it was: 3 parts of the state (1.running_mean, 1.running_var, 1.num_batches_tracked)"), (Resets, "reestimate changes 0.weight"),
    (EvaluatesOrdered, "is evaluated on other examples"), (StartsOrdered, "before training: other are 2 parts of the state (0.weight, 4.weight)"),
    (Deaf, "trains to the same end"),
])  # fmt: skip
def test_what_a_learner_does_wrong_with_another_order_of_its_data_is_caught(broken, said):
    assert said in " ".join(map(str, check_learner(ExampleDomain(broken), MOONS)))


class WarmsUp(Moons):
    """Learns nothing before two thirds of its budget, as a DQN that fills its replay buffer."""

    def train(self, until):
        first = 2 * self.task.budget // 3
        self.step = max(self.step, min(until, first))
        super().train(until)


def test_a_long_warm_up_is_no_fault():
    """Before its first update nothing tells whether a seed changes the training."""
    task = variant(unsupported={**MOONS.unsupported, "fine-tune": "no"})
    assert 2 * task.evaluate_every < 2 * task.budget // 3
    assert check_learner(ExampleDomain(WarmsUp), task) == []


def test_what_planning_knows_of_another_order_is_checked(monkeypatch):
    monkeypatch.setattr(ExampleDomain, "interpolates", False)
    assert "is never asked for it" in " ".join(map(str, check_learner(ExampleDomain(), MOONS)))
    monkeypatch.undo()
    assert "has no reestimate" in " ".join(map(str, check_learner(ExampleDomain(Unready), MOONS)))


def test_an_error_that_tells_another_has_the_place_of_that(tmp_path):
    def fails():
        raise ValueError("nothing here")

    with pytest.raises(SpecError) as told, told_in_a_line(tmp_path / "mine.py"):
        fails()
    assert str(raised(told.value)).endswith(
        f"ValueError: nothing here ({__file__}:{fails.__code__.co_firstlineno + 1})"
    )
