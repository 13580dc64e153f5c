"""A task of the user's own: any network on any examples."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from bench.code import pinned
from bench.digests import tensors_digest
from bench.errors import SpecError, UnknownName
from bench.spec import Pruning, Scale, Task, sentences
from domains.vision import datasets
from domains.vision.config import misfit
from domains.vision.datasets import DIGESTS, functions, large
from domains.vision.datasets import own as own_images
from domains.vision.examples.parts import HELD_OUT, shortage
from domains.vision.networks.kinds import KIND, TABLES, is_own, obstacle, unsupported
from domains.vision.pruning import PRUNING

BATCH = 128
VALIDATION, TEST = 10, 5
"""One training example in so many is held out, where there is no split of that name."""
UNPUBLISHED = "Data or a network of your own: nothing is published to compare with."


class _Held(NamedTuple):
    """How many training examples are held out, and for what: as a task's `config` says it."""

    validation: int
    test: int


def own(
    name: str,
    *,
    network: str,
    data: str,
    budget: int,
    rate: float,
    batch: int | None = None,
    optimizer: Literal["adam", "sgd"] = "adam",
    schedule: Literal["constant", "step", "cosine"] = "constant",
    rewind_step: int = 0,
    evaluate_every: int | None = None,
    pruning: Pruning | None = None,
    tolerance: float = 1.0,
    scale: Scale = "small",
    version: int = 1,
    config: Mapping[str, Any] = MappingProxyType({}),
    deviations: str | tuple[str, ...] = (),
) -> Task:
    """A classifier of your own, as a task `vision/NAME`. The examples are made now, for their sha256.

    Args:
        name: of the task, without `vision/`.
        network: `module:function`, called without arguments for a `torch.nn.Module`; or `torchvision:resnet18` and the
            like, or a network of this package (`lenet-300-100`).
        data: `module:function`, called without arguments for (examples, labels), or for a mapping of `train`, `test` and
            perhaps `val` to such pairs: tensors or arrays, bytes (n, channels, height, width) for images, which are
            normalised, or numbers (n, ...), which are seen as they are (whole ones as int64, others as float32), and integer
            labels from 0 on; or a set of images in the data folder (see docs/images.md).
        budget: updates.
        rate: the highest learning rate.
        batch: examples of an update; 128, or half of the training examples if these are fewer than 256.
        optimizer: `adam` or `sgd`.
        schedule: of the learning rate.
        rewind_step: the update whose weights tickets return to.
        evaluate_every: updates; a twentieth of the budget.
        pruning: which weights are pruned, and how fast; the paper's for networks of this package, else a fifth a round
            of all weights pooled.
        tolerance: percentage points of accuracy that count as no worse.
        scale: `smoke`, `quick`, `small` or `paper`.
        version: raise it when you change what the digests do not see.
        config: more of what a `config` may say (docs/images.md): `momentum`, `weight_decay`, `milestones`, `warmup`,
            `augment`, `validation`, ...; what nothing reads is refused.
        deviations: sentences of yours, or one, to be printed under every table.

    Raises:
        DataError: if the examples are not there, or are none.
        SpecError: if the task contradicts itself, or names code that cannot be imported.
        UnknownName: if there is no such data set.
    """
    asked = {"optimizer": optimizer, "rate": rate, **({} if batch is None else {"batch": batch}), **config}
    if reason := misfit(asked):
        raise SpecError(f"vision/{name}: {reason}")
    modules = pinned.digests(*filter(pinned.is_code, (data, *((network,) if is_own(network) else ()))))
    known = _facts(data, modules, config)
    if reason := obstacle(network, known.shape):
        raise SpecError(f"vision/{name}: {reason}")
    held = _held(known.counts, config)
    examples = known.counts["train"]
    if missing := [
        split for split, count in zip(HELD_OUT, held, strict=True) if not count and split not in known.counts
    ]:
        raise SpecError(
            f"vision/{name}: there is no split {missing[0]}, and none held out: {HELD_OUT[missing[0]]} is 0"
        )
    batch = batch or min(BATCH, max(1, (examples - held.validation - held.test) // 2))
    if reason := shortage({**held._asdict(), "batch": batch, **config}, examples):
        raise SpecError(f"vision/{name}: {reason}")
    return Task(
        name=f"vision/{name}",
        scale=scale,
        version=version,
        config={
            "model": network,
            "shape": list(known.shape),
            "classes": known.classes,
            **({"normalisation": None} if known.are_images else {}),
            **held._asdict(),
            "split_seed": 0,
            "batch": batch,
            "optimizer": optimizer,
            "rate": rate,
            "schedule": schedule,
            **config,
            **({"code": modules} if modules else {}),
        },
        data={data: known.digest},
        budget=budget,
        evaluate_every=evaluate_every or max(1, budget // 20),
        rewind_step=rewind_step,
        pruning=pruning or _pruning(network),
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        at=("final", "early-stop"),
        select="loss",
        tolerance=tolerance,
        chance=known.chance,
        constant_rate=schedule == "constant",
        unsupported=unsupported(network),
        source=f"own task of {data} and {network}",
        deviations=(UNPUBLISHED, *_told(examples, held), *sentences(deviations)),
    )


def _facts(data: str, modules: Mapping[str, str], config: Mapping[str, Any]) -> functions.Facts:
    if pinned.is_code(data):
        arrays = functions.examples(data, modules)
        return functions.facts(functions.shaped(arrays, config), tensors_digest(arrays), config)
    if data in large.DIGESTS:
        raise SpecError(f"{data} does not fit into memory: override a task of it instead (`base` in a suite)")
    found = own_images.found(tuple(DIGESTS))
    if data not in DIGESTS and data not in found:
        raise UnknownName("data set", data, [*DIGESTS, *found, "module:function"])
    digest = DIGESTS[data] if data in DIGESTS else found[data].facts.digest
    arrays = datasets.read(data, digest, channels=config.get("channels"), side=config.get("side"))
    return functions.facts(arrays, digest, config)


def _held(counts: Mapping[str, int], config: Mapping[str, Any]) -> _Held:
    whole = counts["train"]
    validation = 0 if "val" in counts else max(1, whole // VALIDATION)
    test = 0 if "test" in counts else max(1, whole // TEST)
    return _Held(validation=config.get("validation", validation), test=config.get("test", test))


def _told(examples: int, held: _Held) -> list[str]:
    told = " and ".join(f"{count:,} for {what}" for what, count in held._asdict().items() if count)
    return [f"Of {examples:,} examples {told} are held out, drawn once and the same for every seed."] if told else []


def _pruning(network: str) -> Pruning:
    if is_own(network):
        return Pruning(rate=0.2, scope="global")
    whole = Pruning(rate=0.2, scope="global", exempt=("output.*", *TABLES))
    return whole if network.partition(":")[0] == KIND else PRUNING.get(network, whole)
