"""Bad input through the command line: one clear reason each, and the rest of the suite goes on."""

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from bench import registry
from bench.__main__ import main
from bench.digests import json_digest, text_digest
from domains.rl import domain

A2C = domain.tasks()["rl/cartpole-a2c@smoke"]
DQN = domain.tasks()["rl/cartpole-dqn@smoke"]

FAULTY = """
import gymnasium
import numpy as np

class Crashing(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    steps = 0

    def reset(self, *, seed=None, options=None):
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == 100:
            raise ZeroDivisionError("no ground left")
        return np.zeros(3, np.float32), 1.0, False, False, {}

class Named(Crashing):
    observation_space = gymnasium.spaces.Dict({"here": gymnasium.spaces.Box(-1, 1, (3,), np.float32)})

gymnasium.register("Crashing-v0", entry_point=Crashing)
gymnasium.register("Named-v0", entry_point=Named)
"""
MISSING = "raise ModuleNotFoundError({0!r} + ' is not installed', name={0!r})\n"
"""A module in front of the real one, as if that were not there."""


def variant(task, name, env, **code):
    env = {"kind": "gymnasium", "id": env, "code": code} if code else {"kind": "gymnasium", "id": env}
    return replace(task, name=f"rl/{name}", config={**task.config, "env": env})


BROUGHT = {"faulty": json_digest({"faulty.py": text_digest(FAULTY)})}


STRANGE = (
    variant(A2C, "nowhere", "CartPole-v7"),
    variant(A2C, "outdated", "LunarLander-v2"),
    variant(A2C, "homeless", "nosuch:CartPole-v1", nosuch="0" * 64),
    variant(A2C, "named", "faulty:Named-v0", **BROUGHT),
    variant(DQN, "steering-dqn", "Pendulum-v1"),
    variant(A2C, "symbols", "FrozenLake-v1"),
    variant(A2C, "crashing", "faulty:Crashing-v0", **BROUGHT),
)
REAL = ("rl/atari-breakout-a2c", "rl/lunarlander-a2c", "rl/cartpole-a2c")
REASONS = {
    "rl/nowhere": "unknown environment 'CartPole-v7': did you mean 'CartPole-v1'?",
    "rl/outdated": "unknown environment 'LunarLander-v2': did you mean 'LunarLander-v3'?",
    "rl/homeless": "'nosuch' is no Python file in any folder of sys.path: put it beside the file that names it",
    "rl/named": "rl/named sees faulty:Named-v0, whose observation space is Dict('here': Box(-1.0, 1.0, (3,), float32)): only",
    "rl/steering-dqn": "rl/steering-dqn acts in Pendulum-v1, whose action space is Box(-2.0, 2.0, (1,), float32): only",
    "rl/symbols": "rl/symbols sees FrozenLake-v1, whose observation space is Discrete(16): only arrays are supported",
    "rl/crashing": "RuntimeError: environment faulty:Crashing-v0 crashed: ZeroDivisionError: no ground left",
    "rl/atari-breakout-a2c": "no ROM of the Atari game 'breakout': [Errno 2] No such file or directory",
    "rl/lunarlander-a2c": "environment LunarLander-v3 needs a package of its own (LunarLander: box2d",
}


class Strange:
    """The domain with tasks that somebody got wrong; workers know the real one only."""

    def tasks(self):
        return {**domain.tasks(), **{task.key: task for task in STRANGE}}


def block(name, methods):
    return f'[[task]]\nname = "{name}"\nscale = "smoke"\nmethods = {methods}\nlevels = [1]\nseeds = [0]\n'


def call(*args):
    """Exit code, standard output and standard error of the command, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(registry, "domains", lambda: {"rl": Strange()})
        patch.setattr(sys, "argv", ["ticketbench", *map(str, args)])
        with pytest.raises(SystemExit) as left:
            main()
    return left.value.code or 0, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def suite(folder):
    names = [*(task.name for task in STRANGE), *REAL]
    (folder / "bad.toml").write_text("".join(block(name, ["dense", "ticket"]) for name in names))
    return folder / "bad.toml"


@pytest.fixture(scope="module")
def ran(folder, suite):
    """One run of a suite with every kind of bad input, without ROMs and without Box2D, and one good task at its end."""
    (folder / "roms").mkdir()
    (folder / "faulty.py").write_text(FAULTY)
    (folder / "Box2D.py").write_text(MISSING.format("Box2D"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALE_ROMS_DIR", str(folder / "roms"))
        patch.syspath_prepend(folder)  # workers inherit it
        return call("run", suite, "--store", folder / "runs", "--workers", 1)


@pytest.mark.slow
def test_the_rest_of_the_suite_goes_on(ran, suite, folder):
    code, out, err = ran
    assert code == 1
    assert all(re.match(r"ticketbench: (how long .* is unknown: |trying how fast )", line) for line in err.splitlines())
    assert "2 of 20 units done, 9 failed, 9 blocked" in out
    assert (folder / "runs/rl/cartpole-a2c/ticket/s0").is_dir()
    code, out, _ = call("status", suite, "--store", folder / "runs")
    assert code == 0
    assert out.count("\nfailed: ") == len(REASONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", REASONS)
def test_each_failure_has_one_line_with_its_reason(ran, folder, name):
    [line] = [line for line in ran[1].splitlines() if line.startswith(f"failed: {name}@smoke")]
    label = f"{name}@smoke dense L0 s0: "
    assert line.startswith(f"failed: {label}{REASONS[name]}")
    assert f"blocked: 1 unit: {name}@smoke dense L0 s0 failed" in ran[1]
    kept = [path.read_text() for path in (folder / "runs/failed").glob("*/reason.txt")]
    assert line.removeprefix(f"failed: {label}") in [text.partition("\n")[0] for text in kept]


@pytest.mark.parametrize(
    ("name", "methods", "said"),
    [
        ("rl/cartpol-a2c", ["dense"], "bad.toml:2: name: unknown task 'rl/cartpol-a2c': did you mean 'rl/cartpole-a2c"),
        ("rl/cartpole-ppo", ["fine-tune"], "cannot run fine-tune: The learning rate falls to zero"),
        ("rl/cartpole-dqn", ["fine-tune"], "cannot run fine-tune: DQN's random actions become fewer"),
    ],
)
def test_what_the_plan_can_know_is_refused_before_anything_is_trained(tmp_path, name, methods, said):
    (tmp_path / "bad.toml").write_text(block(name, methods))
    code, out, err = call("run", tmp_path / "bad.toml", "--store", tmp_path / "runs")
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_with_half_a_stable_baselines3_agents_name_the_extra_and_images_are_learned(tmp_path):
    (tmp_path / "stable_baselines3.py").write_text(MISSING.format("stable_baselines3"))
    tasks = ("rl/cartpole-a2c", "vision/lenet-mnist")
    (tmp_path / "both.toml").write_text("".join(block(name, ["dense"]) for name in tasks))
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "both.toml", "--store", "runs", "--workers", "1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert all(re.match("ticketbench: (how long|trying how fast) ", line) for line in done.stderr.splitlines())
    assert "1 of 2 units done, 1 failed" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("failed: ")]
    assert "rl/cartpole-a2c needs stable_baselines3, which is not installed: " in line
    assert line.endswith("pip install 'ticketbench[rl]'")
    assert (tmp_path / "runs/vision/lenet-mnist/dense/s0").is_dir()
