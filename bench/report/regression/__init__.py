"""Whether a run is worse than another, or than what is published."""
