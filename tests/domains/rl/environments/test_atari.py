"""What the adapter makes of ale-py's vector environment, against the emulator's own account and a recorded trace."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from ale_py.vector_env import AtariVectorEnv

from bench.errors import DataError, UnknownName
from bench.streams import Streams
from domains.rl import domain
from domains.rl.environments import atari
from domains.rl.environments.atari import PROTOCOLS, Ataris
from domains.rl.environments.episodes import Episodes

TRACE = Path(__file__).parent / "breakout.json"


def digest(frames):
    return sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()[:16]


def trace(steps):
    """Every end that the agent sees in two games of Breakout, with frames, raw score and last observation."""
    games = Ataris("breakout", 2, protocol="nature")
    env, generator, ends = Episodes(games), np.random.default_rng(1), []
    start = digest(env.reset_from([11, 12]))
    for number in range(steps):
        before = games.frames
        _, _, done, infos = env.act(generator.integers(0, 4, 2))
        for index in np.flatnonzero(done).tolist():
            info = infos[index]
            score = info["episode"]["r"] if "episode" in info else None
            frame = [int(before[index]), int(games.frames[index])]
            ends.append([number, index, frame, int(games.lives[index]), score, digest(info["terminal_observation"])])
    return {"start": start, "ends": ends}


def test_the_recorded_trace():
    recorded = json.loads(TRACE.read_text())
    assert trace(steps=400) == recorded
    lost = [end for end in recorded["ends"] if end[4] is None]
    games = [end for end in recorded["ends"] if end[4] is not None]
    assert len(games) >= 2
    assert len(lost) >= 4 * len(games)  # five lives a game
    assert all(after == before + 4 for _, _, (before, after), *_ in lost)
    assert all(after < before for _, _, (before, after), *_ in games)
    assert all(lives == 5 for _, _, _, lives, *_ in games)


def test_the_last_observation_is_the_one_before_the_reset():
    """Next-step resets show it as an ordinary observation."""
    options = {**PROTOCOLS["nature"], "life_loss_info": False, "reward_clipping": False, "num_threads": 1}
    theirs, ours = AtariVectorEnv("breakout", 1, **options), Ataris("breakout", 1, protocol="nature")
    theirs.reset(seed=np.array([4]))
    ours.reset([4])
    generator, score = np.random.default_rng(2), 0
    for _ in range(1_000):
        actions = generator.integers(0, 4, 1)
        frames, reward, terminated, *_ = theirs.step(actions)
        step = ours.step(actions)
        score += reward[0]
        assert step.over[0] == terminated[0]
        assert step.scores[0] == reward[0]
        assert np.array_equal(step.last[0], frames[0])
        if terminated[0]:
            break
    assert score > 0
    assert not np.array_equal(step.observations[0], step.last[0])


def test_rewards_are_clipped_and_scores_are_not():
    env = Ataris("seaquest", 4, protocol="nature")
    env.reset(range(4))
    generator, scores = np.random.default_rng(0), set()
    for _ in range(150):
        step = env.step(generator.integers(0, env.action_space.n, 4))
        assert np.array_equal(step.rewards, np.sign(step.scores))
        scores |= set(step.scores.tolist())
    assert 20.0 in scores


def test_a_truncated_game_is_flagged_and_has_its_last_observation():
    env = Episodes(Ataris("breakout", 2, protocol="machado", max_num_frames_per_episode=40))
    env.reset_from([1, 2])
    for _ in range(12):
        observations, _, done, infos = env.act(np.zeros(2, dtype=np.int64))
        if done.any():
            break
    assert infos[0]["TimeLimit.truncated"]
    assert infos[0]["episode"]["l"] == 10
    assert not np.array_equal(infos[0]["terminal_observation"], observations[0])


def sticks(**options):
    """Whether games with equal actions become unequal, where nothing but a sticky button could make them so."""
    env = Ataris("breakout", 4, noop_max=1, **options)
    env.reset([1, 2, 3, 4])
    generator = np.random.default_rng(0)
    for _ in range(30):
        seen = env.step(np.full(4, generator.integers(0, env.action_space.n))).observations
    return not all(np.array_equal(seen[0], copy) for copy in seen)


def test_stickiness_is_the_protocols():
    assert sticks(protocol="machado")
    assert not sticks(protocol="nature")
    assert PROTOCOLS["yu"]["repeat_action_probability"] == 0.0
    assert not sticks(protocol="machado", repeat_action_probability=0.0)


def test_protocols_differ_in_buttons_and_pictures():
    shapes = {name: Ataris("breakout", 1, protocol=name).observation_space.shape for name in PROTOCOLS}
    assert shapes == {"nature": (4, 84, 84), "machado": (4, 84, 84), "yu": (12, 105, 80)}
    assert Ataris("breakout", 1, protocol="machado").action_space.n == 18
    assert Ataris("breakout", 1, protocol="nature").action_space.n == 4


def test_colours_become_channels_frame_by_frame():
    env = Ataris("breakout", 1, protocol="yu")
    options = {**PROTOCOLS["yu"], "reward_clipping": False, "num_threads": 1}
    raw, _ = AtariVectorEnv("breakout", 1, **options).reset(seed=np.array([3]))
    seen = env.reset([3])
    assert np.array_equal(seen[0, 3 * 2 + 1], raw[0, 2, :, :, 1])


@pytest.mark.parametrize("game", ["breakout", "seaquest"])
def test_smoke_training_moves_the_weights(game):
    task = domain.tasks()[f"rl/atari-{game}-a2c@smoke"]
    agent = domain.learner(task, streams=Streams(0), device="cpu")
    begin = agent.snapshot()
    agent.train(task.budget)
    assert agent.updates == 8
    assert agent.env_steps == task.budget
    assert all(not weight.equal(begin.weights[name]) for name, weight in agent.snapshot().weights.items())


def test_no_such_rom_and_no_such_protocol():
    with pytest.raises(DataError, match="no ROM of the Atari game 'SpaceInvaders'.*snake-case"):
        Ataris("SpaceInvaders", 1, protocol="nature")
    with pytest.raises(UnknownName, match="did you mean 'nature'"):
        Ataris("breakout", 1, protocol="natur")


EMULATOR = {
    "nature": {"life_loss_info": True},
    "machado": {"repeat_action_probability": 0.25, "noop_max": 1, "use_fire_reset": False, "full_action_space": True},
    "yu": {"frameskip": 3, "grayscale": False, "img_height": 105, "img_width": 80},
}
"""Protocol -> what differs from Nature's picture, or from its play."""
EVERYWHERE = {
    "repeat_action_probability": 0.0, "full_action_space": False, "life_loss_info": False, "noop_max": 30,
    "use_fire_reset": True, "frameskip": 4, "maxpool": True, "stack_num": 4, "grayscale": True, "img_height": 84,
    "img_width": 84, "max_num_frames_per_episode": 108_000, "reward_clipping": False, "episodic_life": False,
    "num_threads": 1, "continuous": False,
}  # fmt: skip
"""Four frames, the brighter of the last two, stacked four deep in 84 x 84 greys; half an hour; raw scores."""


@pytest.mark.parametrize("protocol", EMULATOR)
def test_the_emulator_is_told_the_protocol(protocol, monkeypatch):
    """The emulator's own defaults count where it is told nothing: they are read off its signature."""
    given, real = {}, atari.AtariVectorEnv

    def noted(name, n, **options):
        given.update(options)
        return real(name, n, **options)

    monkeypatch.setattr(atari, "AtariVectorEnv", noted)
    atari.Ataris("breakout", 1, protocol=protocol).close()
    assert given.pop("autoreset_mode").value == "SameStep"
    told = {option: given.get(option, real.__init__.__kwdefaults__[option]) for option in EVERYWHERE}
    assert told == {**EVERYWHERE, **EMULATOR[protocol]}
    assert given.keys() <= EVERYWHERE.keys()


def test_closing_stops_the_emulator(monkeypatch):
    env, closed = Ataris("breakout", 1, protocol="nature"), []
    monkeypatch.setattr(env._env, "close", lambda: closed.append(True))
    env.close()
    assert closed
