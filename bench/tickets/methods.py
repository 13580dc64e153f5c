"""Every arm of the comparison, one line each: where the mask comes from x which weights start x how they train.

Data only, so that planning needs no torch; the columns' functions are in `bench.tickets.choose`.
"""

from typing import Any

from bench.spec import Method, Role


def _arm(
    name: str, mask: str, weights: str, training: str, about: str, parents: tuple[Role, ...] = (), **options: Any
) -> Method:
    return Method(
        name=name, mask=mask, weights=weights, training=training, about=about, parents=parents, options=options
    )


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _arm("dense", "none", "initial", "full", "the whole network"),
        _arm("ticket", "iterative", "rewind", "rewound", "iterative magnitude mask, rewound", ("previous", "dense")),
        _arm("ticket-init", "iterative", "initial", "full", "the same, back to step 0; its own chain", ("previous",)),
        _arm("reinit", "ticket", "fresh", "full", "the ticket's mask, fresh weights", ("ticket",)),
        _arm("reinit-signed", "ticket", "fresh-signed", "full", "fresh, with the ticket's signs", ("ticket", "dense")),
        _arm("permuted", "ticket", "permuted", "rewound", "the ticket's values, permuted", ("ticket", "dense")),
        _arm("shuffled", "shuffled", "fresh", "full", "the mask shuffled inside each layer, fresh", ("ticket",)),
        _arm("random-ticket", "uniform", "fresh", "full", "uniform over the whole network, fresh weights"),
        _arm("random-erk", "erk", "fresh", "full", "random with Erdos-Renyi-kernel densities, fresh weights"),
        _arm("small-dense", "none", "narrow", "full", "a narrower network of the nearest weight count"),
        _arm("one-shot", "one-shot", "rewind", "rewound", "one magnitude cut of the dense network", ("dense",)),
        _arm("one-shot-reinit", "one-shot", "fresh", "full", "the same mask, fresh weights", ("dense",)),
        _arm("fine-tune", "iterative", "trained", "last-rate", "trained on at the last rate", ("previous", "dense")),
        _arm("lr-rewind", "iterative", "trained", "rewound", "trained on, schedule rewound", ("previous", "dense")),
        _arm("magnitude-init", "magnitude", "initial", "full", "largest initial weights"),
        _arm("snip", "snip", "initial", "full", "connection sensitivity at initialisation", losses=10),
        _arm(
            "grasp",
            "grasp",
            "initial",
            "full",
            "gradient-signal preservation at initialisation",
            losses=10,
            temperature=200,
        ),
        _arm("synflow", "synflow", "initial", "full", "synaptic flow, no data", rounds=100),
        _arm("gmp", "ones", "initial", "gmp", "gradual magnitude pruning", start=0.1, end=0.7, cuts=40),
        _arm("set", "erk", "initial", "set", "prune and regrow at random", drop=0.3, end=0.75, cuts=40),
        _arm("rigl", "erk", "initial", "rigl", "prune and regrow by gradient", drop=0.3, end=0.75, cuts=40),
    )
}
