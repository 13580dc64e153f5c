"""One agent's network that learns from demonstrations: what the protocol sees of it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bench.errors import UnknownName
from bench.learner import State, check_finite, copy_state, every_entry, mode, restore, train_to
from bench.spec import Task
from bench.streams import Streams
from domains.rl import algorithms
from domains.rl.cloning.expert import demonstrations
from domains.rl.environments import envs
from domains.rl.evaluation import HELD_OUT, Evaluator
from domains.rl.normalisation import Normaliser
from domains.rl.randomness import WORD, Randomness
from domains.rl.rollouts import OnPolicy


class CloningLearner:
    """A policy that imitates a trained agent (see `bench.learner.Learner`); a step is an update.

    The loss is the cross-entropy between the expert's probabilities and its own, in nats, over what the expert saw. The
    critic of stable-baselines3's policy is there, and not trained: a task exempts it from pruning.

    Args:
        task: its `config` names network and optimizer as an agent's does, the `batch`, and the `demonstrations`.
        streams: `init` gives the weights, `data` the order of the demonstrations, `score` what `losses` draws, `eval` the
            episodes that it is judged by.
        device: where the policy lives.
        width: multiplies every hidden width.

    Raises:
        DataError: if the bundled expert is not the one that was published.
    """

    def __init__(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> None:
        config = task.config
        self._streams, self._batch = streams, config["batch"]
        self._evaluator = Evaluator(task, streams)
        self._normaliser = Normaliser(envs.make(config["env"], n=1), wanted=False, gamma=1.0)
        with Randomness(0, torch.device(device)):
            seed = streams.integer("init") % WORD
            self._model = algorithms.build(task, self._normaliser.env, seed=seed, device=device, width=width)
        self._policy = OnPolicy(self._model)
        self.module: nn.Module = self._policy.module
        self.optimizer: torch.optim.Optimizer = self._model.policy.optimizer
        shown = demonstrations(config["env"]["id"], config["demonstrations"])
        self._shown = tuple(each.to(device) for each in shown)
        self._epoch, self._order = -1, torch.empty(0)
        self.step = self.updates = self.origin = 0

    def prunable(self) -> dict[str, Tensor]:
        """Every entry of every parameter: parameter name -> bool tensor of its shape, all True."""
        return every_entry(self.module)

    def train(self, until: int) -> None:
        """Train to step `until`, exactly.

        Raises:
            Diverged: if the loss or a weight is no longer finite.
        """
        train_to(self, until, self._update)

    def evaluate(self, split: str) -> dict[str, float]:
        """Mean return and length of fresh episodes; changes nothing.

        Args:
            split: `val` or `test`.
        """
        if split not in HELD_OUT:
            raise UnknownName("split", split, HELD_OUT)
        check_finite(self.step, self.module.named_parameters())  # a policy of NaN cannot be sampled from
        return self._evaluator.evaluate(self._model, split, self._normaliser)

    def losses(self, n: int, *, temperature: float = 1.0) -> Iterator[Tensor]:
        """`n` training losses with their graphs, each on its own random batch; the same at each call."""
        generator = self._streams.numpy("score")
        for _ in range(n):
            rows = generator.choice(len(self._shown[0]), self._batch, replace=False)
            with mode(self.module, training=True):
                yield self._loss(torch.from_numpy(rows), temperature)

    def forward_ones(self) -> Tensor:
        """Logits and value (1, outputs) for one all-ones observation, with graph."""
        return self._policy.forward_ones()

    def snapshot(self) -> State:
        """A copy of weights and position that later training does not change."""
        return copy_state(self)

    def load(self, state: State) -> None:
        """Go on from `state` with a fresh optimizer."""
        restore(self, state)

    def _update(self) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self._rows(), 1.0)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self.updates += 1
        return loss.detach()

    def _loss(self, rows: Tensor, temperature: float) -> Tensor:
        observations, probabilities = (each[rows.to(each.device)] for each in self._shown)
        logits = self._model.policy.get_distribution(observations).distribution.logits
        losses: Tensor = -(probabilities * (logits / temperature).log_softmax(1)).sum(1)
        return losses.mean()

    def _rows(self) -> Tensor:
        """Which demonstrations the next update sees: of a whole epoch each once, but for those that fill no batch."""
        epoch, index = divmod(self.step, len(self._shown[0]) // self._batch)
        if epoch != self._epoch:
            order = self._streams.numpy("data", epoch).permutation(len(self._shown[0]))
            self._epoch, self._order = epoch, torch.from_numpy(order)
        return self._order[index * self._batch : (index + 1) * self._batch]
