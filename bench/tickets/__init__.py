"""The science: masks, methods and the one ticket protocol."""
