"""What a task's `config` may say, checked before anything is trained. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bench.errors import UnknownName

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Part = Annotated[float, Meta(ge=0, lt=1)]
"""Of a schedule: 1 would be its first update, and not its whole length (`domains.vision.schedule`)."""
Spread = Annotated[float, Meta(gt=0)]
Means = float | Annotated[list[float], Meta(min_length=1)]
Spreads = Spread | Annotated[list[Spread], Meta(min_length=1)]


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `domains.vision.examples.augmentation.Augmentation`."""

    crop: Count = 0
    flip: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that are read, with the types and bounds of what they hold (see docs/images.md)."""

    model: str = ""
    width: Annotated[float, Meta(gt=0)] = 1.0
    shape: list[Positive] = []
    code: dict[str, str] = {}
    channels: Positive | None = None
    side: Positive | None = None
    normalisation: tuple[Means, Spreads] | None = None
    classes: Positive = 1
    superclasses: list[Annotated[list[Count], Meta(min_length=1)]] | None = None
    part: Annotated[list[Count], Meta(min_length=2, max_length=2)] | None = None
    limit: Positive | None = None
    validation: Count = 0
    test: Count = 0
    split_seed: Count = 0
    stream: bool = False
    augment: Augment = Augment()
    batch: Positive = 1
    optimizer: str = ""
    rate: Amount = 0.0
    momentum: Share = 0.0
    weight_decay: Amount = 0.0
    schedule: str = ""
    milestones: list[Part] = []
    gamma: Amount = 1.0
    warmup: Part = 0.0


def misfit(config: Mapping[str, Any]) -> str | None:
    """What a `config`, or a part of one, says that nothing reads or nobody can follow; None if there is no such thing."""
    known = Config.__struct_fields__
    if unknown := UnknownName.among("key of a config", config, known):
        return str(unknown)
    try:
        read = msgspec.convert(dict(config), Config)
    except msgspec.ValidationError as error:
        return f"its config does not fit: {error}"
    if read.momentum and read.optimizer == "adam":
        return "its config has a momentum, which Adam does not read: take sgd, or leave it out"
    if read.part and read.part[0] >= read.part[1]:
        return f"part is {read.part}: the first number counts from 0 and is below the second"
    labels = Counter(label for group in read.superclasses or () for label in group)
    if twice := [label for label, times in labels.items() if times > 1]:
        return f"label {twice[0]} stands in superclasses more than once: each belongs to one at most"
    return None
