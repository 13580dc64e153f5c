"""One image classifier in training: what the protocol sees of it."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from bench.errors import SpecError, UnknownName, Unsupported
from bench.learner import State, check_finite, copy_state, every_entry, mode, restore, train_to
from bench.spec import Task
from bench.streams import Streams, drawing_from
from domains.vision.datasets import is_mixed
from domains.vision.examples.augmentation import Augmentation
from domains.vision.examples.batches import Batches
from domains.vision.examples.examples import CLASSES, load
from domains.vision.examples.parts import held_out, shortage
from domains.vision.networks.kinds import is_own
from domains.vision.networks.models import build
from domains.vision.optimizers import OPTIMIZERS
from domains.vision.schedule import Schedule

EVALUATION_BATCH = 1_000
"""Images evaluated at once; the fastest of the sizes measured on a CPU."""
EVALUATION_PIXELS = 1_000 * 28 * 28
"""Numbers in images evaluated at once, that large ones take no more memory; but never fewer images than `FEWEST`."""
FEWEST = 64
FIT = 10_000
"""Training images of which the fit is measured, and statistics are estimated anew, at most."""
FIT_SEED = 0
"""Draws which these are where the first are not like all: the same for every seed, so that arms and seeds compare."""


class VisionLearner:
    """A classifier of images, or of whatever else a function of the user's gives (see `bench.learner.Learner`); a step is an update.

    Args:
        task: its `config` names model, optimizer, schedule, batch, and what is taken of the one data set of its `data` (see
            `domains.vision.examples.examples.load`); `augment`, if training images are cropped and flipped; `width`, if the model
            is not as wide as its name says.
        streams: `init` gives the weights, `data` the order of the examples, `augment` their crops and flips and the dropout
            of networks that are not built in, `score` the examples of `losses`, which are not augmented, and their dropout,
            `eval` what such networks draw even while they are evaluated.
        device: where everything lives.
        width: multiplies every hidden width.

    Raises:
        DataError: if the task's data are missing or are not what the task was defined on.
        UnknownName: if there is no such model, optimizer or schedule.
        SpecError: if the task calls a changing learning rate constant, its model cannot see its images, fewer of them than a
            batch are left to train on, or there are none of a split that it evaluates.
    """

    head = ("output.*",)
    """Patterns of the names of the output layer's parameters: what no other data set's labels can use."""

    def __init__(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> None:
        config = task.config
        if config["optimizer"] not in OPTIMIZERS:
            raise UnknownName("optimizer", config["optimizer"], OPTIMIZERS)
        self._schedule = Schedule.of_task(task)
        self._task = task
        self._streams = streams
        self._device = torch.device(device)
        self._splits = load(task, device)
        known = self._splits.keys() - {"train"}
        if missing := [split for split in task.splits if split not in known]:
            raise SpecError(
                f"{task.name} is evaluated on {missing[0]}, and its examples are for {' and '.join(sorted(known))}: hold some out "
                "in its `config`, or leave it out of `splits`"
            )
        self._batch = config["batch"]
        if reason := shortage(config, len(self._splits["train"]) + sum(held_out(config).values())):
            raise SpecError(reason)
        self._augmentation = Augmentation(**config["augment"]) if "augment" in config else None
        self._epoch = -1
        self._order: tuple[Tensor, ...] = ()
        self._updates_per_epoch = len(self._splits["train"]) // self._batch
        self.module = build(
            config["model"],
            width=width * config.get("width", 1.0),
            classes=config.get("classes", CLASSES),
            image=self._splits["train"].shape,
            seen=torch.int64 if self._splits["train"].are_whole else torch.float32,
            generator=streams.torch("init"),
            modules=config.get("code", {}),
        ).to(device)
        self._may_draw = ":" in config["model"]
        convolves = any(isinstance(module, nn.Conv2d) for module in self.module.modules())
        are_images = len(self._splits["train"].shape) == 3
        self._format = torch.channels_last if convolves and are_images else torch.contiguous_format
        self.module.to(memory_format=self._format)
        if is_own(config["model"]) and not self._sees():
            self._format = torch.contiguous_format
            self.module.to(memory_format=self._format)
        self._parameters = list(self.module.parameters())
        self.optimizer = OPTIMIZERS[config["optimizer"]](iter(self._parameters), config, stacked=False)
        self.step = self.updates = self.origin = 0

    def prunable(self) -> dict[str, Tensor]:
        """Every entry of every parameter that is not frozen; see `bench.learner.every_entry`."""
        return every_entry(self.module)

    def train(self, until: int) -> None:
        """Train to step `until`, exactly.

        Raises:
            Diverged: if the loss or a weight is no longer finite.
        """
        train_to(self, until, self._update)

    def evaluate(self, split: str) -> dict[str, float]:
        """Accuracy in per cent (0-100) and mean cross-entropy in nats; the same at each call, and changes nothing.

        Args:
            split: `val` or `test`; the task's `evaluation` may limit how many examples, from the first on.

        Raises:
            Diverged: if the loss is not finite.
        """
        found = self._measure(*self._held_out(split))
        check_finite(self.step, [(f"the {split} loss", found["loss"])])
        return found

    def fit(self) -> dict[str, float]:
        """The same of `FIT` training images, as they are, or of all if there are fewer."""
        return self._measure(self._splits["train"], self._fitted())

    def reestimate(self) -> None:
        """Statistics of batch norm as the present weights give them on these images, as they are.

        In batches of one size, each of which counts the same: what is left over is not seen, unless it is all there is.
        """
        examples, rows = self._splits["train"], self._fitted()
        size = min(_at_once(examples.shape), len(rows))
        with mode(self.module, training=True), self._dropout("score", 0):
            batches = rows[: len(rows) // size * size].split(size)
            update_bn((self._seen(examples.at(each)) for each in batches), self.module)

    def _fitted(self) -> Tensor:
        """(at most `FIT`,) rows of training images that are like all: the first, or some that are drawn and in that order."""
        count = len(self._splits["train"])
        (data,) = self._task.data
        if is_mixed(data):
            return torch.arange(min(FIT, count), device=self._device)
        return torch.from_numpy(np.random.default_rng(FIT_SEED).permutation(count)[:FIT]).to(self._device)

    def _measure(self, examples: Batches, rows: Tensor) -> dict[str, float]:
        """Accuracy and cross-entropy of some examples."""
        correct = torch.zeros((), dtype=torch.int64, device=self._device)
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        with mode(self.module, training=False), torch.no_grad(), self._dropout("eval"):
            for each in rows.split(_at_once(examples.shape)):
                images, labels = self._seen(examples.at(each))
                logits = self.module(images)
                correct += (logits.argmax(1) == labels).sum()
                total += F.cross_entropy(logits, labels, reduction="sum")
        return {"accuracy": 100 * correct.item() / len(rows), "loss": total.item() / len(rows)}

    def losses(self, n: int, *, temperature: float = 1.0) -> Iterator[Tensor]:
        """`n` training losses with their graphs, each on its own random batch; the same at each call."""
        train = self._splits["train"]
        generator = self._streams.numpy("score")
        for index in range(n):
            rows = torch.from_numpy(generator.choice(len(train), self._batch, replace=False))
            images, labels = self._seen(train.at(rows.to(self._device)))
            with mode(self.module, training=True):
                # Batch norm writes its statistics to these copies; writing them back would void the graph.
                buffers = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
                with self._dropout("score", index):
                    logits = functional_call(self.module, buffers, (images,))
            yield F.cross_entropy(logits / temperature, labels)

    def forward_ones(self) -> Tensor:
        """The logits (1, classes) in evaluation mode for one all-ones image of the parameters' dtype, with graph.

        Raises:
            Unsupported: if what an own network sees are whole numbers: one of them looks up one row, and no flow begins there; or
                if it cannot see one example alone, or numbers of that dtype.
        """
        model = self._task.config["model"]
        if self._splits["train"].are_whole and is_own(model):
            raise Unsupported("its examples are whole numbers: no flow of ones begins at them")
        like = next(self.module.parameters())
        ones = torch.ones((1, *self._splits["train"].shape), dtype=like.dtype, device=like.device)
        with mode(self.module, training=False), self._dropout("eval"):
            try:
                logits: Tensor = self.module(ones)
            except Exception as error:  # whatever somebody's forward raises
                if not is_own(model):
                    raise
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                raise Unsupported(f"network {model} cannot see one example of {like.dtype} ones: {reason}") from error
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
        images, labels = self._next()
        for parameter in self._parameters:  # `zero_grad` runs in torch's profiler: 5 % of LeNet's update
            parameter.grad = None
        with self._dropout("augment", self.step, 1):
            loss = F.cross_entropy(self.module(images), labels)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self.updates += 1
        return loss.detach()

    def _next(self) -> tuple[Tensor, Tensor]:
        """What it is trained on at this step: images and labels of a batch."""
        return self._seen(self._splits["train"].at(self._rows(), *self._chance()))

    def _rows(self) -> Tensor:
        epoch, index = divmod(self.step, self._updates_per_epoch)
        if epoch != self._epoch:
            order = self._streams.numpy("data", epoch).permutation(len(self._splits["train"]))
            self._epoch, self._order = epoch, torch.from_numpy(order).to(self._device).split(self._batch)
        rows: Tensor = self._order[index]
        return rows

    def _chance(self) -> tuple[()] | tuple[Augmentation, np.random.Generator]:
        """What changes the training images of this step, if anything does."""
        if self._augmentation is None:
            return ()
        return self._augmentation, self._streams.numpy("augment", self.step)

    def _seen(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The batch in the network's memory format; networks that are not the user's own see whole numbers as floats."""
        images, labels = batch
        if not is_own(self._task.config["model"]):
            images = images.float()
        return images.contiguous(memory_format=self._format), labels

    def _sees(self) -> bool:
        """Whether the network takes images as they lie in memory: `x.view(len(x), -1)` does not where channels lie last."""
        images, _ = self._seen(self._splits["train"].at(torch.arange(self._batch, device=self._device)))
        try:
            with mode(self.module, training=False), torch.no_grad(), self._dropout("eval"):
                self.module(images)
        except RuntimeError:
            return False
        return True

    def _dropout(self, stream: str, *index: int) -> AbstractContextManager[None]:
        """What layers of networks that are not built in draw from, torch's global generators, is at the start of a substream."""
        if not self._may_draw:
            return nullcontext()
        return drawing_from(self._streams.integer(stream, *index), self._device)

    def _set_rate(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self._schedule.at(self.step, self.origin)

    def _held_out(self, split: str) -> tuple[Batches, Tensor]:
        known = self._splits.keys() - {"train"}
        if split not in known:
            raise UnknownName("split", split, known)
        examples = self._splits[split]
        count = min(self._task.evaluation.get(split, len(examples)), len(examples))
        return examples, torch.arange(count, device=self._device)


def _at_once(shape: tuple[int, ...]) -> int:
    return min(EVALUATION_BATCH, max(FEWEST, EVALUATION_PIXELS // math.prod(shape)))
