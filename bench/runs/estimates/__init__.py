"""How long units take: what records tell, and where they tell nothing, a few steps on this machine."""
