"""Every constant of every recipe, written down once more from the papers and the zoo: an edit of a task fails here.

Nothing is imported from the tasks but what is checked. Whoever means to change a published task raises its version.
"""

from fnmatch import fnmatch

import pytest

from bench.spec import Pruning
from domains.rl import domain

TASKS = domain.tasks()
SCALES = ("smoke", "quick", "small", "paper")

SCHEDULES = """
rl/cartpole-a2c          episodes  60/3/3           960/48/48            3200/160/160          3200/160/160
rl/cartpole-a2c-steps    env_steps 10240/512/512    143360/7168/7168     481280/24064/24064    481280/24064/24064
rl/cartpole-noise-a2c    episodes  60/3/3           -                    3200/160/160          -
rl/cartpole-cloning      updates   40/8/2           -                    1000/200/50           -
rl/acrobot-a2c           episodes  40/2/2           260/13/13            1600/80/80            6400/320/320
rl/acrobot-a2c-steps     env_steps 5120/256/256     38400/1920/1920      266240/13312/13312    944640/47232/47232
rl/lunarlander-a2c       episodes  80/4/4           260/13/13            1600/80/80            12800/640/640
rl/lunarlander-a2c-steps env_steps 30720/1536/1536  102400/5120/5120     657920/32896/32896    9735680/486784/486784
rl/cartpole-ppo          env_steps 2048/256/768     20480/4096/1024      99840/19968/5120      99840/19968/5120
rl/acrobot-ppo           env_steps 4096/512/1536    49152/8192/4096      249856/49152/12288    999424/196608/49152
rl/lunarlander-ppo       env_steps 2048/256/768     49152/16384/16384    327680/65536/16384    999424/196608/49152
rl/cartpole-dqn          env_steps 512/64/192       15360/3072/1024      49920/9984/2560       49920/9984/2560
rl/minatar-*-a2c         env_steps 2048/512/128     122880/30720/6144    983040/245760/49152   4915200/1228800/245760
rl/minatar-*-ppo         env_steps 2048/512/512     122880/30720/6144    983040/245760/49152   4915200/1228800/245760
rl/atari-*-a2c           env_steps 160/40/40        -                    -                     3200000/128000/128000
rl/atari-*-a2c-machado   env_steps 160/40/40        -                    -                     3200000/128000/128000
rl/atari-*-a2c-yu        env_steps 128/32/32        -                    -                     3200000/128000/128000
"""
"""Name, unit, and budget/evaluate_every/rewind_step at each scale. 1906.02768: 20 epochs of 160, 320, 640 games; 25 of
128,000 Atari steps; theta of the first epoch. The zoo: 1e5 steps (CartPole), 1e6 (Acrobot, LunarLander), 5e4 (DQN)."""

CLASSIC = """
cartpole    CartPole-v0    128 200   150  10 22.72   max
acrobot     Acrobot-v1     256 500  -150  10 -498.89 min
lunarlander LunarLander-v3 256 1000  100  20 -187.54 min
"""
"""Game, environment, width, time limit, threshold, tolerance, random return, whether longer episodes are better."""

ZOO = """
cartpole-ppo    CartPole-v1    8  500   475 25 22.72   500   max
acrobot-ppo     Acrobot-v1     16 500  -100 10 -498.89 -73.5 min
lunarlander-ppo LunarLander-v3 16 1000  200 20 -187.54 242.1 min
cartpole-dqn    CartPole-v1    1  500   475 25 22.72   500   max
"""
"""Task, environment, copies, time limit, threshold, tolerance, random return, the zoo's score, as above."""

MINATAR = {
    "asterix": (2, 0.48),
    "breakout": (5, 0.34),
    "freeway": (20, 0.39),
    "seaquest": (2, 0.09),
    "space-invaders": (30, 3.91),
}
"""Game -> threshold, random return."""

ATARI = """
assault        742     242.97  304.5   249.27
berzerk        2630.4  134.2   138.5   168.8
breakout       30.5    1.26    1.52    1.31
centipede      12017   2179.18 2232.41 2261.95
kangaroo       3035    34      38      46
krull          2665.5  1710.6  1680.4  1776.7
qbert          13455   165     153.25  153
seaquest       42054.7 73.4    70.8    83.6
space-invaders 1668.7  142.1   143.6   148.55
"""
"""Game, score of a human (Mnih et al. 2015), random return under the protocols of Nature, Machado and Yu."""
ATARI_A2C = {"breakout": 279.8, "qbert": 3_882.0, "seaquest": 1_721.0, "space-invaders": 627.0}
"""Game -> what the zoo's A2C scores, where it has a score."""

