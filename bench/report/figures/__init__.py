"""Figures: the score of every method over density."""
