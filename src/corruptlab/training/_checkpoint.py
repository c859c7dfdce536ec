"""Checkpoints: one file, written whole or not at all, that holds numbers and names only."""

import hashlib
import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from corruptlab._errors import DataFileError
from corruptlab.training._recipe import Recipe

_FORMAT = 1
_NAME = "fit.pt"


class Checkpoint:
    """The file in which a fit keeps where it stands.

    It is written beside the old one and then takes its place in one act of the file system, so
    that a process killed at any moment leaves a whole checkpoint behind. PyTorch reads it
    with ``weights_only=True``: nothing in it is ever run.

    Args:
        folder: Folder of this fit alone; it is made if need be.
        identity: What tells this fit from others; see `identity_of`.
    """

    def __init__(self, folder: str | os.PathLike[str], identity: str) -> None:
        self.path, self._identity = Path(folder) / _NAME, identity
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def save(self, state: dict[str, Any]) -> None:
        """Write a state: tensors, numbers, names, and lists and dictionaries of them.

        Args:
            state: The state.
        """
        partial = self.path.with_suffix(f".{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                torch.save({"format": _FORMAT, "identity": self._identity, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """Read the state, if there is one.

        Returns:
            The state, with its tensors on the CPU, or None if nothing has been saved yet.

        Raises:
            DataFileError: If the file is no checkpoint.
            ValueError: If it is the checkpoint of another fit.
        """
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
            found = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataFileError(self.path, "a checkpoint of `fit`", found.rstrip(".")) from None
        if not isinstance(state, dict) or state.get("format") != _FORMAT:
            raise DataFileError(self.path, "a checkpoint of `fit`", "something else")
        if state["identity"] != self._identity:
            raise ValueError(
                "`checkpoint` must be a folder of this fit alone, got "
                f"{str(self.path.parent)!r}, which holds one of another recipe, seed, network, or "
                "data set."
            )
        loaded: dict[str, Any] = state
        return loaded


def identity_of(
    recipe: Recipe, seed: int, model: nn.Module, optimizer: torch.optim.Optimizer, data: str
) -> str:
    """Return a digest of what must not change when a fit is resumed.

    The number of epochs is left out, so that a finished fit can be given more.

    Args:
        recipe: The hyper-parameters.
        seed: The seed.
        model: The network: the names and shapes of its tensors, not their values.
        optimizer: The optimizer: its kind.
        data: A digest of the training examples.

    Returns:
        64 hexadecimal digits.
    """
    shapes = [(name, tuple(value.shape)) for name, value in model.state_dict().items()]
    meant = {**asdict(recipe), "epochs": None}
    text = repr((sorted(meant.items()), seed, shapes, type(optimizer).__qualname__, data))
    return hashlib.sha256(text.encode()).hexdigest()
