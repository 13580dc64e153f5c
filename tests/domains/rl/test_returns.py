"""The learning curve of a training, against an account of its own kept step by step beside the environments."""

from dataclasses import replace

import numpy as np
import pytest

from bench.stacks.alone import SeatedDomain
from bench.streams import Streams
from bench.tickets.conformance.equality import differing
from bench.tickets.conformance.observe import Lineage
from bench.tickets.methods import METHODS
from domains.rl import domain
from domains.rl.environments import classic
from domains.rl.environments.episodes import Finished
from domains.rl.learner import longest
from domains.rl.returns import Returns

TASKS = domain.tasks()


class Account:
    """Every episode that ends in an agent's training environments, and after how many steps.

    Args:
        agent: its simulations are listened to from now on.
    """

    def __init__(self, agent):
        simulations = agent._env.simulations
        self.n, self.steps, self.ended = simulations.n, 0, []
        self.scores, self.lengths = np.zeros(self.n), np.zeros(self.n, dtype=int)
        self.act, self.begin = simulations.step, simulations.reset
        simulations.step, simulations.reset = self.step, self.reset

    def reset(self, seeds):
        self.scores[:] = self.lengths[:] = 0
        return self.begin(seeds)

    def step(self, actions):
        result = self.act(actions)
        self.steps += 1
        for index in range(self.n):
            self.scores[index] += result.scores[index]
            self.lengths[index] += 1
            if result.terminated[index] or result.truncated[index]:
                self.ended.append((self.scores[index], self.lengths[index], self.steps))
                self.scores[index] = self.lengths[index] = 0
        return result

    def metrics(self, *, rollout, threshold, censored):
        """What the training split should report, rollout by rollout of so many steps of every copy."""
        running, reached, window = [], None, []
        for end in range(rollout, self.steps + 1, rollout):
            window = [episode for episode in self.ended if episode[2] <= end][-100:]
            if window:
                running.append(sum(score for score, *_ in window) / len(window))
                if reached is None and len(window) == 100 and running[-1] >= threshold:
                    reached = end * self.n
        return {
            "return": pytest.approx(running[-1], rel=1e-12),
            "episode_length": pytest.approx(sum(length for _, length, _ in window) / len(window), rel=1e-12),
            "area": pytest.approx(sum(running) / len(running), rel=1e-9),
            "steps_to_threshold": censored if reached is None else reached,
            "reached": float(reached is not None),
        }


def within(key, threshold, **changes):
    task = TASKS[key]
    return replace(task, config={**task.config, "threshold": threshold}, **changes)


@pytest.mark.parametrize(
    ("task", "rollout", "censored"),
    [
        (within("rl/cartpole-a2c@smoke", 0.0, budget=180), 4, 180 * 200),
        (within("rl/cartpole-a2c@smoke", 24.0, budget=400), 4, 400 * 200),
        (within("rl/cartpole-a2c-steps@smoke", 1e9, budget=5_120), 4, 5_120),
        (within("rl/cartpole-ppo@smoke", 0.0, budget=4_096), 32, 4_096),
        (within("rl/cartpole-dqn@smoke", 0.0, budget=2_560), 64, 2_560),
        (within("rl/minatar-breakout-a2c@smoke", 0.0), 8, 2_048),
    ],
    ids=["a2c", "a2c-later", "a2c-never", "ppo", "dqn", "minatar"],
)
def test_the_training_split_is_the_last_hundred_finished_episodes(task, rollout, censored):
    """Raw scores, whatever the agent learns from, and nothing of an episode that has not ended."""
    agent = domain.learner(task, streams=Streams(0), device="cpu")
    account = Account(agent)
    agent.train(task.budget)
    assert len(account.ended) > 100
    assert account.lengths.any(), "an episode is running, and must not count"
    told = agent.evaluate("train")
    assert told == account.metrics(rollout=rollout, threshold=task.config["threshold"], censored=censored)
    assert agent.env_steps == account.steps * account.n
    assert agent.step == (len(account.ended) if task.unit == "episodes" else agent.env_steps)


def test_training_by_episodes_ends_with_the_rollout_in_which_the_last_one_does(a2c):
    agent = domain.learner(a2c, streams=Streams(0), device="cpu")
    account = Account(agent)
    for until in (1, 10, 11, a2c.budget):
        agent.train(until)
        before = [episode for episode in account.ended if episode[2] <= account.steps - 4]
        assert len(before) < until <= len(account.ended) == agent.step
        assert agent.updates * 4 == account.steps


