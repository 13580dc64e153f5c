"""Environments of a user's own, and continuous actions: by the same protocol, and equal to stable-baselines3."""

import sys
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch

from bench.errors import DataError, SpecError, UnknownName, Unsupported
from bench.spec import Unit, task_from_json, to_json
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.methods import METHODS
from domains import rl
from domains.rl import chance
from domains.rl.environments import envs

GRID = """
import gymnasium
import numpy as np
from gymnasium import spaces

class Corridor(gymnasium.Env):
    observation_space = spaces.Box(-5, 5, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = int(self.np_random.integers(-2, 3))
        return np.array([self.at], np.float32), {}

    def step(self, action):
        self.at += 2 * action - 1
        return np.array([self.at], np.float32), float(self.at == 5), abs(self.at) == 5, False, {}

class Steered(Corridor):
    action_space = spaces.Box(-1.5, np.array([0.5, 1.0], np.float32), (2,), np.float32)

    def step(self, action):
        assert isinstance(action, np.ndarray) and self.action_space.contains(action), action
        return super().step(int(action.sum() > 0))

class Filmed(Corridor):
    observation_space = spaces.Box(0, 255, (6, 11, 3), np.uint8)

    def filmed(self):
        picture = np.zeros((6, 11, 3), np.uint8)
        picture[:3, self.at + 5, 0] = 255
        return picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.filmed(), {}

    def step(self, action):
        _, *told = super().step(action)
        return self.filmed(), *told

gymnasium.register("Corridor-v0", entry_point=Corridor)
gymnasium.register("Steered-v0", entry_point="grids:Steered")
gymnasium.register("Filmed-v0", entry_point="grids:Filmed")
"""
GAME = {"chance": 0.0, "threshold": 1.0, "tolerance": 0.1, "scale": "smoke", "episodes": 3}
PENDULUM = {**GAME, "env": "Pendulum-v1", "limit": 200, "chance": -1200.0, "threshold": -200.0, "tolerance": 20.0}
SMALL = {
    "ppo": {"n_steps": 32, "batch_size": 32, "n_epochs": 2},
    "a2c": {"n_steps": 8, "ent_coef": 0.01},
    "dqn": {"learning_starts": 8, "buffer_size": 500, "batch_size": 8},
}


@pytest.fixture
def grids(write_code):
    before = set(gymnasium.registry)
    write_code("grids.py", GRID)

    def make(env="Corridor-v0", **changes):
        given = {
            **GAME,
            "env": f"grids:{env}",
            "limit": 30,
            "budget": 256,
            "n_envs": 2,
            "hyperparameters": SMALL["a2c"],
        }
        return rl.own("corridor", **{**given, "algorithm": "a2c", "evaluate_every": 64, **changes})

    yield make
    for name in set(gymnasium.registry) - before:
        del gymnasium.registry[name]


def pendulum(algorithm, **changes):
    given = {**PENDULUM, "budget": 512, "n_envs": 2, "hyperparameters": SMALL[algorithm], "evaluate_every": 128}
    return rl.own("pendulum", **{**given, "algorithm": algorithm, **changes})


@pytest.mark.parametrize(("algorithm", "normalise"), [("a2c", False), ("ppo", False), ("ppo", True)])
def test_continuous_actions_conform(algorithm, normalise):
    task = pendulum(algorithm, rewind_step=128, normalise=normalise)
    assert check_learner(rl.domain, task) == []
    assert check_method(METHODS["ticket"], rl.domain, task) == []


@pytest.mark.parametrize("algorithm", ["a2c", "ppo"])
def test_a_run_with_continuous_actions_equals_one_plain_learn(algorithm, build, plain_learn):
    task = pendulum(algorithm)
    ours = build(task, Streams(3))
    for part in (0.1, 0.5, 1.0):
        ours.train(round(part * task.budget))
        ours.evaluate("test")
        list(ours.losses(1))
    theirs = plain_learn(task, Streams(3))
    assert ours.step == ours.env_steps == theirs.num_timesteps == task.budget
    for name, weight in theirs.policy.state_dict().items():
        assert torch.equal(ours.model.policy.state_dict()[name], weight), name


