"""Agents that train together."""
