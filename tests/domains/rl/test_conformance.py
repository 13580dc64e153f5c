"""Agents and methods on them, held to the protocol."""

from dataclasses import replace
from itertools import permutations

import pytest

from bench.registry import method, misfit
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.methods import METHODS
from domains.rl import domain


@pytest.mark.parametrize("name", ["cartpole-a2c", "cartpole-ppo", "cartpole-dqn", "acrobot-ppo"])
def test_the_learner_conforms(name):
    """With each algorithm, and with a normaliser, whose statistics nothing but training may move."""
    assert check_learner(domain, domain.tasks()[f"rl/{name}@smoke"]) == []


@pytest.mark.parametrize("method", ["ticket", "reinit", "random-ticket"])
def test_methods_conform(a2c, method):
    assert check_method(METHODS[method], domain, a2c) == []


@pytest.mark.slow
@pytest.mark.parametrize("template", ["transfer", "transfer-reinit"])
def test_transfers_conform(template):
    """Between budgets in episodes and in steps: what the target's own window of returns holds is no part of a ticket."""
    task = domain.tasks()["rl/cartpole-a2c-steps@smoke"]
    assert check_method(method(f"{template}+cartpole-a2c"), domain, task, level=2) == []


def test_no_ticket_moves_between_protocols_of_a_game_whose_buttons_differ():
    """It would fail when it starts: Breakout has 4 buttons in one, and 18 in the other."""
    tasks = {name: domain.tasks()[f"rl/atari-{name}@smoke"] for name in ("breakout-a2c", "breakout-a2c-machado")}
    (told, other) = (misfit(tasks[at], method(f"transfer+atari-{of}")) for at, of in permutations(tasks))
    for reason, source in ((told, "breakout-a2c-machado"), (other, "breakout-a2c")):
        assert reason.startswith(f"rl/atari-{source} trains another network")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cartpole-ppo", "cartpole-dqn"])
@pytest.mark.parametrize("method", ["ticket", "random-ticket"])
def test_methods_conform_for_other_algorithms(name, method):
    assert check_method(METHODS[method], domain, domain.tasks()[f"rl/{name}@smoke"]) == []


@pytest.mark.slow
def test_a_ticket_conforms_with_a_normaliser():
    task = domain.tasks()["rl/acrobot-ppo@smoke"]
    once = {"episodes": 1, "n_envs": 1, "deterministic": True}
    assert (
        check_method(METHODS["ticket"], domain, replace(task, evaluation=once, evaluate_every=task.budget), level=1)
        == []
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["snip", "grasp", "synflow", "gmp", "rigl", "small-dense", "lr-rewind"])
def test_other_arms_conform(a2c, method):
    assert check_method(METHODS[method], domain, a2c) == []