@pytest.mark.parametrize("algorithm", ["a2c", "ppo"])
def test_how_widely_actions_are_spread_is_trained_and_never_pruned(algorithm, build):
    task = pendulum(algorithm, budget=2_048)
    agent = build(task)
    assert "log_std" in dict(agent.module.named_parameters())
    assert "log_std" not in agent.prunable()
    entries = masks.prunable(agent, task.pruning)
    mask = masks.uniform(entries, sum(masks.sizes(entries).values()) // 10, Streams(0).torch("mask"))
    agent.load(agent.snapshot().masked(mask))
    with Attached(agent, mask):
        agent.train(1_024)
    weights = dict(agent.module.named_parameters())
    assert all(bool((weights[name][~kept] == 0).all()) for name, kept in mask.items())
    assert bool((weights["log_std"] != 0).all())


def test_actions_are_clipped_to_the_bounds_wherever_they_are_taken(grids, build):
    """`Steered` breaks at any action outside of its uneven bounds, or that is no array."""
    task = grids("Steered-v0")
    agent = build(task)
    with torch.no_grad():
        agent.module.log_std.fill_(2.0)
    agent.train(64)
    assert len(list(agent.losses(2))) == 2
    for deterministic in (True, False):
        changed = replace(task, evaluation={**task.evaluation, "deterministic": deterministic})
        other = build(changed)
        with torch.no_grad():
            other.module.log_std.fill_(2.0)
        assert other.evaluate("val")["episode_length"] <= 30


def test_losses_are_those_that_are_trained_on(build):
    """A2C's: of the drawn actions before they are clipped. There are no logits that a temperature could divide."""
    agent = build(pendulum("a2c"))
    [loss] = agent.losses(1)
    with pytest.raises(Unsupported, match="no action logits"):
        next(agent.losses(1, temperature=200.0))
    loss.backward()
    gradients = {name: each.grad for name, each in agent.module.named_parameters()}
    assert all(bool(gradient.abs().sum() > 0) for gradient in gradients.values())


def test_an_environment_of_ones_own_conforms(grids):
    task = grids(rewind_step=64)
    assert task.config["env"].keys() == {"kind", "id", "code", "max_episode_steps"}
    assert check_learner(rl.domain, task) == []
    assert isinstance(rl.domain.seats(task, "cpu"), str)
    assert rl.domain.code(task).keys() == {"grids"}
    assert task_from_json(to_json(task)) == task


def test_an_agent_of_ones_own_learns_its_corridor(grids, build):
    task = grids(budget=8_000, normalise=False, hyperparameters={**SMALL["a2c"], "learning_rate": 5e-3})
    agent = build(task)
    agent.train(task.budget)
    assert agent.evaluate("test")["return"] == 1.0


@pytest.mark.parametrize("algorithm", ["a2c", "ppo", "dqn"])
@pytest.mark.parametrize("normalise", [False, True])
def test_images_are_scored_as_they_are_trained_on(grids, build, algorithm, normalise):
    agent = build(grids("Filmed-v0", algorithm=algorithm, hyperparameters=SMALL[algorithm], normalise=normalise))
    seen = []
    layers = agent.module.features_extractor
    layers.register_forward_pre_hook(lambda _, inputs: seen.append((inputs[0].shape[1:], float(inputs[0].max()))))
    agent.train(64)
    trained = set(seen)
    seen.clear()
    assert all(torch.isfinite(loss) for loss in agent.losses(2))
    assert {shape for shape, _ in seen} == {shape for shape, _ in trained}
    if not normalise:
        assert set(seen) == trained == {((3, 6, 11), 1.0)}


def test_episodes_are_cut_off_at_the_limit(grids):
    task = grids(limit=7)
    env = envs.make(task.config["env"], n=1)
    env.reset_from([0])
    lengths = [info[0]["episode"]["l"] for *_, info in (env.act(np.array([k % 2])) for k in range(30)) if info[0]]
    assert lengths
    assert max(lengths) == 7


def test_the_identity_covers_the_environments_code(grids, write_code):
    task = grids()
    assert grids() == task
    write_code("grids.py", GRID + "# edited\n")
    edited = grids()
    ids = {Unit(task=each, method=METHODS["dense"], level=0, seed=0).id for each in (task, edited)}
    assert len(ids) == 2
    assert rl.domain.outputs(task) != rl.domain.outputs(edited)
    with pytest.raises(DataError, match=r"grids.py is not what the task was made with"):
        envs.make(task.config["env"], n=1)


def test_a_name_alone_imports_no_environment(grids):
    task = grids()
    env = {key: value for key, value in task.config["env"].items() if key != "code"}
    for name in (env["id"], "os:CartPole-v1"):
        with pytest.raises(SpecError, match="names code without the sha256"):
            envs.make({**env, "id": name}, n=1)
    assert "grids" not in sys.modules


def test_making_a_task_imports_nothing(grids):
    grids()
    assert "grids" not in sys.modules


@pytest.mark.parametrize(
    ("space", "algorithm", "message"),
    [
        ("Discrete(2, start=1)", "a2c", "only discrete actions that begin at 0"),
        ("MultiDiscrete([2, 2])", "ppo", "only discrete actions are supported, and continuous ones by a2c and ppo"),
        ("Box(-1, np.inf, (1,), np.float32)", "a2c", "floats with bounds"),
        ("Box(-1, 1, (1,), np.int64)", "ppo", "floats with bounds"),
        ("Box(-1, 1, (1,), np.float32)", "dqn", "only discrete actions"),
    ],
)
def test_other_actions_are_refused_in_one_line(grids, write_code, build, space, algorithm, message):
    write_code("grids.py", GRID.replace("spaces.Discrete(2)", f"spaces.{space}"))
    with pytest.raises(SpecError, match=message) as caught:
        build(grids(algorithm=algorithm, hyperparameters={}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("normalise", [False, True])
def test_observations_that_are_no_arrays_are_refused(grids, write_code, build, normalise):
    space = 'spaces.Dict({"at": spaces.Box(-5, 5, (1,), np.float32)})'
    write_code("grids.py", GRID.replace("spaces.Box(-5, 5, (1,), np.float32)", space))
    with pytest.raises(SpecError, match="whose observation space is Dict.*only arrays are supported"):
        build(grids(normalise=normalise))


def test_unknown_names_are_told_with_the_nearest(grids, write_code, build):
    with pytest.raises(UnknownName, match="unknown environment 'grids:Corridr-v0': did you mean 'Corridor-v0'"):
        build(grids("Corridr-v0"))
    with pytest.raises(UnknownName, match="unknown environment 'grids:Corridor-v9': did you mean 'Corridor-v0'"):
        build(grids("Corridor-v9"))
    with pytest.raises(UnknownName, match="unknown algorithm 'pp0'.*ppo"):
        grids(algorithm="pp0")
    with pytest.raises(UnknownName, match="unknown hyperparameter of a2c 'n_step': did you mean 'n_steps'"):
        grids(hyperparameters={"n_step": 3})
    with pytest.raises(SpecError, match="'nosuch' is no Python file"):
        rl.own("homeless", **{**GAME, "env": "nosuch:X-v0", "limit": 3, "budget": 9})
    write_code("grids.py", "raise RuntimeError('no\\nphysics')")
    with pytest.raises(SpecError, match=r"grids.py:1: RuntimeError: no physics$"):
        build(grids())


def test_one_deviation_may_be_a_plain_sentence(grids):
    assert grids(deviations="It is small.").deviations == grids(deviations=("It is small.",)).deviations


def test_budgets_are_whole_rollouts_and_say_so(grids):
    task = grids(budget=250)
    assert task.budget == 256
    assert "Trained for 256 environment steps, whole rollouts of 16, not 250." in task.deviations
    assert not any("whole rollouts" in sentence for sentence in grids(budget=256).deviations)
    with pytest.raises(SpecError, match="whole numbers above 0"):
        grids(budget=0)


def test_the_settings_are_stable_baselines3s_where_nothing_else_is_said(build):
    """Every default is what the class itself has, its optimizer's included."""
    for name, kind in (("ppo", "PPO"), ("a2c", "A2C"), ("dqn", "DQN")):
        import stable_baselines3

        env = "CartPole-v1" if name == "dqn" else "Pendulum-v1"
        ours = build(rl.own("plain", **{**PENDULUM, "env": env, "algorithm": name, "budget": 2_048})).model
        theirs = getattr(stable_baselines3, kind)("MlpPolicy", env)
        for key in ("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "ent_coef", "vf_coef", "max_grad_norm",
                    "normalize_advantage", "buffer_size", "learning_starts", "tau", "target_update_interval",
                    "gradient_steps", "exploration_fraction", "exploration_final_eps", "learning_rate", "train_freq"):  # fmt: skip
            assert getattr(ours, key, None) == getattr(theirs, key, None), (name, key)
        mine, other = ours.policy.optimizer, theirs.policy.optimizer
        assert type(mine) is type(other)
        ignored = {"params", "foreach"}
        assert {k: v for k, v in mine.defaults.items() if k not in ignored} == {
            k: v for k, v in other.defaults.items() if k not in ignored
        }


def test_random_play_of_ones_own_is_measured_by_a_command(grids, capsys):
    chance.measure("grids:Steered-v0", 100, 30)
    assert capsys.readouterr().out.startswith("grids:Steered-v0 0.")
    chance.measure("Pendulum-v1", 50, 200)
    assert -1_400 < float(capsys.readouterr().out.split()[1]) < -1_000


def test_an_action_space_that_a_class_shares_is_no_finding(grids, build):
    """Losses are of an environment of their own, whose actions are seeded, too."""
    agents = [build(grids(algorithm="dqn", hyperparameters={**SMALL["dqn"], "learning_starts": 40})) for _ in range(2)]
    list(agents[0].losses(1))
    first, other = ([agent.model.action_space.sample() for _ in range(30)] for agent in agents)
    assert first == other


def test_keys_that_nothing_reads_are_refused(grids):
    with pytest.raises(SpecError, match="unknown key of the network 'towers' 'widht'"):
        grids(network={"name": "towers", "hidden": [8], "activation": "tanh", "widht": 3})
    with pytest.raises(SpecError, match="unknown key of the network 'trunk' 'activation'"):
        grids(network={"name": "trunk", "hidden": [8], "activation": "tanh"})
    task = grids()
    told = rl.domain.refusal(replace(task, config={**task.config, "n_env": 3}))
    assert (told or "").startswith("unknown key of a config 'n_env': did you mean 'n_envs'")


@pytest.mark.parametrize("task", rl.domain.tasks().values(), ids=lambda task: task.key)
def test_every_built_in_task_has_read_keys_alone(task):
    assert rl.domain.refusal(task) is None
