"""Ticket Bench: one lottery-ticket protocol for vision, reinforcement learning and translation."""

__version__ = "0.1.0"
