"""The first screen of the leaderboard: what the records show in three sentences and two pictures, and the ranking behind them."""
