"""Learners of one task that are trained together: an execution, not another experiment."""
