"""Errors that several rooms raise, and the import of optional dependencies."""

import importlib
import os
from pathlib import Path
from types import ModuleType

import torch


class MissingExtraError(ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class DataFileError(ValueError):
    """Raised if a file of a data set is missing, truncated, or in the wrong format.

    Args:
        path: File or folder.
        expected: Description of the expected content.
        found: Description of the actual content.

    Attributes:
        path: File or folder, as a ``Path``.
        expected: Description of the expected content.
        found: Description of the actual content.

    Example:
        >>> print(DataFileError("train.gz", expected="a whole gzip stream", found="an empty file"))
        train.gz: expected a whole gzip stream, found an empty file.
    """

    def __init__(self, path: str | os.PathLike[str], expected: str, found: str) -> None:
        super().__init__(os.fspath(path), expected, found)  # so that it pickles
        self.path: Path = Path(path)
        self.expected: str = expected
        self.found: str = found

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}."


def require(module: str, *, extra: str | None = None) -> ModuleType:
    """Import an optional dependency such as ``"ray"``, or say how to install it."""
    package = module.partition(".")[0]
    wanted = package if extra is None else f"'corruptlab[{extra}]'"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:  # it is installed, and itself misses something
            raise
        raise MissingExtraError(
            f"`{package}` is not installed; install it with: pip install {wanted}.",
            name=package,
        ) from None
    except RuntimeError as error:  # compiled for another PyTorch, it fails at its own operators
        raise MissingExtraError(
            f"`{package}` is installed and does not fit this PyTorch ({torch.__version__}): "
            f"{error}."
        ) from error
