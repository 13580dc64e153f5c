"""One text model in training: what the protocol sees of it. The loop is ours; model, criterion and search are fairseq's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.errors import SpecError, UnknownName
from bench.learner import State, copy_state, mode, restore, train_to
from bench.record import Items
from bench.spec import Task
from bench.streams import Streams, drawing_from
from domains.nlp import models
from domains.nlp.averaging import BUFFERS, Average
from domains.nlp.language import LanguageModel
from domains.nlp.objective import Loss, Objective
from domains.nlp.precision import Precision
from domains.nlp.schedule import Schedule
from domains.nlp.translation import Translation

HELD_OUT = ("val", "test")
OBJECTIVES: dict[str, Callable[..., Objective]] = {"translation": Translation, "language": LanguageModel}


class TextLearner:
    """A Transformer that translates, or an LSTM language model (see `bench.learner.Learner`); a step is an update.

    Args:
        task: its `config` names the objective and all that it needs, the `batches` of an update, the options of Adam, the
            schedule, the norm that gradients are clipped to (`clip`, 0 for none) and the precision.
        streams: `init` gives the weights, `data` the batches, `augment` the dropout, `score` what `losses` draws.
        device: where everything lives.
        width: multiplies every width of the model.

    Raises:
        DataError: if the task's data are missing or are not what the task was defined on.
        UnknownName: if there is no such objective, architecture, schedule or precision.
        SpecError: if the task calls a changing learning rate constant, or its batches do not fit its text.
    """

    def __init__(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> None:
        config = task.config
        if config["objective"] not in OBJECTIVES:
            raise UnknownName("objective", config["objective"], OBJECTIVES)
        self._schedule = Schedule.of(config, task.budget)
        if task.constant_rate != self._schedule.is_constant:
            raise SpecError(f"task {task.name} and its {config['schedule']} schedule disagree on constant_rate")
        self._task, self._streams, self._clip = task, streams, config["clip"]
        self._batches, self._device = config["batches"], torch.device(device)
        self._precision = Precision(config["precision"], device)
        self._objective: Objective = OBJECTIVES[config["objective"]](task, streams=streams, device=device, width=width)
        self.module: nn.Module = self._objective.module
        self._average = Average(self.module, **config["average"])
        self.optimizer: torch.optim.Optimizer = _adam(self.module, config)
        self._items: Items | None = None
        self.step = self.updates = self.origin = 0

    def prunable(self) -> dict[str, Tensor]:
        """Parameter name -> bool tensor of its shape: all but the padding rows of embeddings."""
        return models.prunable(self.module)

    def train(self, until: int) -> None:
        """Train to step `until`, exactly.

        Raises:
            Diverged: if the loss or a weight is no longer finite.
        """
        train_to(self, until, self._update)

    def evaluate(self, split: str) -> dict[str, float]:
        """Every metric of the split (see the objective's `scores`); draws nothing and changes nothing.

        From the end of the budget on, translations are searched for, with the average of the last checkpoints if the
        task has one.

        Args:
            split: `val` or `test`.
        """
        if split not in HELD_OUT:
            raise UnknownName("split", split, HELD_OUT)
        at_end = self._is_at_end
        average = self._average.applied() if at_end else nullcontext()
        with mode(self.module, training=False), torch.no_grad(), average, self._precision.autocast():
            found = self._objective.scores(split, at_end=at_end)
        self._items = found.items
        return found.metrics

    def scored_items(self) -> Items | None:
        """What the last `evaluate` computed BLEU from, sentence by sentence; None if it searched for no translation."""
        return self._items

    def reestimate(self) -> None:
        """Nothing but the weights decides what these models give in evaluation mode, without an average of others."""
        self._average.forget()

    def losses(self, n: int, *, temperature: float = 1.0) -> Iterator[Tensor]:
        """`n` training losses per token with their graphs, each on its own random batch; the same at each call.

        In full precision, by kernels that can be differentiated twice, as GraSP does.
        """
        generator = self._streams.numpy("score")
        for index in range(n):
            with mode(self.module, training=True), self._dropout("score", index), _plain_kernels():
                loss = self._objective.drawn(generator, temperature=temperature)
            yield loss.total / loss.tokens

    def snapshot(self) -> State:
        """A copy of weights, buffers and position that later training does not change; at the end with the average."""
        return copy_state(self, buffers=self._average.tensors() if self._is_at_end else {})

    def unaccounted(self, state: State) -> State:
        """The state without the average of checkpoints that led to it (see `bench.doors.KeepsAccount`)."""
        return replace(state, buffers={k: each for k, each in state.buffers.items() if not k.startswith(BUFFERS)})

    def load(self, state: State) -> None:
        """Go on from `state`, of the same model at the same width, with a fresh optimizer."""
        restore(self, state)
        self._precision.reset()
        self._average.restore(state.buffers)
        self._objective.forget()
        self._items = None

    @property
    def _is_at_end(self) -> bool:
        return self.step >= self._task.budget

    def _update(self) -> Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = self._schedule.at(self.step, self.origin)
        self.optimizer.zero_grad(set_to_none=True)
        losses = [self._gradients(self.step * self._batches + index) for index in range(self._batches)]
        tokens = sum(loss.tokens for loss in losses)
        self._precision.unscale(self.optimizer)
        torch._foreach_mul_([each.grad for each in self.module.parameters() if each.grad is not None], 1 / tokens)
        if self._clip:
            nn.utils.clip_grad_norm_(self.module.parameters(), self._clip)
        self._precision.step(self.optimizer)
        self.step += 1
        self.updates += 1
        self._average.look(self.step)
        return torch.stack([loss.total.detach() for loss in losses]).sum() / tokens

    def _gradients(self, batch: int) -> Loss:
        """Add the gradients of one batch, summed over its tokens."""
        with self._dropout("augment", batch), self._precision.autocast(), self._kernels():
            loss = self._objective.loss(batch)
        self._precision.backward(loss.total)
        return loss

    def _kernels(self) -> AbstractContextManager[None]:
        """On a CPU fused attention is the slower one: sentences are short."""
        return _plain_kernels() if self._device.type == "cpu" else nullcontext()

    def _dropout(self, stream: str, index: int) -> AbstractContextManager[None]:
        """The global generators of torch, which dropout draws from, are at the start of a substream; outside they do not move."""
        return drawing_from(self._streams.integer(stream, index), self._device)


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Neither fused attention nor cuDNN's recurrence: their backward passes have no derivative."""
    with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
        yield


def _adam(module: nn.Module, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    """fairseq's, whose weights decay beside the gradient and not in it (1711.05101)."""
    options = {name: config[name] for name in ("betas", "eps", "weight_decay") if name in config}
    kind = torch.optim.AdamW if options.get("weight_decay") else torch.optim.Adam
    return kind(module.parameters(), lr=config["rate"], fused=True, **options)