SOURCES = {
    "trunk": "(1906.02768), classic control", "towers": "rl-baselines3-zoo 22e3ff2; protocol of 1906.02768",
    "minatar": "(1903.03176); protocol of 1906.02768", "nature": "(1906.02768), Atari", "yu-elf": "(1906.02768), Atari",
}  # fmt: skip
"""Network -> whose recipe it is."""

TRAINING_GAMES = {
    "split": "train", "splits": ("train",), "at": ("last-100",), "unsupported": {"one-shot-untrained"},
}  # fmt: skip
FRESH_GAMES = {"split": "test", "splits": ("train", "val", "test"), "at": ("final",)}
PPO_TOWERS = {"name": "towers", "hidden": [64, 64], "activation": "tanh"}


def hyperparameters(n_steps, gamma, gae_lambda, learning_rate, ent_coef, vf_coef, max_grad_norm, **more):
    """Those that A2C and PPO share, and PPO's own."""
    shared = {"n_steps": n_steps, "gamma": gamma, "gae_lambda": gae_lambda, "learning_rate": learning_rate}
    return {**shared, "ent_coef": ent_coef, "vf_coef": vf_coef, "max_grad_norm": max_grad_norm, **more}


def zoo_hyperparameters(name, scale):
    """rl-baselines3-zoo at 22e3ff2, and what a smoke test changes."""
    smoke = scale == "smoke"
    if name == "cartpole-ppo":
        own = {"batch_size": 256, "n_epochs": 2 if smoke else 20, "clip_range": {"linear": 0.2}}
        parameters = hyperparameters(32, 0.98, 0.8, {"linear": 1e-3}, 0.0, 0.5, 0.5, normalize_advantage=True, **own)
    elif name == "acrobot-ppo":
        own = {"batch_size": 64, "n_epochs": 2 if smoke else 4, "clip_range": 0.2}
        parameters = hyperparameters(
            32 if smoke else 256, 0.99, 0.94, 3e-4, 0.0, 0.5, 0.5, normalize_advantage=True, **own
        )
    elif name == "lunarlander-ppo":
        own = {"batch_size": 64, "n_epochs": 2 if smoke else 4, "clip_range": 0.2}
        parameters = hyperparameters(
            16 if smoke else 1_024, 0.999, 0.98, 3e-4, 0.01, 0.5, 0.5, normalize_advantage=True, **own
        )
    else:
        replay = {"buffer_size": 10_000, "learning_starts": 100, "train_freq": 64, "gradient_steps": 8}
        whole = {"buffer_size": 100_000, "learning_starts": 1_000, "train_freq": 256, "gradient_steps": 128}
        parameters = {
            "learning_rate": 2.3e-3,
            "batch_size": 64,
            "gamma": 0.99,
            "tau": 1.0,
            "target_update_interval": 10,
        }
        parameters |= {"exploration_fraction": 0.16, "exploration_final_eps": 0.04, "max_grad_norm": 10.0}
        parameters |= replay if smoke else whole
    return parameters


def rows(table):
    """First word -> the words after it."""
    return {name: words for name, *words in (line.split() for line in table.split("\n") if line)}


def schedule(name, scale):
    """Budget, unit, evaluation and rewind step."""
    [(unit, *scales)] = [words for pattern, words in rows(SCHEDULES).items() if fnmatch(name, pattern)]
    budget, every, rewind = map(int, scales[SCALES.index(scale)].split("/"))
    return {"budget": budget, "unit": unit, "evaluate_every": every, "rewind_step": rewind}


def common(length):
    """What every agent's task says."""
    directions = {
        "return": "max",
        "area": "max",
        "reached": "max",
        "steps_to_threshold": "min",
        "episode_length": length,
    }
    pruning = Pruning(rate=0.2, scope="global", biases=True, rates={}, exempt=())
    fixed = {"version": 1, "data": {}, "schedule": "resume", "metric": "return", "select": None}
    return {
        **fixed,
        "directions": directions,
        "pruning": pruning,
        "reference": None,
        "fewest_seeds": 3,
        "unsupported": set(),
    }


def config(algorithm, env, n_envs, threshold, limit, **more):
    """What every agent's config says, and the rest."""
    whole = {"algorithm": algorithm, "env": env, "n_envs": n_envs, "threshold": threshold, "episode_limit": limit}
    return {**whole, "reward_scale": 1.0, "normalise": False, "scope": "all", **more}


