"""Checkpoints: one file, written whole or not at all, that holds numbers and names only."""

import hashlib
import os
import re
import uuid
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from corruptlab._environment import Environment
from corruptlab._errors import DataFileError
from corruptlab._json import check_regular_file
from corruptlab._modules import first_line
from corruptlab.training._distributed import Processes
from corruptlab.training._metrics import Loss
from corruptlab.training._recipe import Recipe
from corruptlab.training._standardization import Standardization

_FORMAT = 1
_NAME = "fit.pt"
_EXPECTED = "a checkpoint of `fit`"
_RUNNING = ("running_mean", "running_var")


class Checkpoint:
    """The file in which a fit keeps its state.

    It is written beside the old one and takes its place in one act of the file system, so that a
    process killed at any moment leaves a whole checkpoint. Nothing in it is ever run.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        identity: str,
        standardize: object,
        processes: Processes,
    ) -> None:
        self.path, self._identity = Path(folder) / _NAME, identity
        self._standardize = standardize if isinstance(standardize, Standardization) else None
        self._bits = _what_bits_depend_on(processes)
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def save(self, state: dict[str, Any]) -> None:
        """Write a state: tensors, numbers, names, and lists and dictionaries of them."""
        with self._written(state) as partial:
            try:
                partial.replace(self.path)
            except FileNotFoundError:
                raise ValueError(
                    "`checkpoint` must be a folder of this fit alone, got "
                    f"{str(self.path.parent)!r}, where another one is at work."
                ) from None

    def try_out(self, state: dict[str, Any]) -> None:
        """Write a state, read it again, and keep nothing: a fault shows before the first step."""
        with self._written(state) as partial:
            try:
                _read(partial)
            except DataFileError as error:
                raise ValueError(
                    "`model` and `optimizer` must have states of tensors, numbers, and names to be "
                    f"kept in a checkpoint, got {error.found}."
                ) from None

    @contextmanager
    def _written(self, state: dict[str, Any]) -> Iterator[Path]:
        """Write a state to a file that is there for a while."""
        # A name that no other process takes, on whatever machine it shares the folder from.
        partial = self.path.with_suffix(f".{uuid.uuid4().hex}.partial")
        try:
            with _explained(self.path), partial.open("wb") as file:
                torch.save({**self._header, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            yield partial
        finally:
            partial.unlink(missing_ok=True)

    @property
    def _header(self) -> dict[str, Any]:
        """What tells the fit, its statistics, and the machine; the last two may be missing."""
        statistics = None if self._standardize is None else self._standardize.to_dict()
        header = {"format": _FORMAT, "identity": self._identity}
        return {**header, "standardize": statistics, "bits": self._bits}

    def load(self) -> dict[str, Any] | None:
        """Read the state, if there is one, and delete what a killed process left unfinished."""
        for partial in self.path.parent.glob(f"{self.path.stem}.*.partial"):
            partial.unlink(missing_ok=True)
        if not os.path.lexists(self.path):
            return None
        check_regular_file(self.path, _EXPECTED)  # reading a pipe might never end
        state = _read(self.path)
        if not isinstance(state, dict) or state.get("format") != _FORMAT:
            raise DataFileError(self.path, _EXPECTED, "something else")
        with self.understood():
            same_statistics = self._is_prepared_alike(state.get("standardize"))
            differing = _differing(state.get("bits", self._bits), self._bits)
        if state.get("identity") != self._identity or not same_statistics:
            raise ValueError(
                "`checkpoint` must be a folder of this fit alone, got "
                f"{str(self.path.parent)!r}, which holds one of another recipe, seed, network, "
                "loss, optimizer, heads, or data set."
            )
        if differing:
            warnings.warn(
                f"the checkpoint in {str(self.path.parent)!r} was written with {differing}: the "
                "fit goes on, but not to the same bits as without the interruption.",
                stacklevel=6,  # the caller of `fit`
            )
        loaded: dict[str, Any] = state
        return loaded

    def _is_prepared_alike(self, found: Any) -> bool:
        """Return whether a checkpoint has these means and deviations, up to rounding."""
        own = self._standardize
        if found is None:
            return own is None
        check_kind("standardize", found, dict)
        kept = Standardization.from_dict(found)
        if own is None:
            return False
        pairs = ((kept.mean, own.mean), (kept.std, own.std))
        return all(len(a) == len(b) and np.allclose(a, b, rtol=1e-9) for a, b in pairs)

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Name the file in errors about a part that is missing or of another kind."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            found = f"no part {error}" if isinstance(error, KeyError) else first_line(error)
            raise DataFileError(self.path, _EXPECTED, found.rstrip(".")) from error


def _what_bits_depend_on(processes: Processes) -> dict[str, str | int]:
    """Return what may change the last digits of sums and products; where the fit runs, no more."""
    device = processes.device
    here = Environment.here(device)
    known: dict[str, str | int] = {"torch": str(here.torch), "device": here.device}
    if device.type == "cpu":
        capability = torch.backends.cpu.get_cpu_capability()
        known |= {"cpu": capability, "threads": here.threads}
    return {**known, "processes": processes.size}


def _differing(found: Any, own: Mapping[str, str | int]) -> str:
    """Return what differs from the machine that wrote a checkpoint, in words; empty if nothing."""
    check_kind("bits", found, dict)
    for name, value in found.items():
        check_kind("name in bits", name, str)
        check_kind(f"bits, {name}", value, str, int)
    changes = [
        f"{name} {found[name]}, not {value}"
        for name, value in own.items()
        if name in found and found[name] != value
    ]
    return " and ".join(changes)


def check_kind(part: str, found: object, *kinds: type) -> None:
    """Refuse a part of a checkpoint that has the wrong type."""
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        raise TypeError(f"{type(found).__name__} for {part}")


def check_tensors(part: str, found: dict[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse tensors that are not those of a network, by name, shape, and type."""
    if differ := found.keys() ^ own.keys():
        raise ValueError(f"{part} that {'lack' if min(differ) in own else 'have'} {min(differ)}")
    for name, value in _tensors(own):
        check_kind(f"{part}, {name}", found[name], Tensor)
        if (found[name].shape, found[name].dtype) != (value.shape, value.dtype):
            raise ValueError(f"another shape or type for {part}, {name}")


