"""Work that is shared among threads of one core each."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch

from corruptlab import _threads
from corruptlab._threads import in_threads
from tests.waiting import HANG


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_each_item_is_worked_on_once_by_one_core(threads: int) -> None:
    found: list[tuple[int, int]] = []
    in_threads(lambda item: found.append((item, torch.get_num_threads())), range(100))
    assert sorted(found) == [(item, 1) for item in range(100)]
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_error_ends_the_work_and_restores_the_threads(
    kind: type[BaseException], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            cancelled.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr(_threads, "ThreadPoolExecutor", Pool)
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 5:
            raise kind("enough")
        if item > 5:
            assert cancelled.wait(HANG)

    with pytest.raises(kind, match="enough"):
        in_threads(work, range(100))
    assert len(begun) <= 6 + threads
    assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("threads")
def test_gradients_are_recorded_as_in_the_calling_thread() -> None:
    states: set[tuple[bool, bool]] = set()

    def work(_: int) -> None:
        states.add((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))

    for context in (torch.no_grad, torch.enable_grad, torch.inference_mode):
        with context():
            here = (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
            in_threads(work, range(8))
        assert states == {here}
        states.clear()
