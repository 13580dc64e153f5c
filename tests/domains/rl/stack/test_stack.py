"""Agents that train together: independent of each other, equal to stable-baselines3's, and exactly masked."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from company import alone, check_company, check_leaving, check_trouble, check_units, distance, half, trained

from bench.errors import SpecError
from bench.runs.planning.plan import refusal
from bench.stacks.alone import SeatedDomain
from bench.streams import Streams
from bench.tickets.attach import Attached
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.conformance.watch import watch
from bench.tickets.methods import METHODS
from domains.rl import domain
from domains.rl.environments import classic
from domains.rl.stack import losses
from domains.rl.stack import stack as stacks

TASKS = domain.tasks()
KINDS = (
    "cartpole-a2c",
    "cartpole-a2c-steps",
    "cartpole-ppo",
    "acrobot-ppo",
    "lunarlander-a2c-steps",
    "minatar-breakout-a2c",
)
SOON = {
    "cartpole-a2c": 20,
    "cartpole-a2c-steps": 1_024,
    "cartpole-ppo": 512,
    "acrobot-ppo": 1_024,
    "lunarlander-a2c-steps": 1_024,
    "minatar-breakout-a2c": 160,
}
"""Task -> steps after which agents have been updated several times, and have finished episodes."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_seat_does_not_depend_on_its_company(kind):
    """Budgets in episodes and in steps, both algorithms, normalised observations, simulations that are no arrays."""
    check_company(domain, TASKS[f"rl/{kind}@smoke"], SOON[kind])


@pytest.mark.parametrize("kind", ["cartpole-a2c", "acrobot-ppo", "lunarlander-a2c-steps"])
def test_who_leaves_changes_nothing_for_those_who_stay(kind):
    check_leaving(domain, TASKS[f"rl/{kind}@smoke"], SOON[kind])


def test_schedules_go_on_without_the_first_agent():
    """PPO's clipping range falls with the position of whoever is trained, not of an agent that has left."""
    task = TASKS["rl/cartpole-ppo@smoke"]
    parameters = {**task.config["hyperparameters"], "n_epochs": 10, "learning_rate": {"linear": 1e-2}}
    check_leaving(domain, replace(task, config={**task.config, "hyperparameters": parameters}), 2_048)


def test_units_come_out_as_one_by_one(a2c):
    check_units(domain, a2c, tolerance=1e-3)


@pytest.mark.parametrize("deterministic", [True, False])
def test_fresh_episodes_are_those_that_each_plays_alone(deterministic):
    """Whoever is asked first lets all of them play; nobody's episodes or actions depend on the others'."""
    task = TASKS["rl/acrobot-ppo@smoke"]
    task = replace(task, evaluation={**task.evaluation, "episodes": 7, "n_envs": 3, "deterministic": deterministic})
    found = []
    for seeds in ([0, 1, 2], [2, 9]):
        stack = domain.stack(task, streams=[Streams(seed) for seed in seeds], device="cpu")
        for seat in stack.seats:
            seat.load(seat.snapshot())
        stack.train(dict.fromkeys(range(len(seeds)), 1_024))
        found.append([{split: seat.evaluate(split) for split in ("val", "test")} for seat in stack.seats])
    assert found[0][2] == found[1][0]
    assert found[0][0] != found[0][1]
    agent = domain.learner(task, streams=Streams(2), device="cpu")
    agent.load(agent.snapshot())
    agent.train(1_024)
    for split in ("val", "test"):
        assert agent.evaluate(split) == pytest.approx(found[0][2][split], rel=0.05)


def test_an_evaluation_is_forgotten_with_the_weights():
    task = TASKS["rl/cartpole-ppo@smoke"]
    stack = domain.stack(task, streams=[Streams(0), Streams(1)], device="cpu")
    one, other = stack.seats
    before = one.evaluate("val")
    state = other.snapshot()
    one.load(replace(state, weights={name: 10 * weight for name, weight in state.weights.items()}))
    assert one.evaluate("val") != before


def test_an_agent_that_diverges_is_alone_with_it(a2c):
    check_trouble(domain, a2c, 20)


