"""The user's own images: a slim VGG on each set, and every model of torchvision that is asked for."""

from typing import Any

from bench.spec import Pruning, Task
from domains.vision.datasets import DIGESTS, own
from domains.vision.kinds import KIND, ONE_WIDTH, TABLES

EPOCHS = 30
SHORTEST, LONGEST = 200, 10_000
"""Updates of a training."""
BATCH = 128


def tasks() -> list[Task]:
    """A task for each of the user's sets that there are now, and for each model asked for it."""
    found = own.found(tuple(DIGESTS)).values()
    return [_task(each, model) for each in found for model in ("slim-vgg", *each.models)]


def _task(images: own.Set, model: str) -> Task:
    facts, ours = images.facts, model == "slim-vgg"
    validation = 0 if facts.has_val else max(1, sum(facts.train) // 10)
    train = sum(facts.train) - validation
    batch = min(BATCH, max(1, train // 2))
    budget = min(max(EPOCHS * (train // batch), SHORTEST), LONGEST)
    rewind = min(train // batch, budget // 10)
    config: dict[str, Any] = {
        "model": model if ours else f"{KIND}:{model}",
        "channels": 3,
        "normalisation": None,
        "classes": facts.classes,
        "validation": validation,
        "split_seed": 0,
        "augment": {"crop": max(1, min(facts.shape[1:]) // 8), "flip": True},
        "batch": batch,
        "optimizer": "sgd",
        "rate": 0.05,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "cosine",
        "warmup": 0.05,
    }
    return Task(
        name=f"vision/{model}-{images.name}",
        scale="small",
        config=config,
        data={images.name: facts.digest},
        budget=budget,
        evaluate_every=max(1, budget // 20),
        rewind_step=rewind,
        pruning=Pruning(rate=0.2, scope="global", exempt=("output.*", *TABLES)),
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        at=("final", "early-stop"),
        select="loss",
        tolerance=1.0,
        chance=100 * max(facts.test) / sum(facts.test),
        constant_rate=False,
        unsupported={} if ours else ONE_WIDTH,
        source="this suite",
        deviations=("Images of your own: nothing is published to compare with.",),
    )
