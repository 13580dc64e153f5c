"""Students that train together, each of its own teacher and on its own examples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from bench.learner import CHECK_EVERY
from bench.spec import Task
from bench.stacks.layers import StackedPerceptron, backward, forward, stacked
from bench.stacks.stack import Seat, Stack
from bench.streams import Streams
from domains.teacher.examples import Pair
from domains.teacher.learner import StudentLearner, loss_factor, optimizer


class StudentSeat(Seat, StudentLearner):
    """A student that trains with others, and otherwise is as if it were alone."""

    def batch(self) -> Pair:
        """What it is trained on next: (batch, inputs) and (batch, outputs)."""
        return self._examples.batch(self.step)

    def step_on(self) -> None:
        """Count a step."""
        self._step_on()


class StudentStack(Stack[StudentSeat]):
    """Students of one task.

    Args:
        task: see `domains.teacher.learner.StudentLearner`.
        streams: of each student.
        device: where everything lives.
    """

    def __init__(self, task: Task, *, streams: Sequence[Streams], device: str) -> None:
        self._task, self._factor = task, loss_factor(task)
        seats = [StudentSeat(task, streams=each, device=device) for each in streams]
        super().__init__(seats, stacked(seats[0].module))

    module: StackedPerceptron

    def make_optimizer(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Each student's own."""
        return optimizer(parameters, self._task)

    @torch.no_grad()
    def advance(self) -> None:
        """One update; the way back is written out, because autograd takes as long again for networks as small as these.

        Raises:
            SpecError: if the seats' batches differ in size: rows of one would be another's.
        """
        pairs = [seat.batch() for seat in self.company]
        self.common("the size of their batches", (len(inputs) for inputs, _ in pairs))
        parts = zip(*pairs, strict=True)
        inputs, targets = (self.filled(torch.cat(each)).unflatten(0, (self.rows, -1)) for each in parts)
        layers, activations = zip(*self.module.layers(), strict=True)
        weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
        values = forward(activations, inputs, [each for pair in zip(weights, biases, strict=True) for each in pair])
        errors = values[-1] - targets
        gradients = backward(activations, values, weights, errors * (2 * self._factor))
        for layer, (weight, bias, _) in zip(reversed(layers), gradients, strict=True):
            layer.weight.grad, layer.bias.grad = weight, bias
        self.apply_gradients()
        for seat in self.company:
            seat.step_on()
        if any(seat.step % CHECK_EVERY == 0 for seat in self.company):
            self.check_losses(
                errors[: len(self.company)].square().flatten(1).sum(1), "the training loss", every=CHECK_EVERY
            )
