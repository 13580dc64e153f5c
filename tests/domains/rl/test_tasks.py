import subprocess
import sys
from dataclasses import replace

import pytest

from bench.spec import to_json
from bench.streams import Streams
from bench.tickets import masks
from domains.rl import domain
from domains.rl.learner import longest
from domains.rl.networks import NatureNetwork
from domains.rl.returns import Returns
from domains.rl.tasks.recipe import pruning

TASKS = domain.tasks()
ATARI = ("assault", "berzerk", "breakout", "centipede", "kangaroo", "krull", "qbert", "seaquest", "space-invaders")


def fast(key):
    """Tasks that build and update within a second."""
    game = "atari" in key and "atari-breakout-a2c@smoke" not in key
    return key.endswith("@smoke") and not game


def test_listing_tasks_imports_no_library_of_the_domain():
    heavy = ("torch", "stable_baselines3", "gymnasium", "ale_py", "minatar", "numpy")
    code = f"import sys; from domains.rl import domain; domain.tasks(); print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")
    assert found[0] in ("[]", "['numpy']")  # bench.streams needs numpy


def test_every_task_of_the_paper_exists():
    names = {task.name for task in TASKS.values()}
    for game in ("cartpole", "acrobot", "lunarlander"):
        assert {f"rl/{game}-a2c", f"rl/{game}-a2c-steps", f"rl/{game}-ppo"} <= names
        for suffix in ("", "-steps"):
            assert {f"rl/{game}-a2c{suffix}@{scale}" for scale in ("smoke", "quick", "small", "paper")} <= TASKS.keys()
    for game in ATARI:
        assert {f"rl/atari-{game}-a2c{suffix}" for suffix in ("", "-machado", "-yu")} <= names
    assert sum("minatar" in name for name in names) == 10


def test_the_papers_budgets():
    budgets = {"cartpole": 3_200, "acrobot": 6_400, "lunarlander": 12_800}
    for game, episodes in budgets.items():
        task = TASKS[f"rl/{game}-a2c@paper"]
        assert (task.budget, task.unit, task.rewind_step) == (episodes, "episodes", episodes // 20)
        assert task.pruning.biases
        assert task.pruning.scope == "global"
    assert "v3" in " ".join(TASKS["rl/lunarlander-a2c@paper"].deviations)


@pytest.mark.parametrize("key", TASKS)
def test_every_task_is_well_formed(key):
    task = TASKS[key]
    to_json(task)
    assert task.deviations
    assert all(sentence.endswith(".") and len(sentence) < 250 for sentence in task.deviations)
    assert task.metric == "return"
    parameters = task.config["hyperparameters"]
    rollout = task.config["n_envs"] * parameters.get("n_steps", parameters.get("train_freq"))
    if task.unit == "env_steps":
        assert task.budget % rollout == task.rewind_step % rollout == task.evaluate_every % rollout == 0
    if task.config["algorithm"] == "ppo":
        assert rollout % parameters["batch_size"] == 0


@pytest.mark.parametrize("key", [key if fast(key) else pytest.param(key, marks=pytest.mark.slow) for key in TASKS])
def test_every_task_builds_and_takes_two_updates(key):
    task = TASKS[key]
    config = dict(task.config)
    if config["env"]["kind"] == "atari":
        config["n_envs"] = 2  # the network is what is large
    if config["algorithm"] == "dqn":
        config["hyperparameters"] = {**config["hyperparameters"], "buffer_size": 2_000}
    agent = domain.learner(replace(task, config=config), streams=Streams(0), device="cpu")
    while agent.updates < 2:
        agent.train(agent.step + 1)
    assert agent.env_steps > 0


def test_scope_decides_what_is_pruned(build):
    ppo = TASKS["rl/cartpole-ppo@smoke"]
    for scope, groups in (("all", {"actor", "critic"}), ("actor", {"actor"}), ("actor+trunk", {"actor"})):
        scoped = replace(ppo, pruning=pruning(scope))
        assert {scoped.group_of(name) for name in masks.prunable(build(ppo), scoped.pruning)} == groups
    a2c = TASKS["rl/cartpole-a2c@smoke"]
    for scope, groups in (
        ("all", {"trunk", "actor", "critic"}),
        ("actor", {"actor"}),
        ("actor+trunk", {"trunk", "actor"}),
    ):
        scoped = replace(a2c, pruning=pruning(scope))
        assert {scoped.group_of(name) for name in masks.prunable(build(a2c), scoped.pruning)} == groups


@pytest.mark.parametrize("key", [key for key in TASKS if fast(key)])
def test_every_parameter_belongs_to_a_tower(key, build):
    task = TASKS[key]
    assert {task.group_of(name) for name, _ in build(task).module.named_parameters()} <= {"trunk", "actor", "critic"}


def test_natures_network_has_its_size_and_is_counted_once(build):
    agent = build(TASKS["rl/atari-breakout-a2c@smoke"])
    assert isinstance(agent.model.policy.features_extractor, NatureNetwork)
    sizes = {name: each.numel() for name, each in agent.module.named_parameters()}
    assert sum(sizes.values()) == 1_687_719 - 2 * 513  # two actions fewer than Pong has
    assert all(name.startswith(("features_extractor.", "action_net.", "value_net.")) for name in sizes)


def test_the_papers_atari_network_has_its_size(build):
    agent = build(TASKS["rl/atari-breakout-a2c-yu@smoke"])
    weights = {name: tuple(each.shape) for name, each in agent.module.named_parameters() if each.ndim > 1}
    assert weights["features_extractor.layers.0.weight"] == (64, 12, 5, 5)
    assert (512, 1_920) in weights.values()
    assert abs(sum(each.numel() for each in agent.module.parameters()) - 1.44e6) < 2e4


def test_steps_to_the_threshold_are_censored_at_the_end():
    task = TASKS["rl/cartpole-a2c@paper"]
    assert longest(task) == 640_000
    returns = Returns(threshold=1.0, censored=longest(task), nothing=0.5)
    assert returns.metrics()["steps_to_threshold"] == 640_000
    returns.add([(2.0, 5)] * 0, env_steps=10, new_steps=10)
    assert returns.metrics()["area"] == 0.5


def test_area_is_the_mean_of_the_running_mean_over_steps():
    from domains.rl.episodes import Finished

    returns = Returns(threshold=3.0, censored=999, nothing=0.0)
    returns.add([Finished(2.0, 10)] * 100, env_steps=100, new_steps=100)
    returns.add([], env_steps=200, new_steps=100)
    returns.add([Finished(4.0, 20)] * 100, env_steps=400, new_steps=200)
    found = returns.metrics()
    assert found == {"return": 4.0, "episode_length": 20.0, "area": 3.0, "steps_to_threshold": 400.0, "reached": 1.0}
    other = Returns(threshold=3.0, censored=999, nothing=0.0)
    other.restore(returns.tensors(), returns.scalars())
    assert other.metrics() == found


def test_dqn_asks_for_ten_seeds_before_any_verdict():
    assert {task.fewest_seeds for task in TASKS.values() if task.config["algorithm"] == "dqn"} == {10}
    assert {task.fewest_seeds for task in TASKS.values() if task.config["algorithm"] != "dqn"} == {3}
