"""How much may come out of a small file from anybody, be it an archive or packed records."""

HIGHEST_RATIO, FREE = 200, 64 * 2**20
"""More than `FREE` bytes must not come from `HIGHEST_RATIO` times fewer: masks of a bool a byte shrink by far, too."""


def is_bomb(packed: int, total: int) -> bool:
    """Whether nothing honest grows so much.

    Args:
        packed: bytes of it.
        total: bytes that come out.
    """
    return total > FREE + HIGHEST_RATIO * packed
