"""What a network is shown: which examples a task has, and how a batch of them comes to it."""
