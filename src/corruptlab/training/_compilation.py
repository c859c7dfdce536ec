"""``torch.compile`` for one fit: programs of its own, and whether there are any."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor


class Compiled:
    """A function that goes through ``torch.compile``.

    Dynamo keeps at most 8 programs of a piece of code and runs all further ones as they are, with
    no more than a line in its log. All fits share the code of a step, so each compiles a copy.
    """

    def __init__(self, function: Callable[..., Tensor], **options: Any) -> None:
        assert isinstance(function, FunctionType)
        self._code = function.__code__.replace()
        own = FunctionType(
            self._code,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        self._compiled: Callable[..., Tensor] = torch.compile(own, **options)
        self._called = False

    def __call__(self, *arguments: Any) -> Tensor:
        """Call the function."""
        result = self._compiled(*arguments)
        self._called = True
        return result

    @property
    def programs(self) -> int:
        """How many programs there are: one for each shape that was seen."""
        return len(torch._dynamo.eval_frame._debug_get_cache_entry_list(self._code))

    @property
    def failed(self) -> bool:
        """Whether calls went without a program, because Dynamo has given up."""
        return self._called and self.programs == 0
