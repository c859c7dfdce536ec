"""Where learners are trained, and where what is finished is kept."""

import os
import pickle
import tempfile
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

from corruptlab._checks import at_least
from corruptlab._modules import first_line

Executes: TypeAlias = Executor | int | None
"""None for this process, a number of processes, or any executor."""


def check_pickles(**values: object) -> None:
    """Reject what other processes could not be sent."""
    for argument, value in values.items():
        try:
            pickle.dumps(value)
        except Exception as error:  # a foreign `__reduce__` may raise anything
            raise TypeError(
                f"`{argument}` must be picklable where `executor` or `out` is given (functions: at "
                f"the top of a module), got the error: {first_line(error)}"
            ) from None


def kept_in(
    executor: Executes, out: str | os.PathLike[str] | None
) -> AbstractContextManager[str | os.PathLike[str] | None]:
    """Return the folder of the finished trainings: one for the time being, or none in a process."""
    if hasattr(executor, "__index__") and not isinstance(executor, bool):
        at_least(1, "executor", executor)
    elif executor is not None and not hasattr(executor, "submit"):
        raise TypeError(
            "`executor` must be None, a number of processes, or a concurrent.futures.Executor, "
            f"got {executor!r}."
        )
    if out is None and executor is not None:
        return tempfile.TemporaryDirectory(prefix="corruptlab-")
    return nullcontext(out)
