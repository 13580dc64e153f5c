import pytest
import torch
from torch import nn

from bench.errors import SpecError
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


def test_what_a_mask_dropped_since_is_zero_in_the_average():
    """As gradual pruning and RigL drop weights between two checkpoints."""
    module = nn.Linear(2, 2)
    average = Average(module, last=3, every=1)
    trained(average, module, 3)
    with torch.no_grad():
        module.weight[0, 0] = 0.0
    with average.applied():
        assert module.weight.flatten().tolist() == [0, 2, 2, 2]


def test_a_state_brings_the_average_which_stands_until_training_goes_on():
    module, other = nn.Linear(2, 2), nn.Linear(2, 2)
    average, restored = (Average(each, last=3, every=2) for each in (module, other))
    trained(average, module, 6)
    restored.restore(average.tensors())
    with restored.applied():
        assert (other.weight == 4).all()
    assert restored.tensors().keys() == average.tensors().keys()
    trained(restored, other, 1)
    assert restored.tensors() == {}


@pytest.mark.parametrize("last", [0, 2])
def test_an_average_of_other_weights_is_refused(last):
    """A task that averages nothing takes none: it would be scored by weights that are not its own."""
    average = Average(nn.Linear(2, 2), last=last, every=1)
    strange = nn.Linear(2, 2 if not last else 3)
    with pytest.raises(SpecError, match="average of other weights"):
        average.restore({f"average.{name}": each.detach() for name, each in strange.named_parameters()})
