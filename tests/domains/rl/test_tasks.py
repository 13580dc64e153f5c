import re
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.errors import UnknownName
from bench.runs.planning.plan import refusal
from bench.spec import to_json
from bench.streams import Streams
from bench.suitefile.overrides import derived
from bench.tickets import masks
from bench.tickets.methods import METHODS
from domains.rl import domain
from domains.rl.environments.atari import Ataris
from domains.rl.networks import NatureNetwork
from domains.rl.tasks.recipe import pruning, rollout

TASKS = {key: task for key, task in domain.tasks().items() if "demonstrations" not in task.config}
"""Of agents that learn by acting; for the others see `cloning/`."""


def built(task):
    """The task as small as it may be without another environment, algorithm or network."""
    config = dict(task.config)
    parameters = config["hyperparameters"]
    if config["env"]["kind"] == "atari":
        config["n_envs"] = 2  # the network is what is large
    if config["algorithm"] == "dqn":
        parameters = {**parameters, "buffer_size": 2_000}
    if config["algorithm"] == "ppo":
        parameters = {**parameters, "n_steps": 32, "n_epochs": 1}
    return replace(task, scale="smoke", config={**config, "hyperparameters": parameters})


def alike(key):
    """What keys have in common whose tasks are built and updated alike; all Atari games share a network."""
    task = built(TASKS[key])
    config = {**task.config, "threshold": None}
    if config["env"]["kind"] == "atari":
        config["env"] = config["env"]["protocol"]
    return task.unit, str(config)


DISTINCT = sorted({alike(key): key for key in TASKS}.values())


def test_listing_tasks_imports_no_library_of_the_domain():
    heavy = ("torch", "stable_baselines3", "gymnasium", "ale_py", "minatar", "numpy")
    code = f"import sys; from domains.rl import domain; domain.tasks(); print([m for m in {heavy} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")
    assert said[0] in ("[]", "['numpy']")  # bench.streams needs numpy


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


@pytest.mark.parametrize("key", DISTINCT)
def test_every_task_builds_and_takes_two_updates(key):
    agent = domain.learner(built(TASKS[key]), streams=Streams(0), device="cpu")
    while agent.updates < 2:
        agent.train(agent.step + 1)
    assert agent.env_steps > 0


@pytest.mark.parametrize("game", sorted({task.config["env"]["id"] for key, task in TASKS.items() if "atari" in key}))
def test_every_atari_game_has_its_rom(game):
    Ataris(game, 1, protocol="nature").close()


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


@pytest.mark.parametrize("key", DISTINCT)
def test_every_parameter_belongs_to_a_tower(key, build):
    task = built(TASKS[key])
    assert {task.group_of(name) for name, _ in build(task).module.named_parameters()} <= {"trunk", "actor", "critic"}


def test_natures_network_has_its_size_and_is_counted_once(build):
    agent = build(TASKS["rl/atari-breakout-a2c@smoke"])
    assert isinstance(agent.model.policy.features_extractor, NatureNetwork)
    sizes = {name: parameter.numel() for name, parameter in agent.module.named_parameters()}
    assert sum(sizes.values()) == 1_687_719 - 2 * 513  # two actions fewer than Pong has
    assert all(name.startswith(("features_extractor.", "action_net.", "value_net.")) for name in sizes)


def test_the_papers_atari_network_has_its_size(build):
    agent = build(TASKS["rl/atari-breakout-a2c-yu@smoke"])
    weights = {
        name: tuple(parameter.shape) for name, parameter in agent.module.named_parameters() if parameter.ndim > 1
    }
    assert weights["features_extractor.layers.0.weight"] == (64, 12, 5, 5)
    assert (512, 1_920) in weights.values()
    assert abs(sum(parameter.numel() for parameter in agent.module.parameters()) - 1.44e6) < 2e4


def test_an_unknown_scope_is_refused():
    with pytest.raises(UnknownName, match="unknown pruning scope 'actors': did you mean 'actor'"):
        pruning("actors")


