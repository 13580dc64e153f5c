"""The kinds of learning that the protocol runs on."""
