"""Reinforcement-learning agents on stable-baselines3, as in the paper on tickets beyond vision (arXiv 1906.02768)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bench.errors import MissingPackage
from bench.spec import Task
from bench.streams import Streams
from domains.rl.config import contradiction, misfit
from domains.rl.tasks import TASKS
from domains.rl.tasks.custom import own
from domains.rl.tasks.recipe import rollout, unsupported

if TYPE_CHECKING:
    from bench.learner import Learner
    from domains.rl.stack.stack import AgentStack

__all__ = ["domain", "own"]

PACKAGES = ("stable_baselines3", "gymnasium")
"""Imported by every agent."""
EXTRA = "rl"
"""Of our distribution: installs them."""
OURS = frozenset(task.config["env"]["id"] for task in TASKS.values())
"""Environments of the tasks here, whose actions are all discrete."""
SEATS = 32
"""Agents in a stack: more gain little, and each takes memory."""


class ReinforcementLearning:
    """The domain of the agents."""

    forwards_ones = True

    def tasks(self) -> Mapping[str, Task]:
        """`task.key` -> task; imports neither torch nor stable-baselines3 nor gymnasium."""
        return TASKS

    def network(self, task: Task) -> Any:
        """What decides layers and shapes: the algorithm, its network, and what the environment shows and lets be done."""
        return {**{key: task.config.get(key) for key in ("algorithm", "network")}, "env": self.outputs(task)}

    def outputs(self, task: Task) -> Any:
        """The environment's actions, which are other buttons in each protocol of Atari's games."""
        return {key: task.config["env"].get(key) for key in ("kind", "id", "code", "protocol")}

    def code(self, task: Task) -> Mapping[str, str]:
        """Module -> sha256 of its file, of the user's own environment."""
        found: Mapping[str, str] = task.config.get("env", {}).get("code", {})
        return found

    def learner(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> Learner:
        """A learner at step 0 (see `bench.learner.Domain`).

        Raises:
            DataError: if a package or a ROM that the task needs is missing.
            SpecError: if the task's environment does not exist, or the algorithm cannot act in it.
        """
        with _installed(task):
            from domains.rl.cloning.learner import CloningLearner  # noqa: PLC0415  the planner lists tasks without torch
            from domains.rl.learner import AgentLearner  # noqa: PLC0415  see above

            if "demonstrations" in task.config:
                return CloningLearner(task, streams=streams, device=device, width=width)
            return AgentLearner(task, streams=streams, device=device, width=width)

    def unsupported(self, task: Task) -> Mapping[str, str]:
        """By its algorithm, what of it follows a schedule, and what it is scored by (see `bench.doors.DeclinesMethods`)."""
        return unsupported(task)

    def refusal(self, task: Task) -> str | None:
        """That something it says has no effect, or that it has empty rollouts or rewinds before it learns (see `bench.doors.RefusesTasks`)."""
        if reason := misfit(task.config) or contradiction(task):
            return reason
        if "demonstrations" not in task.config and rollout(task) < 1:
            return "the steps of a rollout and n_envs are whole numbers above 0"
        first = task.config["hyperparameters"].get("learning_starts", 0)
        if 0 < task.rewind_step <= first:
            return (
                f"rewind_step is {task.rewind_step:,}, and nothing is learned before step {first:,} (learning_starts)"
            )
        return None

    def check(self, task: Task) -> None:
        """Raises MissingPackage if there is no stable-baselines3 here (see `bench.doors.ChecksPackages`)."""
        for package in PACKAGES:
            if find_spec(package) is None:
                raise MissingPackage(task.name, package, install=f"ticketbench[{EXTRA}]")

    def seats(self, task: Task, device: str) -> int | str:
        """How many agents train together at best; DQN's do not (see `bench.doors.StacksUnits`)."""
        if "demonstrations" in task.config:
            return "an update from demonstrations is small, and most of its time is spent on fresh episodes"
        if task.config["algorithm"] == "dqn":
            return "DQN's agents would need a replay buffer and an exploration each"
        if task.config["env"]["kind"] == "atari":
            return "the emulator takes most of the time, and a network of Atari's fills a core"
        if task.config["env"].keys() & {"code", "max_episode_steps"} or task.config["env"]["id"] not in OURS:
            return "only the environments of this package are stacked: others may have continuous actions"
        if task.unit == "episodes" and (not task.constant_rate or self.aligned(task)):
            return "its schedules follow the episodes, of which agents finish different numbers in a rollout"
        convolves = task.config["network"]["name"] == "minatar"
        return 1 if convolves and task.config["algorithm"] == "ppo" and device == "cpu" else SEATS

    def aligned(self, task: Task) -> bool:
        """Whether a hyper-parameter falls, be it the clipping range alone (see `bench.doors.AlignsSeats`)."""
        return any(isinstance(value, Mapping) for value in task.config.get("hyperparameters", {}).values())

    def stack(self, task: Task, *, streams: Sequence[Streams], device: str) -> AgentStack:
        """A stack of agents at step 0; raises what `learner` does."""
        with _installed(task):
            from domains.rl.stack.stack import AgentStack  # noqa: PLC0415  the planner lists tasks without torch

            return AgentStack(task, streams=streams, device=device)


@contextmanager
def _installed(task: Task) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingPackage(task.name, str(error.name), install=f"ticketbench[{EXTRA}]") from error


domain = ReinforcementLearning()
