"""Ranges cut into pieces of one size."""


def spans(n: int, size: int) -> list[tuple[int, int]]:
    """Return start and stop of each piece of ``0 .. n - 1``; the last may be smaller."""
    return [(start, min(start + size, n)) for start in range(0, n, size)]
