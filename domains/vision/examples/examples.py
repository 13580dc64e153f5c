"""A task's examples: which images of a data set they are, or what a function of the user's gives."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.code.pinned import is_code
from bench.digests import canonical_json
from bench.errors import SpecError
from bench.spec import Task
from domains.vision import datasets
from domains.vision.datasets import functions, large
from domains.vision.datasets.arrays import Arrays, splits
from domains.vision.examples.batches import Batches, Examples, Values
from domains.vision.examples.parts import classes_of, held_out, shortage, taken
from domains.vision.examples.streamed import Streamed

CLASSES = 10
"""How many there are unless a task's `config` says otherwise."""

LEAST_VARIANCE = 1e-4
"""Of pixels: a channel that is all black is not divided by zero."""

SELECTING = (
    *("channels", "side", "normalisation", "classes", "superclasses"),
    *("part", "limit", "validation", "test", "split_seed", "stream", "code"),
)
"""What a `config` says of the examples."""


def load(task: Task, device: str) -> Mapping[str, Batches]:
    """The splits `train`, `test` and, where there is one, `val` of a task, read once per process and shared.

    Args:
        task: its `data` name one data set, or a function of the user's that gives examples (`module:function`, with the
            sha256 of its `code`); its `config` what is taken of it: `channels` and `side` of the images;
            `normalisation`, mean and standard deviation (those of the training pixels if it is null); `classes`, how many;
            `superclasses`, lists of labels that count as one class each; `part`, [index, of] so many equal parts with as
            many images of each class; `limit`, how many of these; `validation`, how many are held out, and `test`, how many
            besides; `split_seed`, the chance in all of this, the same for all seeds; `stream`, whether images are read when
            they are needed.
        device: where the tensors live.

    Raises:
        DataError: if the data are missing or are not what the task was defined on.
        SpecError: if the task asks for what the data set does not have, or leaves nothing to train on.
    """
    ((name, digest),) = task.data.items()
    config = {"classes": CLASSES, **{key: task.config[key] for key in SELECTING if key in task.config}}
    return _load(name, digest, canonical_json(config), device)


@cache
def _load(name: str, digest: str, selection: str, device: str) -> Mapping[str, Batches]:
    config = json.loads(selection)
    return (_streamed if config.get("stream") else _in_memory)(name, digest, config, device)


def _in_memory(name: str, digest: str, config: Mapping[str, Any], device: str) -> Mapping[str, Batches]:
    if is_code(name):
        arrays = functions.shaped(functions.read(name, digest, config.get("code", {})), config)
    else:
        arrays = datasets.read(name, digest, channels=config.get("channels"), side=config.get("side"))
    chosen = _chosen({split: arrays[f"{split}-labels"] for split in splits(arrays)}, config, device)
    images = {split: torch.from_numpy(arrays[f"{split}-images"]).to(device) for split in splits(arrays)}
    if images["train"].dtype != torch.uint8:
        return {split: Values(images[each.source], each.labels, each.rows) for split, each in chosen.items()}
    given = config["normalisation"] or _statistics(_pixels(arrays, chosen, config))
    mean, std = _normalisation(given, images["train"].shape[1], device)
    return {
        split: Examples(images=images[each.source], labels=each.labels, rows=each.rows, mean=mean, std=std)
        for split, each in chosen.items()
    }


def _streamed(name: str, digest: str, config: Mapping[str, Any], device: str) -> Mapping[str, Batches]:
    if large.DIGESTS.get(name) != digest:
        raise SpecError(f"{name} is asked for as a stream: streamed are {', '.join(large.DIGESTS)}")
    folder, files = large.find(name)
    mean, std = _normalisation(config["normalisation"], 3, device)
    names = {split: tuple(each for each, _ in pairs) for split, pairs in files.items()}
    labels = {split: np.array([label for _, label in pairs]) for split, pairs in files.items()}
    return {
        split: Streamed(
            folder=folder,
            files=names[each.source],
            labels=each.labels,
            rows=each.rows,
            side=config["side"],
            mean=mean,
            std=std,
        )
        for split, each in _chosen(labels, config, device).items()
    }


class _Chosen(NamedTuple):
    """Which images of a split of the data set make a split of the task, and the classes of all of them."""

    source: str
    labels: Tensor
    rows: Tensor


def _chosen(labels: Mapping[str, NDArray[Any]], config: Mapping[str, Any], device: str) -> dict[str, _Chosen]:
    classes = {split: classes_of(each, config) for split, each in labels.items()}
    rows = {split: np.flatnonzero(each >= 0) for split, each in classes.items()}
    rows["train"] = taken(labels["train"], classes["train"], config)
    source = {split: split for split in labels}
    held = held_out(config)
    if reason := shortage(config, len(rows["train"])):
        raise SpecError(reason)
    if held:
        order = np.random.default_rng(config["split_seed"]).permutation(rows["train"])
        *parts, rest = np.split(order, np.cumsum(list(held.values())))
        rows |= {**dict(zip(held, parts, strict=True)), "train": np.sort(rest)}
        source |= dict.fromkeys(held, "train")
    tensors = {split: torch.from_numpy(each).to(device) for split, each in classes.items()}
    return {
        split: _Chosen(source[split], tensors[source[split]], torch.from_numpy(each).to(device))
        for split, each in rows.items()
    }


def _pixels(arrays: Arrays, chosen: Mapping[str, _Chosen], config: Mapping[str, Any]) -> NDArray[Any]:
    """The images that their statistics are of; none that is held out for test."""
    images = arrays["train-images"]
    return images[chosen["train"].rows.cpu().numpy()] if config.get("test") else images


def _normalisation(given: Sequence[Any], channels: int, device: str) -> list[Tensor]:
    """Mean and standard deviation, of every channel or one for all: (1, channels or 1, 1, 1)."""
    found = [torch.tensor(each, device=device).view(1, -1, 1, 1) for each in given]
    if wrong := next((count for count in map(torch.numel, found) if count not in (1, channels)), None):
        raise SpecError(
            f"its normalisation is of {wrong} channels, and its images have {channels}: write as many, or one number for all"
        )
    return found


def _statistics(images: NDArray[Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of every channel, on a scale of 0 to 1."""
    counts = np.stack([np.bincount(each.reshape(-1), minlength=256) for each in np.moveaxis(images, 1, 0)])
    shares, values = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
    mean = shares @ values
    variance = shares @ values**2 - mean**2
    return mean.tolist(), np.sqrt(np.maximum(variance, LEAST_VARIANCE)).tolist()