def classic(name, scale):
    """A2C of 1906.02768, appendix A, with FLARE's settings where it is silent."""
    game = name.partition("-")[0]
    env, width, limit, threshold, tolerance, chance, length = rows(CLASSIC)[game]
    return {
        **common(length),
        **TRAINING_GAMES,
        "config": config(
            "a2c", {"kind": "padded" if "noise" in name else "gymnasium", "id": env}, 32, float(threshold), int(limit),
            hyperparameters=hyperparameters(4, 0.99, 0.0, 1e-4, 0.01, 1.0, None),
            optimizer={"name": "rmsprop", "alpha": 0.99, "eps": 1e-8},
            network={"name": "trunk", "hidden": [int(width)] * 3},
            policy={"ortho_init": False},
            reward_scale=0.01,
        ),
        "evaluation": {"episodes": 100, "actions": "sampled", "of": "the last training episodes"},
        "tolerance": float(tolerance),
        "chance": float(chance),
        "constant_rate": True,
    }  # fmt: skip


def zoo(name, scale):
    """PPO and DQN of the zoo, on 100 fresh episodes with the best action."""
    env, n_envs, limit, threshold, tolerance, chance, reference, length = rows(ZOO)[name]
    algorithm, falls = name.rpartition("-")[2], name == "cartpole-ppo"
    episodes = 5 if scale == "smoke" else 100
    return {
        **common(length),
        **FRESH_GAMES,
        "config": config(
            algorithm, {"kind": "gymnasium", "id": env}, int(n_envs), float(threshold), int(limit),
            hyperparameters=zoo_hyperparameters(name, scale),
            optimizer={"name": "adam", "eps": 1e-5} if algorithm == "ppo" else {"name": "adam"},
            network=PPO_TOWERS if algorithm == "ppo" else {"name": "towers", "hidden": [256, 256], "activation": "relu"},
            normalise=name == "acrobot-ppo",
        ),
        "evaluation": {
            "episodes": episodes,
            "n_envs": min(episodes, 25 if env.startswith("Lunar") else 100),
            "deterministic": True,
        },
        "tolerance": float(tolerance),
        "chance": float(chance),
        "reference": float(reference),
        "fewest_seeds": 10 if algorithm == "dqn" else 3,
        "constant_rate": not falls,
        "unsupported": {
            *(["fine-tune"] if falls or algorithm == "dqn" else []),
            *(["grasp"] if algorithm == "dqn" else []),
            *(["gmp"] if (name, scale) == ("lunarlander-ppo", "quick") else []),  # three rollouts
        },
    }  # fmt: skip


def minatar(name, scale):
    """1903.03176's games and network: sticky actions, and a policy that is sampled from."""
    game, _, algorithm = name.removeprefix("minatar-").rpartition("-")
    threshold, chance = MINATAR[game]
    ppo, smoke = algorithm == "ppo", scale == "smoke"
    own = {"batch_size": 256, "n_epochs": 3, "clip_range": 0.2}
    return {
        **common("max"),
        **FRESH_GAMES,
        "config": config(
            algorithm,
            {"kind": "minatar", "id": game.replace("-", "_"), "limit": 5_000, "sticky": 0.1},
            8 if smoke else 64 if ppo else 32, float(threshold), 5_000,
            hyperparameters=hyperparameters(32, 0.99, 0.95, 1e-3, 0.01, 0.5, 0.5, **own)
            if ppo
            else hyperparameters(8, 0.99, 1.0, 7e-4, 0.01, 0.5, 0.5),
            optimizer={"name": "adam", "eps": 1e-5} if ppo else {"name": "rmsprop-tf", "alpha": 0.99, "eps": 1e-5},
            network={"name": "minatar", "hidden": [16, 128]},
        ),
        "evaluation": {"episodes": 5 if smoke else 100, "n_envs": 5 if smoke else 25, "deterministic": False},
        "tolerance": threshold / 10,
        "chance": chance,
        "constant_rate": True,
    }  # fmt: skip


