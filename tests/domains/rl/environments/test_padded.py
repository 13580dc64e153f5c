"""CartPole among noise: the pole is CartPole's, and the noise tells nothing."""

import numpy as np
import pytest

from bench.errors import UnknownName
from domains.rl.environments import envs
from domains.rl.environments.padded import NOISE, SPREAD, PaddedCartPoles

N = 4
PADDED = {"kind": "padded", "id": "CartPole-v0"}


def simulations(n=N):
    return envs.make(PADDED, n=n).simulations


def played(env, seeds, steps=60):
    actions = np.arange(len(seeds)) % 2
    return [env.reset(seeds), *(env.step((actions + step) % 2) for step in range(steps))]


def test_the_first_four_numbers_move_as_cartpoles_do():
    """Until an episode ends: from then on the generator has also drawn noise, and starts elsewhere."""
    whole = played(simulations(), range(N), steps=8)
    plain = played(envs.make({**PADDED, "kind": "gymnasium"}, n=N).simulations, range(N), steps=8)
    assert np.array_equal(whole[0][:, :4], plain[0])
    for ours, theirs in zip(whole[1:], plain[1:], strict=True):
        assert np.array_equal(ours.observations[:, :4], theirs.observations)
        assert np.array_equal(ours.rewards, theirs.rewards)


def test_noise_is_new_at_every_step_for_every_copy_and_of_its_size():
    seen = played(simulations(64), range(64), steps=40)
    noise = np.stack([step.observations[:, 4:] for step in seen[1:]])
    assert noise.shape[2] == NOISE
    assert noise.dtype == np.float32
    assert len(np.unique(noise)) > 0.999 * noise.size
    assert noise.std() == pytest.approx(SPREAD, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=SPREAD / 50)
    states = np.stack([step.observations[:, :4] for step in seen[1:]]).reshape(-1, 4)
    told = np.corrcoef(np.hstack([states, noise.reshape(-1, NOISE)]).T)[:4, 4:]
    assert np.abs(told).max() < 0.1, "it says nothing of the state"


def test_what_is_seen_lies_in_the_space_and_relevant_are_the_states_numbers():
    env = simulations()
    assert env.observation_space.shape == (4 + NOISE,)
    assert all(env.observation_space.contains(each) for each in env.reset(range(N)))
    assert PaddedCartPoles.relevant.tolist() == [True] * 4 + [False] * NOISE


def test_a_copys_noise_does_not_depend_on_its_company():
    alone = [played(simulations(2), seeds) for seeds in ((3, 4), (5, 6))]
    parts = [simulations(2), simulations(2)]
    for part, seeds in zip(parts, ((3, 4), (5, 6)), strict=True):
        part.reset(seeds)
    joint = PaddedCartPoles.joined(parts)
    for step in range(60):
        together = joint.step((np.array([0, 1, 0, 1]) + step) % 2)
        for number, seen in enumerate(alone):
            assert np.array_equal(together.observations[2 * number : 2 * number + 2], seen[1 + step].observations)


def test_only_what_is_padded_is_made():
    with pytest.raises(UnknownName, match="environment with noise beside its state 'Acrobot-v1'"):
        envs.make({**PADDED, "id": "Acrobot-v1"}, n=1)


def test_the_noise_is_the_published_one():
    """No id tells it: twelve numbers of a standard deviation of 0.1, as the task's deviations say."""
    assert (NOISE, SPREAD) == (12, 0.1)
