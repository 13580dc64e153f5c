"""Methods that prune whole hidden nodes: by fan-out, and the two controls that are equal to it but for what it claims."""

from bench.tickets.columns import MaskColumn
from bench.tickets.methods import define

HERE = "domains.teacher.columns:"
CHOOSE = "domains.teacher.choose:"

FANOUT_MASK = MaskColumn(function=CHOOSE + "fanout_mask", needs=("dense",), ranked="dense", layers="level", nodes=True)
RANDOM_MASK = MaskColumn(function=CHOOSE + "random_mask", drawn="layers", layers="level", nodes=True)

fanout = define(
    "fanout",
    HERE + "FANOUT_MASK",
    "rewind",
    "rewound",
    "hidden nodes of the largest fan-out, one cut of the dense network",
)
fanout_reinit = define("fanout-reinit", HERE + "FANOUT_MASK", "fresh", "full", "the same nodes, fresh weights")
fanout_random = define(
    "fanout-random", HERE + "RANDOM_MASK", "rewind", "rewound", "as many nodes, drawn at random, rewound"
)
