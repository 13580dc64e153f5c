"""A transfer that takes another mask, other weights, another head or another step than it promises is caught."""

from dataclasses import replace

import pytest
from broken import broken_column, method_checks
from example import MOONS, TURNED, ExampleDomain, variant

from bench.tickets import choose, transfer
from bench.tickets.columns import MASKS, TRAININGS, WEIGHTS
from bench.tickets.conformance import check_method
from bench.tickets.conformance.observe import Lineage
from bench.tickets.inputs import Start
from bench.tickets.methods import METHODS, TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("target", [MOONS, TURNED, variant(rewind_step=0), variant(schedule="restart")])
def test_every_transfer_conforms(name, target):
    source = MOONS if target is TURNED else TURNED
    method = TEMPLATES[name].from_source(source.name.removeprefix("example/"))
    assert check_method(method, ExampleDomain(task=target, source=source), target) == []


TRANSFER = TEMPLATES["transfer"].from_source("turned")


def test_the_source_of_a_transfer_rewinds_later_too():
    family = Lineage(ExampleDomain(source=replace(TURNED, rewind_step=0)), MOONS, device="cpu", seed=0)
    assert family.home(TRANSFER, "source", MOONS).rewind_step == TURNED.evaluate_every


def test_a_transfer_that_takes_the_targets_own_mask_is_caught(monkeypatch):
    broken_column(monkeypatch, MASKS, "source", choose.one_shot_mask)
    assert "C8" in method_checks(TRANSFER)


def test_a_transfer_that_takes_another_seeds_ticket_is_caught(monkeypatch):
    strange = Lineage(ExampleDomain(), TURNED, device="cpu", seed=5).run(METHODS["ticket"], 3)[0].trained.mask
    broken_column(monkeypatch, MASKS, "source", lambda _: strange)
    assert {"C8", "C10"} <= method_checks(TRANSFER)


def test_a_transfer_that_takes_another_level_is_caught(monkeypatch):
    strange = Lineage(ExampleDomain(), TURNED, device="cpu", seed=0).run(METHODS["ticket"], 2)[0].trained.mask
    broken_column(monkeypatch, MASKS, "source", lambda _: strange)
    assert "C5" in method_checks(TRANSFER)


def test_a_transfer_that_takes_the_sources_step_is_caught(monkeypatch):
    def at_the_sources(setting, mask, state):
        step = setting.parents.get("source-dense", setting.parents["dense"]).state("rewind").step
        return Start(mask=mask, state=replace(state, step=step, updates=step), until=setting.task.budget)

    broken_column(monkeypatch, TRAININGS, "rewound", at_the_sources)
    assert "C9" in method_checks(TRANSFER)


@pytest.mark.parametrize("same", [True, False])
def test_a_transfer_with_the_wrong_head_is_caught(monkeypatch, same):
    """The head is initialised anew where outputs mean the same, or is kept where they mean something else."""
    domain, wrong = ExampleDomain(), frozenset() if not same else frozenset({"4.weight", "4.bias"})
    monkeypatch.setattr(domain, "outputs", lambda task: None if same else task.name)
    assert check_method(TRANSFER, domain, MOONS) == []

    def beheaded(setting, _):
        source, own = (setting.parents[role].state("rewind") for role in ("source-dense", "dense"))
        return transfer.state(source, own=own, head=wrong, learner=setting.learner)

    broken_column(monkeypatch, WEIGHTS, "source", beheaded)
    found = check_method(TRANSFER, domain, MOONS)
    assert {finding.check for finding in found} == {"C1"}
    assert "4.weight" in str(found[0])


def test_a_transfer_with_the_heads_rewind_weights_is_caught(monkeypatch):
    def late(setting, _):
        source, own = (setting.parents[role].state("rewind") for role in ("source-dense", "dense"))
        head = {name: own.weights[name] for name in setting.new_head}
        return replace(choose.source_weights(setting, _), weights={**source.weights, **head})

    broken_column(monkeypatch, WEIGHTS, "source", late)
    assert "C1" in method_checks(TRANSFER)


@pytest.mark.parametrize("role", ["dense", "source-dense"])
@pytest.mark.parametrize("what", ["weights", "buffers"])
def test_a_transfer_that_brings_other_weights_or_statistics_is_caught(monkeypatch, role, what):
    """Those of the target, or trained ones of the source."""

    def strange(setting, mask):
        state = setting.parents[role].state("rewind" if role == "dense" else "final")
        return replace(choose.source_weights(setting, mask), **{what: getattr(state, what)})

    broken_column(monkeypatch, WEIGHTS, "source", strange)
    assert "C1" in method_checks(TRANSFER)


def test_a_transfer_of_the_mask_alone_that_brings_weights_too_is_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "fresh", lambda setting, _: setting.learner.snapshot())
    assert "C1" in method_checks(TEMPLATES["transfer-reinit"].from_source("turned"))