SAID = {
    "censored at the budget, and `reached` is 0": lambda task: task.unit == "env_steps",
    "the most environment steps that the episode budget can take": lambda task: task.unit == "episodes",
    "The budget is counted in episodes, as in the paper": lambda task: task.unit == "episodes",
    "The paper counts episodes; here": lambda task: "-a2c-steps" in task.name,
    "FLARE, the library it used": lambda task: task.config["network"]["name"] == "trunk",
    "which is no longer distributed": lambda task: task.name == "rl/lunarlander-ppo",
    "v2 is no longer distributed": lambda task: task.name.startswith("rl/lunarlander-a2c"),
    "A replay buffer is no state": lambda task: task.config["algorithm"] == "dqn",
    "Smaller rollouts and fewer updates": lambda task: "zoo" in task.source and task.scale == "smoke",
    "an episode is cut off after 5,000 agent steps": lambda task: "minatar" in task.name,
    "are those of Nature's DQN": lambda task: task.config["network"]["name"] == "nature",
    "Sticky actions and all 18 buttons": lambda task: "-machado" in task.name,
    "Three frames an action": lambda task: task.name.endswith("-yu"),
    "Scored on the last 100 training games": lambda task: "atari" in task.name,
}
"""Sentence under a table -> the tasks that it belongs to."""


@pytest.mark.parametrize("sentence", SAID)
def test_what_deviates_is_said_where_it_does_and_nowhere_else(sentence):
    for key, task in TASKS.items():
        assert (sentence in " ".join(task.deviations)) == SAID[sentence](task), key


def test_a_shorter_training_than_the_papers_is_said():
    for key, task in TASKS.items():
        whole = TASKS[f"{task.name.replace('-noise', '')}@paper"].budget
        said = f"Trained for {task.budget:,} "
        assert any(said in sentence for sentence in task.deviations) == (task.budget < whole), key


@pytest.mark.parametrize("key", [key for key, task in domain.tasks().items() if task.split == "train"])
def test_an_agent_that_is_scored_by_its_training_has_no_score_untrained(key):
    """It plays no episode: whatever its mask, its return would be the number that stands for random play."""
    assert refusal(domain.tasks()[key], METHODS["one-shot-untrained"]) is not None


@pytest.mark.parametrize(
    "key",
    [key for key, task in domain.tasks().items() if task.unit == "env_steps" and "demonstrations" not in task.config],
)
def test_gradual_pruning_is_refused_where_the_last_rollout_begins_before_its_last_cut(key):
    """Updates see the step at which their rollout began: with three rollouts none is beyond 70 % of the budget."""
    task = domain.tasks()[key]
    last = (task.budget - 1) // rollout(task) * rollout(task)
    reaches = last >= METHODS["gmp"].options["end"] * task.budget
    assert reaches or refusal(task, METHODS["gmp"]) is not None


@pytest.mark.parametrize("key", ["rl/cartpole-dqn@quick"])
def test_grasp_is_refused_where_its_temperature_divides_nothing(key):
    """Action values have no temperature: an option without effect is another method under the same name."""
    assert refusal(domain.tasks()[key], METHODS["grasp"]) is not None


@pytest.mark.parametrize("key", [key for key, task in domain.tasks().items() if task.config["algorithm"] == "dqn"])
def test_dqn_has_learned_something_before_its_rewind_step(key):
    """Until the memory is warm nothing is learned: rewound there, a ticket starts from its initial weights."""
    task = domain.tasks()[key]
    assert task.rewind_step > task.config["hyperparameters"]["learning_starts"]


def test_what_no_agent_can_train_by_is_refused_when_planning():
    dqn = domain.tasks()["rl/cartpole-dqn@quick"]
    for task in (dqn, replace(dqn, rewind_step=0), replace(dqn, rewind_step=1_001)):
        assert domain.refusal(task) is None
    told = domain.refusal(replace(dqn, rewind_step=1_000))
    assert told == "rewind_step is 1,000, and nothing is learned before step 1,000 (learning_starts)"
    for task in (TASKS["rl/cartpole-ppo@quick"], TASKS["rl/cartpole-a2c@quick"]):
        idle = {**task.config, "hyperparameters": {**task.config["hyperparameters"], "n_steps": 0}}
        for config in (idle, {**task.config, "n_envs": 0}):
            assert "above 0" in domain.refusal(replace(task, config=config))
            assert "gmp" not in domain.unsupported(replace(task, config=config))
    assert all(domain.refusal(task) is None for task in domain.tasks().values())


def otherwise(key, **changes):
    """The task with fields set otherwise, as a suite makes it with `base`."""
    task = domain.tasks()[key]
    return derived(task, changes, name="rl/otherwise", relatives=domain.tasks().values())