class Short:
    """CartPole whose episodes are cut off after seven steps, many of them within a rollout, and an agent that learns fast."""

    def __init__(self, monkeypatch, algorithm):
        monkeypatch.setitem(classic.CLASSIC, "CartPole-v1", (classic.CartPoles, 7))
        task = TASKS["rl/cartpole-ppo@smoke"]
        parameters = {"n_steps": 20, "learning_rate": 1e-2, "max_grad_norm": 0.05, "normalize_advantage": True}
        if algorithm == "ppo":
            parameters = {**task.config["hyperparameters"], **parameters, "batch_size": 48, "n_epochs": 3}
        else:
            parameters |= {"gamma": 0.98, "gae_lambda": 0.8, "ent_coef": 0.01, "vf_coef": 0.5, "use_rms_prop": False}
        config = {**task.config, "algorithm": algorithm, "hyperparameters": parameters}
        self.task = replace(task, config=config, budget=10_000, constant_rate=True)

    def distance(self):
        """Between each of two agents in a stack and the same alone, after three rollouts; the larger."""
        until = 3 * 20 * self.task.config["n_envs"]
        together = trained(domain, self.task, [0, 1], until, masked={1})
        return max(distance(together[seed], alone(domain, self.task, seed, until, masked={1})) for seed in (0, 1))


ROUNDING = 1e-4


@pytest.mark.parametrize("algorithm", ["a2c", "ppo"])
def test_agents_are_those_of_stable_baselines3(monkeypatch, algorithm):
    """Its own rollouts and updates, with cut episodes, clipping, normalised advantages and minibatches in each."""
    assert Short(monkeypatch, algorithm).distance() < ROUNDING


class Narrowing(Short):
    """The same with a clipping range that falls, and a learning rate that does not."""

    def __init__(self, monkeypatch):
        super().__init__(monkeypatch, "ppo")
        hyperparameters = {**self.task.config["hyperparameters"], "clip_range": {"linear": 0.05}}
        config, rollout = {**self.task.config, "hyperparameters": hyperparameters}, 20 * self.task.config["n_envs"]
        self.task = replace(self.task, config=config, budget=4 * rollout, rewind_step=rollout)


def test_a_clipping_range_falls_as_it_does_alone(monkeypatch):
    assert Narrowing(monkeypatch).distance() < ROUNDING


def test_agents_whose_clipping_range_falls_are_at_one_step_of_it(monkeypatch):
    """Whoever is further would be clipped as the first of the company is."""
    task = Narrowing(monkeypatch).task
    assert domain.aligned(task)
    assert not domain.aligned(TASKS["rl/cartpole-a2c@smoke"])
    stack = domain.stack(task, streams=[Streams(0), Streams(1)], device="cpu")
    for seat, step in zip(stack.seats, (0, task.rewind_step), strict=True):
        seat.load(replace(seat.snapshot(), step=step))
    with pytest.raises(SpecError, match="differ in their clipping range"):
        stack.train({0: 10_000, 1: 10_000})
    assert "episodes" in str(domain.seats(replace(task, unit="episodes"), "cpu"))


def no_bootstrap(monkeypatch):
    monkeypatch.setattr(stacks.Bootstraps, "add", lambda *_: None)


def bootstrap_of_the_last_only(monkeypatch):
    monkeypatch.setattr(stacks.Bootstraps, "settle", lambda self: self._times.fill(-1))


def joint_clipping(monkeypatch):
    def clip(parameters, limit):
        torch.nn.utils.clip_grad_norm_(parameters, limit)

    monkeypatch.setattr(stacks, "clip", clip)


def no_clipping(monkeypatch):
    monkeypatch.setattr(stacks, "clip", lambda *_: None)


def joint_means(monkeypatch):
    """Losses divided by the rows of all agents, as one batch would have them."""
    whole = losses.Loss.__call__
    monkeypatch.setattr(losses.Loss, "__call__", lambda *args, **rest: whole(*args, **rest) / len(args[1].returns))


def joint_normalisation(monkeypatch):
    whole = losses.Loss.__call__

    def call(self, batch, logits, values, **rest):
        advantages = (batch.advantages - batch.advantages.mean()) / (batch.advantages.std() + losses.TINY)
        self._model.normalize_advantage = False
        return whole(self, batch._replace(advantages=advantages), logits, values, **rest)

    monkeypatch.setattr(losses.Loss, "__call__", call)


