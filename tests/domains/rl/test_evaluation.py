"""Which episodes count, how actions are chosen and who is seeded by what: against plain loops over the games themselves."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import gymnasium
import minatar
import numpy as np
import pytest
import torch
from torch.distributions import Categorical

from bench.streams import Streams
from domains.rl import domain
from domains.rl.environments.episodes import Episodes
from domains.rl.evaluation import Evaluator, play

TASKS = domain.tasks()
GREEDY = {"rl/cartpole-ppo", "rl/cartpole-dqn", "rl/acrobot-ppo", "rl/lunarlander-ppo"}
SAMPLED = {f"rl/minatar-breakout-{algorithm}" for algorithm in ("a2c", "ppo")}
SPLITS = {"val": 0, "test": 1}


class Recorder:
    """A policy that acts at random, and remembers what it was asked."""

    def __init__(self, actions=2):
        self.actions, self.deterministic, self.seen = actions, set(), []
        self.policy, self.device = self, torch.device("cpu")

    def predict(self, observations, deterministic=False):
        self.deterministic.add(deterministic)
        self.seen.append(observations)
        return np.random.default_rng(len(self.seen)).integers(0, self.actions, len(observations)), None


@pytest.mark.parametrize("name", sorted(GREEDY | SAMPLED))
@pytest.mark.parametrize("split", SPLITS)
def test_games_are_scored_by_the_best_action_and_minatar_by_a_sampled_one(name, split):
    task, policy = TASKS[f"{name}@smoke"], Recorder()
    nothing = SimpleNamespace(observe=lambda observations: observations)
    Evaluator(task, Streams(0)).evaluate(policy, split, nothing)
    assert policy.deterministic == {name in GREEDY}


@pytest.mark.parametrize(
    ("lengths", "episodes", "expected"),
    [
        ([1, 10], 4, [1, 1, 10, 10]),
        ([10, 1], 5, [1, 1, 10, 10, 10]),
        ([2, 3, 7], 7, [2, 2, 2, 3, 3, 7, 7]),
        ([2, 3, 7], 2, [2, 3]),
    ],
)
def test_each_environment_has_its_share_of_the_episodes(walks, lengths, episodes, expected):
    """Whoever took the first episodes to end would score those who die young."""
    env = Episodes(walks(lengths), scale=0.01)
    seeds = [100 + index for index in range(len(lengths))]
    (played,) = play(lambda seen: np.zeros(len(seen), int), env, seeds, [episodes])
    assert sorted(episode.length for episode in played) == expected
    assert sorted(episode.score for episode in played) == [10 * length for length in expected]
    assert env.simulations.seeds == seeds
    assert env.finished == []


def test_agents_that_play_at_once_have_their_own_share_each(walks):
    """The second agent's copies live longer, which keeps the first from nothing, and gives it nothing more."""
    env = Episodes(walks([1, 10, 20, 30]))
    one, other = play(lambda seen: np.zeros(len(seen), int), env, range(4), [3, 2])
    assert sorted(episode.length for episode in one) == [1, 1, 10]
    assert sorted(episode.length for episode in other) == [20, 30]


def test_the_mean_over_shares_is_of_raw_scores(walks, monkeypatch, a2c):
    """Two episodes of one step and two of ten, at ten points a step; the agent learns from a hundredth."""
    monkeypatch.setattr("domains.rl.environments.envs.make", lambda _, n: Episodes(walks([1, 10][:n])))
    task = replace(a2c, evaluation={"episodes": 4, "n_envs": 2, "deterministic": True})
    nothing = SimpleNamespace(observe=lambda observations: observations)
    assert Evaluator(task, Streams(0)).evaluate(Recorder(), "test", nothing) == {"return": 55.0, "episode_length": 5.5}


def seeds(streams, split, n):
    return [int(word) % 2**31 for word in streams.sequence("eval", SPLITS[split]).generate_state(n)]


def best(agent, seen):
    """The best action in the eyes of a policy, or of a network of action values."""
    seen = torch.as_tensor(seen[None])
    with torch.no_grad():
        if hasattr(agent.model, "q_net"):
            return int(agent.model.q_net(seen).argmax())
        return int(agent.model.policy.get_distribution(seen).distribution.logits.argmax())