@pytest.mark.parametrize(
    ("key", "changes", "told"),
    [
        (
            "rl/atari-breakout-a2c-yu@paper",
            {"at": ["last-1024"]},
            "at names last-1024, and training is scored by its last 100",
        ),
        ("rl/cartpole-a2c@small", {"evaluation": {"episodes": 1_024}}, "evaluation.episodes is 1024, and the score"),
        ("rl/cartpole-a2c@small", {"evaluation": {"deterministic": True}}, "evaluation.deterministic is True"),
        ("rl/cartpole-ppo@small", {"config": {"scope": "actor+trunk"}}, "pruning.exempt decides"),
        ("rl/cartpole-ppo@small", {"config": {"scope": "actr"}}, "unknown pruning scope 'actr': did you mean 'actor'"),
        ("rl/cartpole-ppo@small", {"config": {"episode_limit": 50}}, "config.episode_limit is 50, and .* after 500"),
        ("rl/minatar-breakout-a2c@small", {"config": {"env": {"limit": 1_000}}}, "is 5,000, and .* after 1,000"),
        ("rl/cartpole-a2c@small", {"config": {"env": {"id": "CartPole-v1"}}}, "is 200, and .* after 500"),
        (
            "rl/cartpole-cloning@small",
            {"constant_rate": False, "config": {"hyperparameters": {"learning_rate": {"linear": 1e-3}}}},
            "config.hyperparameters.learning_rate falls",
        ),
        (
            "rl/cartpole-cloning@small",
            {"config": {"hyperparameters": {"max_grad_norm": 0.5}}},
            "unknown hyperparameter of cloning 'max_grad_norm'",
        ),
        ("rl/cartpole-cloning@small", {"config": {"normalise": True}}, "demonstrations are seen as they are"),
    ],
)
def test_what_would_be_printed_as_a_change_and_changes_nothing_is_refused(key, changes, told):
    """Nothing reads these here, and every table of the task would tell of them as deviations."""
    assert re.search(told, domain.refusal(otherwise(key, **changes)))


@pytest.mark.parametrize(
    ("key", "changes", "told"),
    [
        ("rl/cartpole-ppo@small", {"evaluation": {"episodes": 0}}, "evaluation.episodes is 0: "),
        ("rl/cartpole-cloning@small", {"evaluation": {"episodes": -5}}, "evaluation.episodes is -5: "),
        ("rl/cartpole-ppo@small", {"evaluation": {"n_envs": 0}}, "evaluation.n_envs is 0: "),
        ("rl/cartpole-a2c@small", {"splits": ["test"], "split": "test", "at": ["final"]}, "evaluation.n_envs is None"),
        (
            "rl/cartpole-a2c@small",
            {"splits": ["train", "val"], "evaluation": {"n_envs": 5}},
            "evaluation.deterministic is None: fresh episodes are played, write true or false",
        ),
    ],
)
def test_episodes_that_cannot_be_played_are_refused(key, changes, told):
    """The mean of none is no number, and would be told as a training that diverged; fewer than none never end."""
    assert domain.refusal(otherwise(key, **changes)).startswith(told)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("rl/cartpole-a2c@small", {"evaluation": {"of": "the last games"}}),
        ("rl/cartpole-ppo@small", {"evaluation": {"episodes": 20, "deterministic": False}}),
        (
            "rl/cartpole-ppo@small",
            {"config": {"scope": "actor+trunk"}, "pruning": {"exempt": ["mlp_extractor.value_net.*", "value_net.*"]}},
        ),
        ("rl/cartpole-ppo@small", {"pruning": {"exempt": ["value_net.*"]}}),
        ("rl/minatar-breakout-a2c@small", {"config": {"env": {"limit": 1_000}, "episode_limit": 1_000}}),
        ("rl/cartpole-ppo@small", {"config": {"env": {"id": "MountainCar-v0"}}}),
        ("rl/cartpole-cloning@small", {"config": {"hyperparameters": {"learning_rate": 1e-2}, "batch": 64}}),
        (
            "rl/cartpole-a2c@small",
            {
                "splits": ["train", "val", "test"],
                "split": "test",
                "at": ["final"],
                "evaluation": {"episodes": 20, "n_envs": 20, "deterministic": True},
            },
        ),
    ],
)
def test_what_is_followed_is_not_refused(key, changes):
    assert domain.refusal(otherwise(key, **changes)) is None
