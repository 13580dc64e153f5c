"""Hidden layers of a made-up student beside its teacher's, true to the schema: a test tells the facts that it is about."""

FANOUT = (0.5, 2.0, 1.0)
"""Of three teacher nodes: the second is the strongest, the first the weakest."""


def build_layer(teachers=None, students=None, *, name="hidden1"):
    """One layer of a record's `nodes`; `teachers` and `students` replace facts, whose lengths the others follow."""
    taught, learned = {"fanout": list(FANOUT), **(teachers or {})}, {"fanout_final": [1.0, 0.5], **(students or {})}
    m, n = len(taught["fanout"]), len(learned["fanout_final"])
    return {
        "layer": name,
        "teachers": {
            "dead": [False] * m,
            "correlation_initial": [0.4] * m,
            "correlation_early": [0.6] * m,
            "correlation_final": [0.96] * m,
            "initial_rank": [0.25] * m,
            **taught,
        },
        "students": {
            "fanout_initial": [0.1] * n,
            "kept_in": [3] * n,
            "kept_out": [3] * n,
            "correlation_initial": [0.4] * n,
            "teacher_initial": [0] * n,
            "correlation_final": [0.96] * n,
            "teacher_final": [0] * n,
            **learned,
        },
    }


def with_nodes(records, make=build_layer):
    """The same records, each that did not diverge with one layer, which `make` gives."""
    return [{**each, "nodes": [make()]} if each["status"] == "ok" else each for each in records]
