"""What worker processes import to measure units of the example domain again: they know no fixture."""

from example import ExampleDomain

from bench import registry
from bench.tickets.units import retrain as again

registry.domains = lambda: {"example": ExampleDomain()}
replay, retrain = again.replay, again.retrain