def atari_game(name, scale):
    """The zoo's A2C under two protocols, and 1906.02768's agent in synchronous games."""
    game, _, preset = name.removeprefix("atari-").partition("-a2c")
    human, *chances = map(float, rows(ATARI)[game])
    protocol, yu = preset.lstrip("-") or "nature", preset == "-yu"
    return {
        **common("max"),
        **TRAINING_GAMES,
        "config": config(
            "a2c", {"kind": "atari", "id": game.replace("-", "_"), "protocol": protocol},
            4 if scale == "smoke" else 32 if yu else 16, human, 27_000,
            hyperparameters=hyperparameters(4, 0.99, 1.0, 1e-3, 0.01, 0.5, None)
            if yu
            else hyperparameters(5, 0.99, 1.0, 7e-4, 0.01, 0.25, 0.5),
            optimizer={"name": "adam", "eps": 1e-3} if yu else {"name": "rmsprop-tf", "alpha": 0.99, "eps": 1e-5},
            network={"name": "yu-elf", "hidden": [64, 64, 64, 64, 512, 512]}
            if yu
            else {"name": "nature", "hidden": [32, 64, 64, 512]},
        ),
        "evaluation": {"episodes": 100, "actions": "sampled", "of": "the last training games"},
        "tolerance": min(human, ATARI_A2C.get(game, human)) / 20,
        "chance": chances[("nature", "machado", "yu").index(protocol)],
        "constant_rate": True,
    }  # fmt: skip


def cloning(name, scale):
    """The network of classic control, taught by the bundled expert."""
    _, width, _, _, tolerance, chance, length = rows(CLASSIC)["cartpole"]
    episodes = 5 if scale == "smoke" else 100
    return {
        **common(length),
        "directions": {"return": "max", "episode_length": "max"},
        "data": {"cartpole-expert": "497f0aac5a81daf2f54150232c6288a37cfb44234bd05b6d5a978216993b8304"},
        "pruning": Pruning(
            rate=0.2, scope="global", biases=True, rates={}, exempt=("mlp_extractor.value_net.*", "value_net.*")
        ),
        "config": {
            "algorithm": "a2c", "hyperparameters": {"learning_rate": 1e-3}, "optimizer": {"name": "adam"},
            "network": {"name": "trunk", "hidden": [int(width)] * 3}, "policy": {"ortho_init": False},
            "env": {"kind": "gymnasium", "id": "CartPole-v0"}, "n_envs": 1, "normalise": False, "batch": 256,
            "demonstrations": 50,
        },
        "split": "test", "splits": ("val", "test"), "at": ("final",),
        "evaluation": {"episodes": episodes, "n_envs": episodes, "deterministic": False},
        "tolerance": float(tolerance), "chance": float(chance), "constant_rate": True,
    }  # fmt: skip


def expected(key):
    """Everything that decides what a task trains, how it is scored and what it is compared with."""
    name, _, scale = key.removeprefix("rl/").partition("@")
    families = {"minatar": minatar, "atari": atari_game, "cloning": cloning, "-a2c": classic, "": zoo}
    family = next(family for part, family in families.items() if part in name)
    return {"name": f"rl/{name}", "scale": scale, **schedule(f"rl/{name}", scale), **family(name, scale)}


def test_no_task_is_missing_and_none_is_new():
    names = {f"rl/{name}" for name in rows(ZOO)}
    names |= {f"rl/{game}-a2c{twin}" for game in rows(CLASSIC) for twin in ("", "-steps")}
    names |= {f"rl/minatar-{game}-{algorithm}" for game in MINATAR for algorithm in ("a2c", "ppo")}
    ataris = {f"rl/atari-{game}-a2c{preset}" for game in rows(ATARI) for preset in ("", "-machado", "-yu")}
    whole = {f"{name}@{scale}" for name in names for scale in SCALES}
    whole |= {f"rl/cartpole-{kind}@{scale}" for kind in ("noise-a2c", "cloning") for scale in ("smoke", "small")}
    assert TASKS.keys() == whole | {f"{name}@{scale}" for name in ataris for scale in ("smoke", "paper")}


@pytest.mark.parametrize("key", TASKS)
def test_the_recipe_is_the_published_one(key):
    task, wanted = TASKS[key], expected(key)
    told = {field: getattr(task, field) for field in wanted}
    told["unsupported"] = set(task.unsupported)
    assert told == wanted
    left = {"groups", "source", "deviations"}  # names of towers, and words of a table, which `test_tasks` reads
    assert SOURCES[task.config["network"]["name"]] in task.source
    assert wanted.keys() | left == task.__dataclass_fields__.keys()


@pytest.mark.parametrize("key", [key for key in TASKS if key.startswith("rl/atari-")])
def test_random_play_does_not_match_a_trained_agent(key):
    """Where a human is far better than any agent here, a share of the human's score would let everything match."""
    game, task = key.removeprefix("rl/atari-").partition("-a2c")[0], TASKS[key]
    if game in ATARI_A2C:
        assert task.tolerance < (ATARI_A2C[game] - task.chance) / 10
