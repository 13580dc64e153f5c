"""Weights that training does not start from, although a column promises them, are caught."""

from dataclasses import replace

import pytest
from broken import broken_column, method_checks
from example import ExampleDomain, variant

from bench.tickets import choose
from bench.tickets.columns import TRAININGS, WEIGHTS
from bench.tickets.conformance import check_method
from bench.tickets.methods import METHODS


def test_no_rewinding_is_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "rewind", WEIGHTS["trained"].function)
    assert "C1" in method_checks("ticket")


def test_rewinding_to_the_wrong_step_is_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "rewind", lambda setting, _: setting.parents["dense"].state("initial"))
    assert "C1" in method_checks("ticket")


@pytest.mark.parametrize("step", [0, 10])
def test_rewinding_to_the_start_is_caught_on_a_task_that_itself_rewinds_to_the_start(monkeypatch, step):
    """The task is varied: at rewind step 0 both are the same weights."""
    broken_column(monkeypatch, WEIGHTS, "rewind", lambda setting, _: setting.parents["dense"].state("initial"))
    assert "C1" in method_checks("ticket", task=variant(rewind_step=step))


def test_training_from_the_start_that_promises_to_begin_at_the_rewind_step_is_caught_there_too(monkeypatch):
    broken_column(monkeypatch, TRAININGS, "rewound", lambda setting, mask, state: choose.full_training(
        setting, mask, replace(state, step=0, updates=0)))  # fmt: skip
    assert "C9" in method_checks("ticket", task=variant(rewind_step=0))


def test_rewinding_that_no_task_could_tell_is_noted():
    once = variant(rewind_step=0, budget=20, evaluate_every=20)
    (note,) = check_method(METHODS["ticket"], ExampleDomain(), once)
    assert str(note) == (
        "note: rewinding is promised and could not be told from starting at the first step: the weights of step 0 are the "
        "initial ones; check it on a task of a later rewind step too"
    )
    assert check_method(METHODS["reinit"], ExampleDomain(), once) == [], "which rewinds nothing"


def test_rewinding_that_forgets_buffers_is_caught(monkeypatch):
    def forgetful(setting, _):
        dense = setting.parents["dense"]
        return replace(dense.state("rewind"), buffers=dense.state("final").buffers)

    broken_column(monkeypatch, WEIGHTS, "rewind", forgetful)
    assert "C1" in method_checks("ticket")


@pytest.mark.parametrize("name", ["reinit", "random-ticket", "shuffled"])
def test_a_control_that_equals_the_ticket_is_caught(monkeypatch, name):
    broken_column(monkeypatch, WEIGHTS, "fresh", lambda setting, _: setting.learner.snapshot())
    assert "C1" in method_checks(name, task=variant(rewind_step=0))


@pytest.mark.parametrize("name", ["permuted", "reinit-signed"])
def test_a_control_with_the_tickets_own_values_is_caught(monkeypatch, name):
    column = METHODS[name].weights
    broken_column(monkeypatch, WEIGHTS, column, lambda setting, _: setting.parents["dense"].state("rewind"))
    assert "C8" in method_checks(name)


def test_a_dead_signed_reinit_is_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "fresh-signed", WEIGHTS["fresh"].function)
    assert "C8" in method_checks("reinit-signed")