def test_a_rewound_agent_forgets_the_episodes_after_its_rewind_step(a2c):
    agent = domain.learner(a2c, streams=Streams(0), device="cpu")
    account = Account(agent)
    agent.train(20)
    rewind, ended, told = agent.snapshot(), list(account.ended), agent.evaluate("train")
    agent.train(60)
    agent.load(rewind)
    assert agent.evaluate("train") == told
    first = len(account.ended)
    agent.train(30)
    window = [*ended, *account.ended[first:]][-100:]
    assert agent.evaluate("train")["return"] == pytest.approx(np.mean([score for score, *_ in window]), rel=1e-12)
    assert agent.step == len(ended) + len(account.ended) - first
    assert agent.env_steps == agent.updates * 4 * 32


@pytest.fixture
def heard(monkeypatch):
    """Every rollout that any agent's account takes in: the episodes that ended in it, and its environment steps."""
    add, rollouts = Returns.add, []

    def listen(self, episodes, *, env_steps, new_steps):
        rollouts.append((list(episodes), new_steps))
        add(self, rollouts[-1][0], env_steps=env_steps, new_steps=new_steps)

    monkeypatch.setattr(Returns, "add", listen)
    return rollouts


def told_of(rollouts, task):
    """What an agent reports that has had these rollouts, and no others."""
    returns, total = Returns(threshold=task.config["threshold"], censored=longest(task), nothing=task.chance), 0
    for episodes, steps in rollouts:
        total += steps
        returns.add(episodes, env_steps=total, new_steps=steps)
    return returns.metrics()


@pytest.mark.parametrize("kind", [domain, SeatedDomain(domain)], ids=["alone", "seat"])
@pytest.mark.parametrize("name", ["lr-rewind", "fine-tune"])
@pytest.mark.parametrize(
    ("key", "budget"),
    [("rl/cartpole-a2c@smoke", 150), ("rl/cartpole-a2c-steps@smoke", 5_120)],
    ids=["episodes", "steps"],
)
def test_who_trains_on_from_trained_weights_reports_its_own_training(kind, name, key, budget, heard):
    """Dense has reached the threshold with a hundred episodes; who trains on needs a hundred of its own."""
    task = within(key, 0.0, budget=budget, evaluate_every=budget)
    lineage = Lineage(kind, task, device="cpu", seed=0)
    dense, _ = lineage.run(METHODS["dense"], 0)
    assert dense.trained.curve[-1]["metrics"]["train"]["reached"] == 1.0
    for level in (1, 2):
        heard.clear()
        result, _ = lineage.run(METHODS[name], level)
        rollouts, told = list(heard), result.trained.curve[-1]["metrics"]["train"]
        assert told == told_of(rollouts, task)
        assert told["reached"] == (sum(len(episodes) for episodes, _ in rollouts) >= 100)


@pytest.mark.parametrize("kind", [domain, SeatedDomain(domain)], ids=["alone", "seat"])
def test_a_tickets_account_goes_on_from_the_rewind_step(kind, heard):
    """The dense network's training up to there is part of its own."""
    task = within("rl/cartpole-a2c@smoke", 0.0, budget=150, rewind_step=120, evaluate_every=150)
    lineage = Lineage(kind, task, device="cpu", seed=0)
    dense, _ = lineage.run(METHODS["dense"], 0)
    rewind = dense.trained.states["rewind"]
    before = [heard[0]]
    while sum(steps for _, steps in before) < rewind.scalars["env_steps"]:
        before.append(heard[len(before)])
    heard.clear()
    result, _ = lineage.run(METHODS["ticket"], 1)
    own = told_of([*before, *heard], task)
    assert result.trained.curve[-1]["metrics"]["train"] == own
    assert own["steps_to_threshold"] <= rewind.scalars["env_steps"], "dense had a hundred episodes by then"


def test_an_account_that_is_emptied_leaves_the_rest_of_the_state(a2c):
    agent = domain.learner(a2c, streams=Streams(0), device="cpu")
    agent.train(a2c.budget)
    state, reported = agent.snapshot(), agent.evaluate("train")
    emptied = agent.unaccounted(state)
    assert (agent.evaluate("train"), agent.snapshot().scalars) == (reported, state.scalars), "it changes nothing"
    assert differing(state, emptied) == ["scalars"]
    agent.load(emptied)
    assert agent.evaluate("train") == told_of([], a2c)
    assert agent.env_steps == 0
    agent.load(state)
    assert agent.evaluate("train") == reported


def test_random_play_that_fills_a_replay_buffer_is_no_training(dqn):
    """Its steps are counted, its episodes are not."""
    agent = domain.learner(dqn, streams=Streams(0), device="cpu")
    agent.train(dqn.rewind_step)
    rewind, told = agent.snapshot(), agent.evaluate("train")
    agent.load(rewind)
    account = Account(agent)
    agent.train(agent.step + 1)
    assert account.steps == 100 + 64
    counted = [episode for episode in account.ended if episode[2] > 100]
    assert len(counted) < len(account.ended)
    window = [score for score, *_ in counted]
    filled = int(rewind.buffers["returns.filled"])
    mean = (told["return"] * filled + sum(window)) / (filled + len(window))
    assert agent.evaluate("train")["return"] == pytest.approx(mean, rel=1e-12)
    assert agent.env_steps == rewind.step + 164


