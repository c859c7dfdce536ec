"""Checkpoints: one file, written whole or not at all, that holds numbers and names only."""

import hashlib
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from corruptlab._errors import DataFileError
from corruptlab.training._recipe import Recipe
from corruptlab.training._stepper import Loss

_FORMAT = 1
_NAME = "fit.pt"
_EXPECTED = "a checkpoint of `fit`"
_RUNNING = ("running_mean", "running_var")


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

        What a killed process has left unfinished is thrown away.

        Returns:
            The state, with its tensors on the CPU, or None if nothing has been saved yet.

        Raises:
            DataFileError: If the file is no checkpoint, or damaged.
            ValueError: If it is the checkpoint of another fit.
        """
        for partial in self.path.parent.glob(f"{self.path.stem}.*.partial"):
            partial.unlink(missing_ok=True)
        if not self.path.exists():
            return None
        state = _read(self.path)
        if not isinstance(state, dict) or state.get("format") != _FORMAT:
            raise DataFileError(self.path, _EXPECTED, "something else")
        if state.get("identity") != self._identity:
            raise ValueError(
                "`checkpoint` must be a folder of this fit alone, got "
                f"{str(self.path.parent)!r}, which holds one of another recipe, seed, network, "
                "loss, optimizer, or data set."
            )
        loaded: dict[str, Any] = state
        return loaded


def identity_of(
    recipe: Recipe,
    seed: int,
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    data: str,
) -> str:
    """Return a digest of what must not change when a fit is resumed.

    The number of epochs is left out, so that a finished fit can be given more.

    Args:
        recipe: The hyper-parameters.
        seed: The seed.
        model: The network: the names and shapes of its tensors, not their values.
        loss: Mean loss of a batch: its name.
        optimizer: The optimizer: its kind and its first rates.
        data: A digest of the training examples.

    Returns:
        64 hexadecimal digits.
    """
    shapes = [(name, tuple(value.shape)) for name, value in model.state_dict().items()]
    meant = {**asdict(recipe), "epochs": None}
    named = [getattr(each, "__qualname__", type(each).__qualname__) for each in (loss, optimizer)]
    rates = [group["first_rate"] for group in optimizer.param_groups]
    text = repr((sorted(meant.items()), seed, shapes, named, rates, data))
    return hashlib.sha256(text.encode()).hexdigest()


def is_finite(model: nn.Module, optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether training can go on from a state: no number in it is infinite or none at all.

    Args:
        model: The network: its parameters, and the running statistics of its layers. Other buffers
            may be infinite on purpose, as masks are.
        optimizer: The optimizer: what it remembers.

    Returns:
        Whether it can.
    """
    running = [b for name, b in model.named_buffers() if name.endswith(_RUNNING)]
    remembered = [value for state in optimizer.state.values() for value in state.values()]
    values = [*model.parameters(), *running, *remembered]
    return all(bool(value.isfinite().all()) for value in values if isinstance(value, Tensor))


def _read(path: Path) -> object:
    try:
        with zipfile.ZipFile(path) as file:  # PyTorch writes checksums but does not compare them
            if (name := file.testzip()) is not None:
                raise ValueError(f"another checksum of {name}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file can be the cause of almost any
        found = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataFileError(path, _EXPECTED, found.rstrip(".")) from None
