"""One image classifier in training: what the protocol sees of it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from bench.errors import SpecError, UnknownName
from bench.learner import State, check_finite, copy_state, every_entry, mode, restore, train_to
from bench.spec import Task
from bench.streams import Streams
from domains.vision.examples import Examples, load
from domains.vision.models import build
from domains.vision.schedule import Schedule

HELD_OUT = ("val", "test")
EVALUATION_BATCH = 1_000
"""Images evaluated at once; the fastest of the sizes measured on a CPU."""


def _adam(parameters: Iterator[nn.Parameter], config: Mapping[str, Any]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=config["rate"], weight_decay=config.get("weight_decay", 0.0), fused=True)


def _sgd(parameters: Iterator[nn.Parameter], config: Mapping[str, Any]) -> torch.optim.Optimizer:
    options = {key: config.get(key, 0.0) for key in ("momentum", "weight_decay")}
    return torch.optim.SGD(parameters, lr=config["rate"], fused=True, **options)


OPTIMIZERS: dict[str, Callable[[Iterator[nn.Parameter], Mapping[str, Any]], torch.optim.Optimizer]] = {
    "adam": _adam,
    "sgd": _sgd,
}


class VisionLearner:
    """A classifier of images (see `bench.learner.Learner`); a step is an update.

    Args:
        task: its `config` names model, optimizer, schedule, batch, split and normalisation; its `data` one data set.
        streams: `init` gives the weights, `data` the order of the examples, `score` those of `losses`.
        device: where everything lives.
        width: multiplies every hidden width.

    Raises:
        DataError: if the task's data are missing or are not what the task was defined on.
        UnknownName: if there is no such model, optimizer or schedule.
        SpecError: if the task calls a changing learning rate constant.
    """

    def __init__(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> None:
        config = task.config
        if config["optimizer"] not in OPTIMIZERS:
            raise UnknownName("optimizer", config["optimizer"], OPTIMIZERS)
        self._schedule = Schedule.of(config, task.budget)
        if task.constant_rate and not self._schedule.is_constant:
            raise SpecError(f"task {task.name} has constant_rate and a {config['schedule']} schedule: drop one")
        self._task = task
        self._streams = streams
        self._splits = _splits(task, device)
        self._batch = config["batch"]
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)
        self.module = build(config["model"], width=width, generator=streams.torch("init")).to(device)
        self.optimizer = OPTIMIZERS[config["optimizer"]](self.module.parameters(), config)
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
        """Accuracy in per cent (0-100) and mean cross-entropy in nats; draws nothing and changes nothing.

        Args:
            split: `val` or `test`; the task's `evaluation` may limit how many examples, from the first on.

        Raises:
            Diverged: if the loss is not finite.
        """
        images, labels = self._held_out(split)
        correct = torch.zeros((), dtype=torch.int64, device=labels.device)
        total = torch.zeros((), dtype=torch.float64, device=labels.device)
        with mode(self.module, training=False), torch.no_grad():
            for start in range(0, len(labels), EVALUATION_BATCH):
                logits = self.module(images[start : start + EVALUATION_BATCH])
                wanted = labels[start : start + EVALUATION_BATCH]
                correct += (logits.argmax(1) == wanted).sum()
                total += F.cross_entropy(logits, wanted, reduction="sum")
        check_finite(self.step, [(f"the {split} loss", total)])
        return {"accuracy": 100 * correct.item() / len(labels), "loss": total.item() / len(labels)}

    def losses(self, n: int, *, temperature: float = 1.0) -> Iterator[Tensor]:
        """`n` training losses with their graphs, each on its own random batch; the same at each call."""
        train = self._splits["train"]
        generator = self._streams.numpy("score")
        for _ in range(n):
            rows = torch.from_numpy(generator.choice(len(train), self._batch, replace=False))
            images, labels = train.at(rows.to(train.labels.device))
            with mode(self.module, training=True):
                # Batch norm writes its statistics to these copies; writing them back would void the graph.
                buffers = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
                logits = functional_call(self.module, buffers, (images,))
            yield F.cross_entropy(logits / temperature, labels)

    def forward_ones(self) -> Tensor:
        """The logits (1, 10) in evaluation mode for one all-ones image of the parameters' dtype, with graph."""
        like = next(self.module.parameters())
        shape = self._splits["train"].images.shape[1:]
        with mode(self.module, training=False):
            logits: Tensor = self.module(torch.ones((1, *shape), dtype=like.dtype, device=like.device))
        return logits

    def snapshot(self) -> State:
        """A copy of weights, buffers and position that later training does not change."""
        return copy_state(self)

    def load(self, state: State) -> None:
        """Go on from `state`, of the same model at the same width, with a fresh optimizer."""
        restore(self, state)
        self._set_rate()

    def _update(self) -> Tensor:
        if not self._schedule.is_constant:
            self._set_rate()
        images, labels = self._splits["train"].at(self._rows())
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.module(images), labels)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self.updates += 1
        return loss.detach()

    def _rows(self) -> Tensor:
        labels = self._splits["train"].labels
        epoch, index = divmod(self.step, len(labels) // self._batch)
        if epoch != self._epoch:
            order = self._streams.numpy("data", epoch).permutation(len(labels))
            self._epoch, self._order = epoch, torch.from_numpy(order).to(labels.device)
        return self._order[index * self._batch : (index + 1) * self._batch]

    def _set_rate(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self._schedule.at(self.step, self.origin)

    def _held_out(self, split: str) -> tuple[Tensor, Tensor]:
        if split not in HELD_OUT:
            raise UnknownName("split", split, HELD_OUT)
        limit = self._task.evaluation.get(split)
        return self._splits[split].images[:limit], self._splits[split].labels[:limit]


def _splits(task: Task, device: str) -> dict[str, Examples]:
    ((name, digest),) = task.data.items()
    mean, std = task.config["normalisation"]
    return load(
        name,
        digest,
        normalisation=(mean, std),
        validation=task.config["validation"],
        split_seed=task.config["split_seed"],
        device=device,
    )
