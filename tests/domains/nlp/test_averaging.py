import torch
from torch import nn

from domains.nlp.averaging import Average


def trained(average, module, steps):
    for step in range(1, steps + 1):
        with torch.no_grad():
            module.weight.fill_(float(step))
        average.look(step)


def test_the_last_checkpoints_are_averaged_and_put_back():
    module = nn.Linear(2, 2)
    average = Average(module, last=3, every=2)
    trained(average, module, 10 + 1)
    with average.applied():
        assert (module.weight == (6 + 8 + 10) / 3).all()
    assert (module.weight == 11).all()


def test_without_checkpoints_nothing_changes():
    module = nn.Linear(2, 2)
    for last, steps in ((0, 10), (2, 7)):
        average = Average(module, last=last, every=8)
        trained(average, module, steps)
        with average.applied():
            assert (module.weight == steps).all()


def test_a_loaded_state_begins_anew():
    module = nn.Linear(2, 2)
    average = Average(module, last=2, every=5)
    trained(average, module, 10)
    average.forget()
    with average.applied():
        assert (module.weight == 10).all()


def test_weights_come_back_even_if_evaluation_fails():
    module = nn.Linear(2, 2)
    average = Average(module, last=2, every=5)
    trained(average, module, 10)
    try:
        with average.applied():
            raise ValueError
    except ValueError:
        assert (module.weight == 10).all()


def test_what_is_zero_in_all_stays_exactly_zero():
    module = nn.Linear(2, 2)
    average = Average(module, last=3, every=1)
    for step in (1, 2, 3):
        with torch.no_grad():
            module.weight.normal_()
            module.weight[0, 0] = 0.0
        average.look(step)
    with average.applied():
        assert module.weight[0, 0] == 0.0
        assert module.weight[1, 1] != 0.0
