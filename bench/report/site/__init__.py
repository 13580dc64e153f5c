"""The leaderboard: one self-contained page made of published records."""
