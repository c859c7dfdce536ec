"""PyTorch's number of threads on the CPU, and work in threads of one core each."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from corruptlab._random_state import exclusive_generators

_Item = TypeVar("_Item")


@contextmanager
def using_threads(number: int | str = "auto") -> Iterator[None]:
    """Restore PyTorch's number of threads on the CPU at the end; use another one until then."""
    with exclusive_generators():  # alone, because the number is the whole process's
        before = torch.get_num_threads()
        use_threads(number)
        try:
            yield
        finally:
            use_threads(before)


def use_threads(number: int | str) -> None:
    """Let PyTorch use a number of threads on the CPU; ``"auto"`` changes nothing."""
    if isinstance(number, int) and number != torch.get_num_threads():
        torch.set_num_threads(number)


def in_threads(work: Callable[[_Item], object], items: Iterable[_Item]) -> None:
    """Do work for each item, items side by side instead of the threads of each product.

    Many small products take several times as long in two threads as in one while another program
    keeps a core busy, because the threads wait for each other in every product.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        for item in items:
            work(item)
        return
    grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def one(item: _Item) -> None:
        with torch.inference_mode(inference), torch.set_grad_enabled(grad):
            work(item)

    with using_threads(1), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, items):  # which cancels what is not begun after Ctrl-C or an error
            pass
