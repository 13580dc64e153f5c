"""One file per kind of lie: each check takes what was submitted and one unit, and yields findings of one line."""
