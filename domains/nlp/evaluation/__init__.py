"""How good a text model is on a split: its translations, their scores, and what a significance test needs."""
