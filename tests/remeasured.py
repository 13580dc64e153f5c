"""Units of a submission measured again in this process, for tests."""

from bench.exchange.remeasure import remeasure
from bench.exchange.submission import read
from bench.runs.job import run
from bench.runs.launch.futures import Futures
from bench.store.store import Store


class Here:
    """A launcher that trains in this process, at once."""

    def __init__(self, *, workers, threads, progress):
        self.progress = progress

    def submit(self, job):
        futures = Futures(job, self.progress)
        run(job, tell=futures.tell)
        return futures.by_unit

    def close(self):
        pass


def submission_of(root):
    return read(Store(root))


def entry_of(submission, method, level=2, seed=0):
    return next(
        each
        for each in submission.entries.values()
        if (each.unit.method.name, each.unit.level, each.unit.seed) == (method, level, seed)
    )


def again(submission, *asked, steps=None):
    """Measure (how, method[, level, seed]) again."""
    chosen = [(how, entry_of(submission, *which)) for how, *which in asked]
    seen = []
    found = remeasure(
        submission, chosen, workers=1, threads=1, device="cpu",
        step=lambda entry, at: (steps if steps is not None else []).append((entry.unit.method.name, at)),
        done=seen.append,
    )  # fmt: skip
    assert seen == found
    return found
