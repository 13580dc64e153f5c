"""Samples of seeds, tasks and test items: intervals, tests, what they could have detected."""
