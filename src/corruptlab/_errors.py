"""Errors that more than one floor raises."""

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional dependency, or say which extra brings it.

    Args:
        module: Name of the module to import, such as ``"matplotlib.figure"``.
        extra: Name of the extra that installs it, such as ``"plot"``.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: If the package is not installed.
        ModuleNotFoundError: If it is installed and itself misses something.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtraError(
            f"`{package}` is not installed; install it with: pip install 'corruptlab[{extra}]'.",
            name=package,
        ) from None