def joint_order(monkeypatch):
    """One permutation for all agents."""
    epoch = stacks.AgentStack._epoch

    def same_order(self, *rest):
        for seat in self.company[1:]:
            seat.shuffles.set_state(self.company[0].shuffles.get_state())
        return epoch(self, *rest)

    monkeypatch.setattr(stacks.AgentStack, "_epoch", same_order)


def joint_actions(monkeypatch):
    """One generator for all agents."""

    def drawn(self, probabilities, generators):
        clocks = torch.empty_like(probabilities).exponential_(1, generator=generators[0])
        return (probabilities / clocks).argmax(1)

    monkeypatch.setattr(stacks.AgentStack, "_drawn", drawn)


BREAKS = [
    no_bootstrap,
    bootstrap_of_the_last_only,
    no_clipping,
    joint_clipping,
    joint_normalisation,
    joint_order,
    joint_actions,
]


@pytest.mark.parametrize("couple", BREAKS, ids=lambda couple: couple.__name__)
def test_every_coupling_that_is_left_is_seen(monkeypatch, couple):
    """The comparison above would fail if agents shared what they must not share."""
    short = Short(monkeypatch, "ppo")
    couple(monkeypatch)
    assert short.distance() > 10 * ROUNDING


def test_a_joint_mean_is_seen_without_clipping(monkeypatch):
    """Clipping hides the scale of a gradient, and Adam most of it."""
    short = Short(monkeypatch, "a2c")
    short.task.config["hyperparameters"]["max_grad_norm"] = None
    assert short.distance() < ROUNDING
    joint_means(monkeypatch)
    assert short.distance() > ROUNDING


def test_pruned_weights_are_zero_after_every_update(a2c):
    stack = domain.stack(a2c, streams=[Streams(seed) for seed in range(3)], device="cpu")
    for seed, seat in enumerate(stack.seats):
        mask = half(seat, seed)
        seat.load(seat.snapshot().masked(mask))
        Attached(seat, mask).__enter__()
    stack.train({0: 1, 1: 1, 2: 1})
    for _ in range(10):
        stack.advance()
        for seed, seat in enumerate(stack.seats):
            mask, moved = half(seat, seed), 0
            for name, parameter in seat.module.named_parameters():
                assert not parameter.detach()[~mask[name]].any()
                moved += int(parameter.detach().count_nonzero())
            assert moved > 0


def test_an_environment_that_crashes_takes_its_own_agent_along_only(monkeypatch):
    task = TASKS["rl/lunarlander-a2c-steps@smoke"]
    stack = domain.stack(task, streams=[Streams(seed) for seed in range(3)], device="cpu")
    for seat in stack.seats:
        seat.load(seat.snapshot())
    broken = stack.seats[1].episodes.simulations

    def step(_):
        raise ValueError("the ground is gone")

    monkeypatch.setattr(broken, "step", step)
    left = dict.fromkeys(range(3), 512)
    while left:
        stack.train(left)
        left = {place: end for place, end in left.items() if not stack.has_arrived(place, end)}
    with pytest.raises(RuntimeError, match="environment LunarLander-v3 crashed: ValueError: the ground is gone"):
        stack.seats[1].train(512)
    expected = trained(domain, task, [0, 2], 512)
    assert all(distance(stack.seats[seed].snapshot(), expected[seed]) == 0 for seed in (0, 2))


def test_an_environment_that_crashes_while_others_play_fails_its_own_agent_only(monkeypatch):
    """Whoever asks first plays for all, and hears nothing of it."""
    task = TASKS["rl/lunarlander-ppo@smoke"]
    task = replace(task, evaluation={**task.evaluation, "episodes": 2, "n_envs": 2})
    stack = domain.stack(task, streams=[Streams(seed) for seed in range(3)], device="cpu")
    for seat in stack.seats:
        seat.load(seat.snapshot())
    stack.gather(stack.seats)

    def step(_):
        raise ValueError("the ground is gone")

    monkeypatch.setattr(stack.seats[1].evaluator.environment.simulations, "step", step)
    found = [stack.seats[seed].evaluate("val") for seed in (0, 2)]
    with pytest.raises(RuntimeError, match="environment LunarLander-v3 crashed: ValueError: the ground is gone"):
        stack.seats[1].evaluate("val")
    others = domain.stack(task, streams=[Streams(0), Streams(2)], device="cpu")
    assert found == [seat.evaluate("val") for seat in others.seats]


