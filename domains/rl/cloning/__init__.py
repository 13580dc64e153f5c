"""Behavioural cloning: the networks of agents, trained to act as one that is trained already."""
