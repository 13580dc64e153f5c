"""The protocol as an executable contract: what every learner and every method must do, checked on a real task.

`check_learner` and `check_method` return what they found wrong; an empty list is conformance. The ids C1 to C15 name
the silent bugs of published lottery-ticket code that each check exists for:

C1 rewinding restores theta_k; C2 pruned weights, gradients and moments stay zero; C3 masks are binary and nested;
C4 buffers are rewound too; C5 the count is exact; C6 only prunable weights are pruned and counted; C8 controls differ
from the ticket as declared; C9 the method trains as it says; C10 the seed decides everything; C13 nothing is selected
on test; C14 every option and every branch works, and grown weights start fresh; C15 density 1 is dense. A finding called
`note` is no fault, but worth a sentence where results are told.
"""

from bench.tickets.conformance.findings import Finding
from bench.tickets.conformance.learners import check_learner
from bench.tickets.conformance.methods import check_method

__all__ = ["Finding", "check_learner", "check_method"]