def test_joint_environments_go_on_where_each_was():
    parts = [classic.classic("Acrobot-v1", 2) for _ in range(3)]
    twins = [classic.classic("Acrobot-v1", 2) for _ in range(3)]
    for number, part in enumerate((*parts, *twins)):
        part.reset([number % 3, 10 + number % 3])
    actions = np.array([0, 1, 2, 2, 1, 0])
    whole = classic.Acrobots.joined(parts)
    seen = [whole.step(actions).observations for _ in range(3)][-1]
    whole.give(parts)
    for number, twin in enumerate(twins):
        own = actions[2 * number : 2 * number + 2]
        theirs = [twin.step(own).observations for _ in range(3)][-1]
        assert np.array_equal(theirs, seen[2 * number : 2 * number + 2])
        assert np.array_equal(twin.step(own).observations, parts[number].step(own).observations)


@pytest.mark.parametrize("name", ["cartpole-a2c", "cartpole-ppo", "acrobot-ppo"])
def test_seats_conform_as_learners(name):
    assert check_learner(SeatedDomain(domain), TASKS[f"rl/{name}@smoke"]) == []


@pytest.mark.parametrize("name", ["ticket", "random-ticket", "rigl"])
def test_methods_conform_in_seats(a2c, name):
    assert check_method(METHODS[name], SeatedDomain(domain), a2c) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [
    name for name, method in METHODS.items()
    if name not in ("ticket", "random-ticket", "rigl") and not refusal(TASKS["rl/cartpole-a2c@smoke"], method)
])  # fmt: skip
def test_other_methods_conform_in_seats(a2c, name):
    assert check_method(METHODS[name], SeatedDomain(domain), a2c) == []


def test_what_does_not_stack_says_why():
    assert "replay" in domain.seats(TASKS["rl/cartpole-dqn@smoke"], "cpu")
    assert "episodes" in str(domain.seats(replace(TASKS["rl/cartpole-a2c@smoke"], constant_rate=False), "cpu"))
    assert "emulator" in domain.seats(TASKS["rl/atari-breakout-a2c@smoke"], "cpu")
    cartpole = TASKS["rl/cartpole-ppo@smoke"]
    pendulum = replace(cartpole, config={**cartpole.config, "env": {"kind": "gymnasium", "id": "Pendulum-v1"}})
    assert "continuous" in domain.seats(pendulum, "cpu"), "as a suite makes it with `base`"
    assert domain.seats(TASKS["rl/cartpole-a2c@smoke"], "cpu") == 32
    assert domain.seats(TASKS["rl/minatar-breakout-ppo@smoke"], "cpu") == 1
    assert domain.seats(TASKS["rl/minatar-breakout-ppo@smoke"], "cuda") == 32


@pytest.mark.parametrize("restarts", [True, False])
def test_a_seats_schedules_are_those_of_a_learner_alone(restarts):
    """Of the whole budget, or of what is left after the rewind step."""
    task = TASKS["rl/cartpole-ppo@smoke"]
    found = []
    for kind in (domain, SeatedDomain(domain)):
        agent = kind.learner(task, streams=Streams(0), device="cpu")
        agent.load(replace(agent.snapshot(), step=task.rewind_step, origin=task.rewind_step if restarts else 0))
        seen = watch(agent)
        agent.train(task.rewind_step + 1)
        found.append(seen.rates[0][1])
    rollout = task.config["n_envs"] * task.config["hyperparameters"]["n_steps"]
    left = (task.budget - task.rewind_step - rollout) / (task.budget - task.rewind_step * restarts)
    first = task.config["hyperparameters"]["learning_rate"]["linear"]
    assert found == pytest.approx([first * left] * 2)