def identity_of(
    recipe: Recipe,
    seed: int,
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    data: str,
    heads: object = None,
) -> str:
    """Return a digest of what must not change when a fit is resumed; it may get more epochs."""
    kinds = [(name, type(layer).__qualname__) for name, layer in model.named_modules()]
    shapes = [(name, tuple(value.shape)) for name, value in _tensors(model.state_dict())]
    meant = {**recipe.to_dict(), "epochs": None}
    if isinstance(recipe.standardize, Standardization):  # its numbers are compared up to rounding
        meant["standardize"] = recipe.standardize.per
    named = [getattr(each, "__qualname__", type(each).__qualname__) for each in (loss, optimizer)]
    numbers = [_numbers(group) for group in optimizer.param_groups]
    parts = [sorted(meant.items()), seed, kinds, shapes, named, numbers, data]
    text = repr((*parts, *([] if heads is None else [heads])))  # as before there were heads
    return hashlib.sha256(text.encode()).hexdigest()


def is_finite(model: nn.Module, optimizer: torch.optim.Optimizer) -> bool:
    """Return whether all values of a state are finite; buffers such as masks may be infinite."""
    running = [b for name, b in model.named_buffers() if name.endswith(_RUNNING)]
    remembered = [value for state in optimizer.state.values() for value in state.values()]
    values = [*model.parameters(), *running, *remembered]
    return all(bool(value.isfinite().all()) for value in values if isinstance(value, Tensor))


def _tensors(state: Mapping[str, Any]) -> list[tuple[str, Tensor]]:
    return [(name, value) for name, value in state.items() if isinstance(value, Tensor)]


def _numbers(group: dict[str, Any]) -> list[tuple[str, object]]:
    """Return what a group of parameters is trained with, apart from switches for speed."""
    kinds = (int, float, tuple)
    return sorted(
        (name, value)
        for name, value in group.items()
        if name != "lr" and type(value) in kinds  # a bool is none of them
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Name the file in errors about writing it, which PyTorch hides behind its own."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError) or cause.errno is None:
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from None


def _read(path: Path) -> object:
    try:
        with zipfile.ZipFile(path) as file:  # PyTorch writes checksums but does not compare them
            if (name := file.testzip()) is not None:
                raise ValueError(f"another checksum of {name}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file can be the cause of almost any
        found = first_line(error)
        if foreign := re.search(r"GLOBAL (\S+)", str(error)):  # and not PyTorch's advice to run it
            found = f"{foreign[1]}, which is no tensor, number, or name"
        raise DataFileError(path, _EXPECTED, found.rstrip(".")) from None
