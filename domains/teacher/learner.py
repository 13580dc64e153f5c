"""One student in training: what the protocol sees of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.doors import HiddenLayer
from bench.learner import Mask, State, check_finite, copy_state, every_entry, restore, train_to
from bench.record import EARLY, NodeLayer
from bench.spec import Task
from bench.streams import Streams
from domains.teacher import students, teachers
from domains.teacher.chosen import chosen
from domains.teacher.examples import Examples
from domains.teacher.measures import Floats, Layer, constant, correlations, measure, observabilities
from domains.teacher.nodes import node_layer

DTYPES = {"float32": torch.float32, "float64": torch.float64}
LOSS_FLOOR = 1e-12
"""Below this a loss counts as this: what rounding leaves of a perfect student in float32.

In float64 a student may come closer, and how much closer no longer counts.
"""


class StudentLearner:
    """A student of one teacher (see `bench.learner.Learner`); a step is an update.

    Args:
        task: its `config` has the teacher's `sizes` and how it is drawn (see `domains.teacher.teachers.teacher`), how many
            times as many hidden nodes the student has (`multi`) and how it begins (`init`, see
            `domains.teacher.students.initial`), the data (see `domains.teacher.examples.Examples`), the `rate` of plain
            stochastic gradient descent, the `dtype`, and whether squared errors are averaged over outputs (`mean`) or
            halved and summed over them (`half-sum`) by the `loss`.
        streams: `teacher` gives the teacher, `init` the student's weights, `data` examples and their order, `eval` held-out
            ones, `score` those of `losses`.
        device: where everything lives.
        width: multiplies every hidden width.

    Raises:
        UnknownName: if something of these is not known.
    """

    def __init__(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> None:
        config, dtype = task.config, chosen("dtype", DTYPES, task.config["dtype"])
        self._task, self._device = task, torch.device(device)
        inputs, *hidden, outputs = config["sizes"]
        sizes = [inputs, *(max(1, round(nodes * config["multi"] * width)) for nodes in hidden), outputs]
        teacher = teachers.teacher(task, streams)
        self.module: nn.Module = students.network(sizes, dtype).to(device)
        start = students.initial(sizes, teacher, config["init"], streams.numpy("init"))
        with torch.no_grad():
            for parameter, drawn in zip(
                self.module.parameters(), (part for layer in start for part in layer), strict=True
            ):
                parameter.copy_(torch.from_numpy(drawn))
        self.hidden = tuple(
            HiddenLayer(f"{below}.weight", f"{above}.weight") for below, above in pairwise(students.names(len(start)))
        )
        self.optimizer: torch.optim.Optimizer = optimizer(self.module.parameters(), task)
        self._factor = loss_factor(task)
        self._teacher = [
            (torch.from_numpy(weight).to(self._device, dtype), torch.from_numpy(bias).to(self._device, dtype))
            for weight, bias in teacher
        ]
        self._examples = Examples(task, self._teacher, streams=streams, device=self._device)
        self._early_step = math.ceil(EARLY * task.budget)
        self._early: list[Tensor] = []
        self._is_trained = False
        self._absent: dict[str, str] = {}
        self.step = self.updates = self.origin = 0
        self._begin(dict(self.module.named_parameters()))

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
        """The decimal logarithm of the mean squared error, and what `domains.teacher.measures` tells of the hidden layers.

        Args:
            split: `val` or `test`.

        Raises:
            Diverged: if the loss is not finite.
        """
        found = self._activations(split)
        error = F.mse_loss(found[-1].double(), self._examples.held_out(split).targets.double())
        check_finite(self.step, [(f"the {split} loss", error)])
        measured, self._absent = measure(self._layers(split, found))
        return {"log_loss": math.log10(max(error.item(), LOSS_FLOOR)), **measured}

    def absent(self) -> Mapping[str, str]:
        """Metric that the last `evaluate` did not report -> why."""
        return self._absent

    def losses(self, n: int, *, temperature: float = 1.0) -> Iterator[Tensor]:
        """`n` training losses with their graphs, each on its own random batch; the same at each call."""
        for inputs, targets in self._examples.scored(n):
            yield self._loss(self.module(inputs) / temperature, targets)

    def forward_ones(self) -> Tensor:
        """The outputs (1, outputs) for one all-ones example of the parameters' dtype, with graph."""
        like = next(self.module.parameters())
        outputs: Tensor = self.module(
            torch.ones((1, self._task.config["sizes"][0]), dtype=like.dtype, device=like.device)
        )
        return outputs

    def node_layers(self, mask: Mask) -> list[NodeLayer]:
        """Every hidden layer as it is now (see `bench.doors.KeepsNodes`), on the split where the task scores."""
        layers = self._layers(self._task.split, self._activations(self._task.split))
        whole = {name: torch.ones(each.shape, dtype=torch.bool) for name, each in self.module.named_parameters()}
        kept = {**whole, **mask}
        return [
            node_layer(
                names.incoming.removesuffix(".weight"),
                layer,
                early=self._early[at].cpu().numpy() if self._early else None,
                initial_fanout=_fanout(self._began[names.outgoing]),
                kept_in=kept[names.incoming].sum(dim=1).tolist(),
                kept_out=kept[names.outgoing].sum(dim=0).tolist(),
            )
            for at, (layer, names) in enumerate(zip(layers, self.hidden, strict=True))
        ]

    def snapshot(self) -> State:
        """A copy of weights and position; with them the weights before training, and what was seen of the nodes early."""
        began = {f"initial.{name}": weight.clone() for name, weight in self._began.items()}
        early = {f"early.{at}": best.clone() for at, best in enumerate(self._early)}
        return copy_state(self, buffers={**began, **early}, scalars={"trained": self._is_trained})

    def load(self, state: State) -> None:
        """Go on from `state`, of the same sizes, with a fresh optimizer.

        What training began with goes with a state, whole: where a mask is over one that was not trained yet, the pruned
        weights are those that were there before it, and the others its own.
        """
        restore(self, state)
        self._is_trained = state.scalars["trained"]
        self._begin({name: state.buffers[f"initial.{name}"].to(self._device) for name in state.weights})
        seen = [f"early.{at}" for at in range(len(self.hidden))]
        self._early = [state.buffers[name].to(self._device, copy=True) for name in seen if name in state.buffers]

    def _begin(self, before: Mapping[str, Tensor]) -> None:
        """Keep what training began with: weights of the same names that were there before."""
        self._began = {name: weight.clone() for name, weight in before.items()}
        if not self._is_trained:
            for name, parameter in self.module.named_parameters():
                self._began[name] = torch.where(parameter != 0, parameter, before[name]).detach()
        self._began_correlations: dict[str, list[Floats]] = {}

    def _update(self) -> Tensor:
        inputs, targets = self._examples.batch(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.module(inputs), targets)
        loss.backward()
        self.optimizer.step()
        self.updates += 1
        self._step_on()
        return loss.detach()

    def _step_on(self) -> None:
        """Count a step, and look at the nodes if it is an early one."""
        self.step += 1
        self._is_trained = True
        if self.step == self._early_step:
            found = self._correlations(self._task.split, self._activations(self._task.split))
            self._early = [torch.from_numpy(each.max(axis=1)).to(self._device) for each in found]

    def _loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = F.mse_loss(outputs, targets, reduction="sum") * self._factor
        return loss

    def _activations(self, split: str) -> list[Tensor]:
        with torch.no_grad():
            layers = students.layers_of(dict(self.module.named_parameters()))
            return students.activations(layers, self._examples.held_out(split).inputs)

    def _correlations(self, split: str, found: list[Tensor]) -> list[Floats]:
        teacher = self._examples.held_out(split).hidden
        return [correlations(*pair) for pair in zip(teacher, found, strict=False)]

    def _layers(self, split: str, found: list[Tensor]) -> list[Layer]:
        """Every hidden layer beside the teacher's, from all activations on a split."""
        if split not in self._began_correlations:
            before = students.activations(students.layers_of(self._began), self._examples.held_out(split).inputs)
            self._began_correlations[split] = self._correlations(split, before)
        now, began = self._correlations(split, found), self._began_correlations[split]
        teacher = self._examples.held_out(split).hidden
        return [self._layer(at, now[at], began[at], teacher[at], found[at]) for at in range(len(self.hidden))]

    def _layer(self, at: int, now: Floats, began: Floats, teacher: Tensor, student: Tensor) -> Layer:
        weights = dict(self.module.named_parameters())
        incoming, outgoing = (weights[name] for name in self.hidden[at])
        return Layer(
            correlation=now,
            initial=began,
            observability=observabilities(teacher, student),
            dead=constant(teacher),
            alive=((incoming != 0).any(dim=1) & (outgoing != 0).any(dim=0)).cpu().numpy(),
            teacher_fanout=_fanout(self._teacher[at + 1][0]),
            student_fanout=_fanout(outgoing),
        )


def optimizer(parameters: Iterable[nn.Parameter], task: Task) -> torch.optim.Optimizer:
    """Plain stochastic gradient descent at the task's rate."""
    return torch.optim.SGD(parameters, lr=task.config["rate"], foreach=False)


def loss_factor(task: Task) -> float:
    """What the sum of the squared errors of a batch is multiplied by to be its loss."""
    per_example = {"half-sum": 0.5, "mean": 1 / task.config["sizes"][-1]}
    return float(chosen("loss", per_example, task.config["loss"]) / task.config["batch"])


def _fanout(outgoing: Tensor) -> Floats:
    """(nodes,) norm of the weights (outputs, nodes) from each node."""
    norms: Floats = outgoing.detach().double().norm(dim=0).cpu().numpy()
    return norms