def played(agent, env_id, seed, episodes, view):
    """(score, length) of so many successive episodes of one gymnasium environment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Box2D's bindings are out of date
        env = gymnasium.make(env_id)
    ended = []
    seen, _ = env.reset(seed=seed)
    while len(ended) < episodes:
        score, length, over = 0.0, 0, False
        while not over:
            seen, reward, terminated, truncated, _ = env.step(best(agent, view(seen)))
            score, length, over = score + reward, length + 1, terminated or truncated
        ended.append((score, length))
        seen, _ = env.reset()
    return ended


@pytest.mark.parametrize("name", sorted(GREEDY))
def test_greedy_evaluation_is_a_plain_loop_over_gymnasium(name):
    """Seven episodes in three environments, with statistics of observations that are used and not moved."""
    task = TASKS[f"{name}@smoke"]
    task = replace(task, evaluation={"episodes": 7, "n_envs": 3, "deterministic": True})
    streams = Streams(2)
    agent = domain.learner(task, streams=streams, device="cpu")
    agent.train(task.rewind_step)
    buffers = {field: agent.snapshot().buffers.get(f"normaliser.observations.{field}") for field in ("mean", "var")}

    def view(seen):
        if buffers["mean"] is None:
            return seen
        mean, var = (value.numpy() for value in buffers.values())
        return np.clip((seen - mean) / np.sqrt(var + 1e-8), -10, 10).astype(np.float32)

    for split in SPLITS:
        shares = zip(seeds(streams, split, 3), (3, 2, 2), strict=True)
        env_id = task.config["env"]["id"]
        ended = [one for seed, share in shares for one in played(agent, env_id, seed, share, view)]
        scored = agent.evaluate(split)
        assert scored["return"] == pytest.approx(np.mean([score for score, _ in ended]), rel=1e-9)
        assert scored["episode_length"] == np.mean([length for _, length in ended])


@pytest.mark.parametrize("split", SPLITS)
def test_sampled_evaluation_is_a_plain_loop_over_minatar(split):
    """All copies draw their actions together, from a stream that belongs to the split."""
    task = TASKS["rl/minatar-breakout-a2c@smoke"]
    task = replace(task, evaluation={"episodes": 5, "n_envs": 2, "deterministic": False})
    streams = Streams(1)
    agent = domain.learner(task, streams=streams, device="cpu")
    agent.train(task.rewind_step)
    scored = agent.evaluate(split)
    games = [minatar.Environment("breakout", sticky_action_prob=0.1) for _ in range(2)]
    for game, seed in zip(games, seeds(streams, split, 2), strict=True):
        game.seed(seed)
        game.reset()
    torch.manual_seed(streams.integer("eval", SPLITS[split], 1))
    policy, ended = agent.model.policy, ([], [])
    running = np.zeros((2, 2))
    while min(len(ended[0]) / 3, len(ended[1]) / 2) < 1:
        seen = torch.as_tensor(np.stack([game.state() for game in games]), dtype=torch.float32)
        with torch.no_grad():
            drawn = Categorical(logits=policy.action_net(policy.features_extractor(seen))).sample()
        for index, game in enumerate(games):
            reward, over = game.act(game.minimal_action_set()[drawn[index]])
            running[index] += reward, 1
            if over:
                ended[index].append(running[index].copy())
                running[index] = 0
                game.reset()
    counted = np.array([*ended[0][:3], *ended[1][:2]])
    assert [scored["return"], scored["episode_length"]] == counted.mean(0).tolist()


def test_training_moves_neither_the_episodes_nor_the_draws_of_an_evaluation(build):
    """The same worlds at every checkpoint of every arm: what is seen first depends on split and seed alone."""
    task, first = TASKS["rl/cartpole-ppo@smoke"], {}
    for seed in (0, 1):
        for split in SPLITS:
            policy, evaluator = Recorder(), Evaluator(task, Streams(seed))
            nothing = SimpleNamespace(observe=lambda observations: observations)
            evaluator.evaluate(policy, split, nothing)
            begun = len(policy.seen)
            evaluator.evaluate(policy, split, nothing)
            assert np.array_equal(policy.seen[0], policy.seen[begun])
            first[seed, split] = policy.seen[0]
    values = [tuple(observations.ravel().tolist()) for observations in first.values()]
    assert len(set(values)) == 4