def test_a_threshold_that_is_reached_late_is_not_later_than_never(dqn, monkeypatch):
    """A rewound agent repeats its random play, so that it takes more environment steps than its budget has."""
    monkeypatch.setitem(classic.CLASSIC, "CartPole-v1", (classic.CartPoles, 7))
    task = replace(dqn, budget=704, config={**dqn.config, "threshold": 7.0})
    agent = domain.learner(task, streams=Streams(0), device="cpu")
    agent.train(task.rewind_step)
    agent.load(agent.snapshot())
    for until, reached in ((640, 0.0), (704, 1.0)):
        agent.train(until)
        assert agent.env_steps == until + 100
        told = agent.evaluate("train")
        assert (told["reached"], told["steps_to_threshold"]) == (reached, 704.0)


def test_the_area_is_the_mean_of_the_running_mean_over_steps():
    returns = Returns(threshold=3.0, censored=999, nothing=0.0)
    returns.add([Finished(2.0, 10)] * 100, env_steps=100, new_steps=100)
    returns.add([], env_steps=200, new_steps=100)
    returns.add([Finished(4.0, 20)] * 100, env_steps=400, new_steps=200)
    told = returns.metrics()
    assert told == {"return": 4.0, "episode_length": 20.0, "area": 3.0, "steps_to_threshold": 400.0, "reached": 1.0}
    other = Returns(threshold=3.0, censored=999, nothing=0.0)
    other.restore(returns.tensors(), returns.scalars())
    assert other.metrics() == told
    assert other.tensors().keys() == {"returns.window", "returns.filled"}
    returns.add([Finished(0.0, 1)] * 100, env_steps=500, new_steps=100)
    assert returns.metrics()["steps_to_threshold"] == 400, "the first time counts"


@pytest.mark.parametrize(
    ("episodes", "score", "reached"),
    [(99, 9.0, 0.0), (100, 9.0, 1.0), (100, 3.0, 1.0), (100, 2.999, 0.0)],
    ids=["short", "full", "equal", "below"],
)
def test_a_threshold_is_reached_by_a_full_window(episodes, score, reached):
    returns = Returns(threshold=3.0, censored=999, nothing=0.0)
    returns.add([Finished(score, 1)] * episodes, env_steps=70, new_steps=70)
    assert returns.metrics()["reached"] == reached
    assert returns.metrics()["steps_to_threshold"] == (70 if reached else 999)


def test_a_window_comes_back_in_its_order():
    """Oldest first: they are the first to leave it, also of a window that is not full."""
    for filled in (3, 100):
        returns = Returns(threshold=1e9, censored=999, nothing=-7.0)
        assert returns.metrics() == {
            "return": -7.0, "episode_length": 0.0, "area": -7.0, "steps_to_threshold": 999.0, "reached": 0.0,
        }  # fmt: skip
        returns.add([Finished(score + 1 / 3, score + 1) for score in range(filled)], env_steps=1, new_steps=1)
        other = Returns(threshold=1e9, censored=999, nothing=-7.0)
        other.add([Finished(50.0, 1)], env_steps=1, new_steps=1)
        other.restore(returns.tensors(), returns.scalars())
        for either in (returns, other):
            either.add([Finished(1_000.0, 1)] * 98, env_steps=9, new_steps=8)
        assert other.metrics() == returns.metrics()
        kept = [filled - 5 / 3, filled - 2 / 3, *[1_000] * 98]
        assert returns.metrics()["return"] == pytest.approx(np.mean(kept), rel=1e-12)


@pytest.mark.parametrize(
    ("key", "steps"),
    [
        ("rl/cartpole-a2c@paper", 3_200 * 200),
        ("rl/acrobot-a2c@paper", 6_400 * 500),
        ("rl/lunarlander-a2c@paper", 12_800 * 1_000),
        ("rl/cartpole-a2c-steps@paper", 481_280),
        ("rl/minatar-freeway-ppo@paper", 4_915_200),
    ],
)
def test_steps_to_the_threshold_are_censored_at_the_most_steps_of_the_budget(key, steps):
    assert longest(TASKS[key]) == steps


def test_no_step_counts_before_the_first_episode_has_ended():
    returns = Returns(threshold=0.0, censored=999, nothing=0.5)
    returns.add([], env_steps=10, new_steps=10)
    assert returns.metrics()["area"] == 0.5
    returns.add([Finished(8.0, 2)], env_steps=20, new_steps=10)
    assert returns.metrics()["area"] == 8.0
