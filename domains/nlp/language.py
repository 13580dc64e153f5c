"""Language modelling with fairseq's LSTM: truncated backpropagation through time, the state carried along (1409.2329)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bench.errors import SpecError
from bench.spec import Task
from bench.streams import Streams
from domains.nlp import border, corpora, models
from domains.nlp.objective import Loss, Scores

Memory = list[tuple[Tensor, Tensor]]
"""Hidden state and cell (batch, hidden) of each layer."""


class LanguageModel:
    """See `domains.nlp.objective.Objective`.

    The training text is cut into `batch` columns that are read side by side, `window` tokens an update; an epoch is one
    pass, and begins with an empty memory. So does training that goes on from a loaded state: the memory of the
    unit that left it is not part of the state.

    Args:
        task: its `config` names the `corpus`, the `model`, the number of columns `batch` and the `window`; its
            `evaluation` the number of `columns` that a held-out text is read in, and to how many tokens it is
            `limit`ed, if not null.
        streams: `init` gives the weights, `data` where in the text an epoch begins.
        device: where everything lives.
        width: multiplies every width of the model.

    Raises:
        SpecError: if a text is too short for its columns, or the model has what `logits_of` leaves out.
    """

    def __init__(self, task: Task, *, streams: Streams, device: str, width: float) -> None:
        config = task.config
        self._streams, self._device = streams, device
        self._batch, self._window = config["batch"], config["window"]
        self._held_out = task.evaluation
        self._text = corpora.text(task.data, config["corpus"])
        self._check_lengths(task.name)
        vocabularies = border.Vocabularies(self._text.dictionary, self._text.dictionary)
        model = models.build(config["model"], vocabularies, width=width, seed=streams.integer("init"))
        _check_parts(model, task.name)
        self.module: nn.Module = model.to(device)
        self._memory: Memory | None = None
        self._epoch, self._columns = -1, torch.empty(0)
        self._epoch_length = updates(len(self._text.splits["train"]), batch=self._batch, window=self._window)

    def loss(self, index: int) -> Loss:
        """The cross-entropy of a window, read with the memory of the one before."""
        epoch, place = divmod(index, self._epoch_length)
        if epoch != self._epoch:
            # Another beginning each epoch: windows would else always be cut at the same places.
            start = int(self._streams.numpy("data", epoch).integers(len(self._text.splits["train"])))
            self._epoch, self._columns = epoch, self._laid(np.roll(self._text.splits["train"], -start), self._batch)
            self.forget()
        return self._loss(self._columns, place, carry=True)

    def forget(self) -> None:
        """Empty the memory."""
        self._memory = None

    def drawn(self, generator: np.random.Generator, *, temperature: float) -> Loss:
        """The cross-entropy of any window, read with an empty memory."""
        columns = self._laid(self._text.splits["train"], self._batch)
        return self._loss(columns, int(generator.integers(self._epoch_length)), carry=False, temperature=temperature)

    def scores(self, split: str, *, at_end: bool) -> Scores:  # noqa: ARG002  nothing here is too dear on the way
        """`nll`: nats per token of the split, `</s>` included, the memory carried along; `perplexity`: its exponential."""
        columns = self._laid(self._text.splits[split][: self._held_out["limit"]], self._held_out["columns"])
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        memory: Memory | None = None
        for start in range(0, columns.shape[1] - 1, self._window):
            target = columns[:, start + 1 : start + 1 + self._window]
            logits, memory = logits_of(self.module, columns[:, start : start + target.shape[1]], memory)
            total += F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum")
        nll = total.item() / (columns.shape[0] * (columns.shape[1] - 1))
        return Scores({"nll": nll, "perplexity": float(np.exp(nll))})

    def _loss(self, columns: Tensor, index: int, *, carry: bool, temperature: float = 1.0) -> Loss:
        part = slice(index * self._window, (index + 1) * self._window)
        target = columns[:, part.start + 1 : part.stop + 1]
        before = [(hidden.detach(), cell.detach()) for hidden, cell in self._memory] if carry and self._memory else None
        logits, after = logits_of(self.module, columns[:, part][:, : target.shape[1]], before)
        if carry:
            self._memory = after
        logits = logits if temperature == 1.0 else logits / temperature
        return Loss(F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum"), target.numel())

    def _check_lengths(self, name: str) -> None:
        """Every column that is read has a token to predict."""
        for split, tokens in self._text.splits.items():
            columns, limit = (
                (self._batch, None) if split == "train" else (self._held_out[key] for key in ("columns", "limit"))
            )
            if (count := len(tokens[:limit])) < 2 * columns:
                raise SpecError(
                    f"task {name} reads the {count:,} tokens of its {split} split in {columns} columns, and a column needs "
                    "two: take a longer text, or fewer columns"
                )

    def _laid(self, tokens: NDArray[np.int64], columns: int) -> Tensor:
        """The text as columns: (columns, length), what does not fill a row dropped."""
        length = len(tokens) // columns
        return torch.from_numpy(tokens[: length * columns].reshape(columns, length)).to(self._device)


def updates(tokens: int, *, batch: int, window: int) -> int:
    """Updates of one epoch; the last window may be shorter.

    Args:
        tokens: of the training text.
        batch: columns.
        window: tokens of a column in one update.
    """
    return -(-(tokens // batch - 1) // window)


def _check_parts(model: Any, name: str) -> None:
    """The model is what `logits_of` computes."""
    for part in ("residuals", "adaptive_softmax"):
        if getattr(model.decoder, part):
            raise SpecError(f"task {name} has an LSTM with {part}, which is not read here: leave it out of its model")


def logits_of(module: Any, read: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
    """What fairseq's LSTM predicts, from a memory and with the one it leaves, which its own forward pass does not give.

    Args:
        module: fairseq's LSTMLanguageModel.
        read: (batch, time) ids.
        memory: of each layer; None is empty.

    Returns:
        Logits (batch, time, symbols) and the memory after the last token.
    """
    decoder = module.decoder
    sequence = decoder.dropout_in_module(decoder.embed_tokens(read)).transpose(0, 1)
    empty = sequence.new_zeros(read.shape[0], decoder.hidden_size)
    after: Memory = []
    for index, cell in enumerate(decoder.layers):
        before = tuple(each[None] for each in (memory[index] if memory else (empty, empty)))
        weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
        # The whole window at once, in half the time of fairseq's loop over tokens.
        sequence, hidden, state = torch.lstm(sequence, before, weights, True, 1, 0.0, module.training, False, False)
        after.append((hidden[0], state[0]))
        # Between layers and behind the last, as fairseq drops them.
        sequence = decoder.dropout_out_module(sequence)
    features = sequence.transpose(0, 1)
    if hasattr(decoder, "additional_fc"):
        features = decoder.dropout_out_module(decoder.additional_fc(features))
    logits: Tensor = decoder.output_layer(features)
    return logits, after
