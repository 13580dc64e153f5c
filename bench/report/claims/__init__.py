"""What papers claim, the statistic that decides each, and what records say."""
