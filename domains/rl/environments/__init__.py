"""The worlds that agents act in: each the paper's dynamics, many copies at once, and their episodes."""
