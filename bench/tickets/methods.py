"""Every arm of the comparison, one line each: where the mask comes from x which weights start x how they train.

Data only, so that planning needs no torch: what each column promises is in `bench.tickets.columns`, its function in
`bench.tickets.choose`.
"""

from dataclasses import replace
from typing import Any

from bench.spec import Method
from bench.tickets.columns import columns


def define(name: str, mask: str, weights: str, training: str, about: str, **options: Any) -> Method:
    """A method of three columns, each a name of `bench.tickets.columns` or `package.module:name`; parents follow from them.

    Raises:
        SpecError: if a column is neither built in nor can be imported.
    """
    asked = Method(name=name, mask=mask, weights=weights, training=training, about=about, options=options)
    return replace(asked, parents=columns(asked).needs)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        define("dense", "none", "initial", "full", "the whole network"),
        define("ticket", "iterative", "rewind", "rewound", "iterative magnitude mask, rewound"),
        define("ticket-init", "iterative", "initial", "full", "the same, back to step 0; its own chain"),
        define("reinit", "ticket", "fresh", "full", "the ticket's mask, fresh weights"),
        define("reinit-signed", "ticket", "fresh-signed", "full", "fresh, with the ticket's signs"),
        define("permuted", "ticket", "permuted", "rewound", "the ticket's values, permuted"),
        define("shuffled", "shuffled", "fresh", "full", "the mask shuffled inside each layer, fresh"),
        define("random-ticket", "uniform", "fresh", "full", "uniform over the whole network, fresh weights"),
        define("random-erk", "erk", "fresh", "full", "random with Erdos-Renyi-kernel densities, fresh weights"),
        define("small-dense", "none", "narrow", "full", "a narrower network of the nearest weight count"),
        define("one-shot", "one-shot", "rewind", "rewound", "one magnitude cut of the dense network"),
        define("one-shot-reinit", "one-shot", "fresh", "full", "the same mask, fresh weights"),
        define("one-shot-increase", "increase", "rewind", "rewound", "one cut of what grew least in size"),
        define("one-shot-untrained", "one-shot", "initial", "untrained", "one magnitude cut, not trained at all"),
        define("ticket-noise", "ticket", "noisy", "rewound", "the ticket, its start with noise", deviations=3.0),
        define("ticket-reordered", "ticket", "rewind", "reordered", "the ticket, trained on the data in another order"),
        define("shuffled-values", "shuffled", "carried", "rewound", "mask and values shuffled inside each layer"),
        define("fine-tune", "iterative", "trained", "last-rate", "trained on at the last rate"),
        define("lr-rewind", "iterative", "trained", "rewound", "trained on, schedule rewound"),
        define("magnitude-init", "magnitude", "initial", "full", "largest initial weights"),
        define("snip", "snip", "initial", "full", "connection sensitivity at initialisation", losses=10),
        define("magnitude-shuffled", "magnitude-shuffled", "initial", "full", "its mask shuffled inside each layer"),
        define("snip-shuffled", "snip-shuffled", "initial", "full", "its mask shuffled inside each layer", losses=10),
        define(
            "grasp",
            "grasp",
            "initial",
            "full",
            "gradient-signal preservation at initialisation",
            losses=10,
            temperature=200,
        ),
        define("synflow", "synflow", "initial", "full", "synaptic flow, no data", rounds=100),
        define("gmp", "ones", "initial", "gmp", "gradual magnitude pruning", start=0.1, end=0.7, cuts=40),
        define("set", "erk", "initial", "set", "prune and regrow at random", drop=0.3, end=0.75, cuts=40),
        define("rigl", "erk", "initial", "rigl", "prune and regrow by gradient", drop=0.3, end=0.75, cuts=40),
    )
}

TEMPLATES: dict[str, Method] = {
    method.name: method
    for method in (
        define("transfer", "source", "source", "rewound", "another task's ticket: its mask, its rewind weights"),
        define("transfer-reinit", "source", "fresh", "full", "another task's mask, fresh weights"),
    )
}
"""Arms as soon as a source task is named: `transfer+TASK` (1906.02773)."""
