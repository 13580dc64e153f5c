"""Measures what a policy that acts uniformly at random scores.

python -m domains.rl.chance TASK [EPISODES], or, of an environment of your own, ID EPISODES LIMIT [--options JSON].
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import typer
from gymnasium import spaces

from bench import command
from bench.code.pinned import digests
from bench.errors import SpecError, TicketBenchError
from domains.rl import algorithms
from domains.rl.environments import envs
from domains.rl.environments.episodes import Array, Episodes
from domains.rl.evaluation import play
from domains.rl.tasks import TASKS

COPIES = 50
"""Each copy plays its share of the episodes, so that short ones are not favoured."""
FEWEST = 2
"""Episodes that have a standard error."""


def random_returns(env: Mapping[str, Any], *, episodes: int, seed: int = 0) -> list[float]:
    """Raw returns of so many episodes of random play.

    Args:
        env: as in a task's `config`.
        episodes: in all.
        seed: of episodes and actions.

    Raises:
        SpecError: if the environment cannot be made with its options or breaks down, or if no agent could be trained in it.
    """
    played = _made(env)
    generator = np.random.default_rng(seed)
    seeds = envs.seeds(np.random.SeedSequence(seed), COPIES)
    try:
        [found] = play(lambda _: _drawn(played.action_space, generator), played, seeds, [episodes])
    except RuntimeError as error:  # which names the environment
        raise SpecError(" ".join(str(error).split())) from error
    return [episode.score for episode in found]


def _made(env: Mapping[str, Any]) -> Episodes:
    try:
        played = envs.make(env, n=COPIES)
    except TicketBenchError:
        raise
    except TypeError as error:  # of its own constructor
        raise SpecError(f"{env['id']} takes no such options: {error}") from error
    except Exception as error:  # whatever somebody's constructor raises
        told = " ".join(str(error).split())
        raise SpecError(f"environment {env['id']} cannot be made: {type(error).__name__}: {told}") from error
    if reason := algorithms.stranger(played.action_space, continuous=True):
        raise SpecError(
            f"{env['id']}, whose action space is {played.action_space}: {reason}; choose another environment"
        )
    if getattr(played.simulations, "limit", None) == math.inf:
        raise SpecError(f"{env['id']} is registered without a limit: write LIMIT, the steps that cut off an episode")
    return played


def _drawn(space: spaces.Space[Any], generator: np.random.Generator) -> Array:
    """An action for every copy, each as likely."""
    if isinstance(space, spaces.Box):
        return generator.uniform(space.low, space.high, (COPIES, *space.shape)).astype(space.dtype)
    assert isinstance(space, spaces.Discrete)
    return generator.integers(0, int(space.n), COPIES)


def measure(
    key: Annotated[str, typer.Argument(metavar="TASK", help="A task, or gymnasium's id of an environment.")],
    episodes: Annotated[int, typer.Argument(metavar="EPISODES", help=f"To play, at least {FEWEST}.")] = 1_000,
    limit: Annotated[
        int | None,
        typer.Argument(metavar="LIMIT", help="Steps that cut off an episode of an id; its own if it has some."),
    ] = None,
    options: Annotated[str, typer.Option(metavar="JSON", help="Keyword arguments of an id's environment.")] = "{}",
) -> None:
    """Print mean and standard error of the returns of random play."""
    if episodes < FEWEST:
        raise SpecError(
            f"{episodes} episodes of {key} were asked for, which have no standard error: take at least {FEWEST}"
        )
    if limit is not None and limit < 1:
        raise SpecError(f"a limit of {limit} steps: take at least 1")
    own = {**_keywords(options), "kind": "gymnasium", "id": key, "max_episode_steps": limit, "code": digests(key)}
    returns = random_returns(TASKS[key].config["env"] if key in TASKS else own, episodes=episodes)
    error = np.std(returns, ddof=1) / np.sqrt(len(returns))
    print(f"{key} {np.mean(returns):.2f} +- {error:.2f} ({len(returns)} episodes)")  # noqa: T201  a command's answer


def _keywords(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SpecError(f"the options {text} are no JSON object: write '{{\"name\": value}}'")
    return found


def main() -> None:
    """Run the command; a mistake of the user's is one line and exit code 2."""
    command.run(measure, name="python -m domains.rl.chance", example="CartPole-v1 1000 200")


if __name__ == "__main__":
    main()
