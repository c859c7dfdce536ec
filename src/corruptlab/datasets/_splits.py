"""The two parts of a data set."""

SPLITS = ("train", "test")


def checked_split(split: str) -> None:
    """Raise unless ``split`` is ``"train"`` or ``"test"``."""
    if split not in SPLITS:
        raise ValueError(f"`split` must be 'train' or 'test', got {split!r}.")
