"""What is to be trained: the units of a suite, those that can run now, and those that run together."""
