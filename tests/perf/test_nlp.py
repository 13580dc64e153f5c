"""How fast translation trains, as ratios to fairseq's own trainer within one run."""

import statistics
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached
from domains.nlp import domain

WARM = 3
"""Updates before anything is measured: memory is fetched, and the optimizers make their state."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(scale):
    """A learner that trains as long as it is asked to."""
    task = replace(domain.tasks()[f"nlp/transformer-bible@{scale}"], budget=10**6)
    return domain.learner(task, streams=Streams(0), device="cpu"), task


def seconds(act):
    """Of this process: one thread does all, and a busy machine takes nothing from it but its caches."""
    begin = time.process_time()
    act()
    return time.process_time() - begin


def ratio(theirs, ours, *, rounds):
    """How many times longer theirs takes: the median over rounds, in which both train on the same batch."""
    pairs = [(seconds(theirs), seconds(ours)) for _ in range(WARM + rounds)]
    return statistics.median(their / our for their, our in pairs[WARM:])


class Fairseq:
    """What `fairseq-train` does with the same model, batches and settings, from collation to the optimizer's step."""

    def __init__(self, learner, task):
        from fairseq.data import LanguagePairDataset
        from fairseq.dataclass.configs import FairseqConfig
        from fairseq.tasks.translation import TranslationConfig, TranslationTask
        from fairseq.trainer import Trainer
        from omegaconf import OmegaConf

        from domains.nlp import border, models

        objective, config = learner._objective, task.config
        corpus, train = objective._corpus, objective._corpus.splits["train"]
        settings = OmegaConf.structured(FairseqConfig)
        OmegaConf.set_struct(settings, False)
        settings.common.cpu = True
        settings.optimization.clip_norm = config["clip"]
        settings.optimization.lr = rate = [config["rate"]]
        adam = {"_name": "adam", "adam_betas": str(tuple(config["betas"])), "adam_eps": config["eps"], "lr": rate}
        plain = {"weight_decay": 0.0, "use_old_adam": False, "fp16_adam_stats": False, "tpu": False}
        settings.optimizer = {**adam, **plain}
        warm_up = {"warmup_updates": config["warmup"], "warmup_init_lr": 1e-7}
        settings.lr_scheduler = {"_name": "inverse_sqrt", "lr": rate, **warm_up}
        about = TranslationConfig(
            data="", source_lang="en", target_lang="es", train_subset="train", dataset_impl="mmap"
        )
        vocabularies = border.Vocabularies(corpus.source, corpus.target)
        model = models.build(config["model"], vocabularies, width=1.0, seed=0)
        criterion = border.LabelSmoothedCrossEntropyCriterion(vocabularies, False, config["label_smoothing"])
        self._trainer = Trainer(settings, TranslationTask(about, *vocabularies), model, criterion)
        self._trainer.begin_epoch(1)
        sides = (
            argument
            for side, dictionary in zip((train.source, train.target), vocabularies, strict=True)
            for argument in ([torch.from_numpy(row.astype(np.int64)) for row in side], side.lengths, dictionary)
        )
        self._dataset = LanguagePairDataset(*sides, shuffle=False)
        order = learner._streams.numpy("data", 1, 0).permutation(len(objective._batches))
        self._batches = (objective._batches[index] for index in order)

    def update(self):
        self._trainer.train_step([self._dataset.collater([self._dataset[row] for row in next(self._batches)])])


@pytest.mark.parametrize(("scale", "rounds"), [("quick", 100), ("small", 20)])
def test_training_against_fairseqs_trainer(scale, rounds):
    from domains.nlp import border

    learner, task = build(scale)
    with border.quietly():
        fairseq = Fairseq(learner, task)
        found = ratio(fairseq.update, lambda: learner.train(learner.step + 1), rounds=rounds)
    assert found >= 1.0, f"{scale}: {found:.3f} x the tokens per second of fairseq's trainer"


def test_masking_costs_a_tenth_at_most():
    (dense, _), (ticket, task) = (build("quick") for _ in range(2))
    # A mask of ones does all the work and changes no weight, so both sides train the same network.
    with Attached(ticket, masks.ones(masks.prunable(ticket, task.pruning))):
        found = ratio(lambda: ticket.train(ticket.step + 1), lambda: dense.train(dense.step + 1), rounds=100)
    assert found <= 1.10, f"masking: {found:.3f} x the time of dense training"
