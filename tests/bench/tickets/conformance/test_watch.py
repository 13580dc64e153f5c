"""A mask that leaks while it trains is caught: a gradient, a weight, a moment, be it at one update."""

import pytest
import torch
from broken import method_checks
from example import MOONS, ExampleDomain, Moons

from bench.tickets import attach, protocol
from bench.tickets.conformance import check_method
from bench.tickets.methods import METHODS


class NoHooks(attach.Attached):
    """The mask is applied once to the weights, and then lost."""

    def __enter__(self):
        return self

    def check(self):
        pass


class AfterTheStepOnly(attach.Attached):
    """Weights are masked after each step, gradients never: what most repositories do."""

    def __enter__(self):
        self._handles.append(self._learner.optimizer.register_step_post_hook(lambda *_: self.updated()))
        self.after_update(self._again)
        return self

    @torch.no_grad()
    def _again(self):
        for name, parameter in self._parameters.items():
            parameter.masked_fill_(~self.mask[name], 0.0)

    def check(self):
        pass


@pytest.mark.parametrize("broken", [NoHooks, AfterTheStepOnly])
def test_a_mask_without_gradient_masking_is_caught_under_momentum_and_decay(monkeypatch, broken):
    monkeypatch.setattr(protocol, "Attached", broken)
    assert "C2" in method_checks("ticket")


class LeaksOnce(attach.Attached):
    """Its third update has one more gradient of pruned entries, and all is as it should be before the fourth."""

    def __enter__(self):
        super().__enter__()
        self._handles.append(self._learner.optimizer.register_step_pre_hook(self._before))
        self._handles.append(self._learner.optimizer.register_step_post_hook(self._again))
        return self

    def _masked(self, tensors):
        for name, parameter in self._parameters.items():
            for tensor in tensors(parameter):
                tensor.detach().mul_(self.keep[name])


class LeaksOneGradient(LeaksOnce):
    """It is there to be seen, and gone when the optimizer looks."""

    def _masker(self, name):
        mask_gradient = super()._masker(name)

        def masked_but_once(parameter):
            mask_gradient(parameter)
            if self._updates == 2:
                parameter.grad.add_(1 - self.keep[name])

        return masked_but_once

    def _before(self, *_):
        self._masked(lambda parameter: [parameter.grad])

    def _again(self, *_):
        pass


class LeaksOneWeight(LeaksOnce):
    """The optimizer alone meets it; weight and moments are cleaned up after the update."""

    def _before(self, *_):
        if self._updates == 2:
            for name, parameter in self._parameters.items():
                parameter.grad.add_(1 - self.keep[name])

    def _again(self, *_):
        self._masked(lambda parameter: [parameter, *self._moments(parameter).values()])


@pytest.mark.parametrize(("broken", "what"), [(LeaksOneGradient, "gradient"), (LeaksOneWeight, "weight")])
def test_a_leak_at_a_single_update_is_caught(monkeypatch, broken, what):
    monkeypatch.setattr(protocol, "Attached", broken)
    found = check_method(METHODS["ticket"], ExampleDomain(Moons), MOONS)
    leaks = [str(finding) for finding in found if finding.check == "C2"]
    assert len(leaks) == 1
    assert f"had a non-zero {what} during training" in leaks[0]


def test_moments_kept_from_dense_training_are_caught():
    assert "C2" in method_checks("ticket", KeepsDenseMoments)


class KeepsDenseMoments(Moons):
    """Loads the weights of the rewind step with the optimizer state of that step."""

    def load(self, state):
        super().load(state)
        for parameter in self.module.parameters():
            self.optimizer.state[parameter]["momentum_buffer"] = torch.full_like(parameter, 0.01)


class KeepsOldMoments(attach.Attached):
    """Grown weights go on with the moments of the weight that was dropped; the guard looks away."""

    @torch.no_grad()
    def change(self, name, mask):
        state = self._learner.optimizer.state[self._parameters[name]]
        kept = state["momentum_buffer"].clone()
        super().change(name, mask)
        state["momentum_buffer"].copy_(torch.where(mask, kept + 1e-3, 0.0))

    def check(self):
        pass


def test_rigl_with_stale_moments_is_caught(monkeypatch):
    monkeypatch.setattr(protocol, "Attached", KeepsOldMoments)
    assert "C14" in method_checks("rigl")


class Idle(Moons):
    """No loss reaches one of its parameters: the optimizer passes over it."""

    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        self.module.register_parameter("idle", torch.nn.Parameter(torch.ones(4, 3)))


@pytest.mark.parametrize("name", ["ticket", "rigl"])
def test_a_parameter_without_gradient_leaks_nothing(name):
    assert method_checks(name, Idle) == set()
