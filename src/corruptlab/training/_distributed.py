"""The processes of one fit: alone, or several under ``torchrun``."""

import atexit
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """Who takes part in a fit."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def here(cls, device: torch.device) -> "Processes":
        """Find out who is there, and join them if ``torchrun`` started this process."""
        if not distributed.is_available():
            return cls(0, 1, device)
        joined, on_gpu = distributed.is_initialized(), device.type == "cuda"
        if not joined and int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(0, 1, device)
        if on_gpu:  # the one through which objects are exchanged
            torch.cuda.set_device(device)
        if not joined:
            own = device if on_gpu else None
            distributed.init_process_group("nccl" if on_gpu else "gloo", device_id=own)
            atexit.register(_leave)
        return cls(distributed.get_rank(), distributed.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Return which of ``n`` examples are this process's; sizes are at most one apart."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all processes, elementwise; a new tensor."""
        if self.size == 1:
            return values
        values = values.to(self.device, copy=True)
        distributed.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Tell whether it is so in any process."""
        if self.size == 1:
            return flag
        return bool(self.total(torch.tensor([int(flag)], device=self.device)).item())

    def agreed(self, value: T) -> T:
        """Return the first process's value."""
        if self.size == 1:
            return value
        box: list[Any] = [value]
        distributed.broadcast_object_list(box, device=self.device)
        agreed: T = box[0]
        return agreed

    def check_alike(self, **arguments: object) -> None:
        """Refuse arguments that differ between the processes, which would wait for ever."""
        if self.size == 1:
            return
        everywhere: list[Any] = [None] * self.size
        distributed.all_gather_object(everywhere, arguments)
        for name, value in everywhere[0].items():
            values = [of_one[name] for of_one in everywhere]
            if any(other != value for other in values):
                got = ", ".join(map(repr, values))
                raise ValueError(f"`{name}` must be the same in every process, got {got}.")

    def from_first(self, work: Callable[[], T]) -> T:
        """Let the first process work, and return its result, or raise its error, in all of them."""
        if self.size == 1:
            return work()
        done: tuple[T | None, Exception | None] = None, None
        if self.first:
            try:
                done = work(), None
            except Exception as error:
                done = None, error
        result, failure = self.agreed(done)
        if failure is not None:
            raise failure
        return cast(T, result)

    def share_buffers(self, model: nn.Module) -> None:
        """Give all processes the buffers of the first one: each has seen batches of its own."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)

    def wrapped(self, model: nn.Module) -> nn.Module:
        """Return a network that starts from the first process's weights and averages gradients."""
        if self.size == 1:
            return model
        if self.device.type == "cuda":
            return DistributedDataParallel(model, device_ids=[self.device])
        network = DistributedDataParallel(model)
        if self.size > 2:  # two numbers have the same sum in either order
            network.register_comm_hook(
                self.size,
                # Without annotations: PyTorch insists on its own class, which not every build has.
                lambda size, bucket: _mean_in_float64(size, bucket),
            )
        return network


def own_device(device: torch.device | str | None) -> torch.device | str | None:
    """Return the device of this process, when ``torchrun`` started one for each GPU."""
    rank = os.environ.get("LOCAL_RANK")
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if not several or rank is None or not torch.cuda.is_available():
        return device
    if device is None or str(device) == "cuda":
        torch.cuda.set_device(int(rank))
        return torch.device("cuda", int(rank))
    return device


def _mean_in_float64(size: int, bucket: Any) -> torch.futures.Future[Tensor]:
    """Average gradients over the processes, to the same bits in whatever order they are added."""
    own: Tensor = bucket.buffer()
    sent = distributed.all_reduce(own.double(), async_op=True).get_future()

    def mean(received: torch.futures.Future[list[Tensor]]) -> Tensor:
        return own.copy_(received.value()[0] / size)

    future: torch.futures.Future[Tensor] = sent.then(mean)
    return future


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
