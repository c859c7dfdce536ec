"""The device that a user asks for, and the environment in which a result was computed."""

import platform
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import device as Device  # noqa: N812  # a field of the class below is called `device`

from corruptlab._text import counted
from corruptlab._version import __version__


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Versions, machine, and device with which a result was computed."""

    corruptlab: str
    python: str
    torch: str  # with its build tag
    numpy: str
    platform: str  # operating system and processor architecture
    device: str
    threads: int  # of PyTorch on the CPU

    @classmethod
    def here(cls, device: Device | str = "cpu") -> "Environment":
        """Describe this process and the device that does the work; a GPU by its product name."""
        device = torch.device(device)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return cls(
            corruptlab=__version__,
            python=platform.python_version(),
            torch=str(torch.__version__),
            numpy=np.__version__,
            platform=f"{platform.system()} {platform.machine()}",
            device=name,
            threads=torch.get_num_threads(),
        )

    @property
    def versions(self) -> str:
        """Versions of the packages, on one line."""
        return (
            f"corruptlab {self.corruptlab}, torch {self.torch}, numpy {self.numpy}, "
            f"Python {self.python}"
        )

    def to_dict(self) -> dict[str, str | int]:
        """Return the fields as a JSON-serializable dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.device}, {counted(self.threads, 'thread')}, {self.platform}, {self.versions}"


def usable_device(device: torch.device | str) -> torch.device:
    """Return an available device, a GPU by its number; raise TypeError or ValueError otherwise."""
    try:
        tried = torch.empty(1, device=torch.device(device))
        tried.cpu()
        return tried.device
    except TypeError:
        raise TypeError(
            f"`device` must be a torch.device or a name such as 'cuda:0', got {device!r}."
        ) from None
    except (RuntimeError, AssertionError) as error:
        # PyTorch appends a page of advice for its own developers; its first sentence is for users.
        reason = str(error).partition("\n")[0].partition(". ")[0].rstrip(".")
        text = f"`device` must be usable on this machine, got {str(device)!r} ({reason})."
        raise ValueError(text) from None


_worker: int | None = None


def become_worker(number: int) -> None:
    """Let this process be a worker of a sweep, which share the GPUs."""
    global _worker
    _worker = number


def worker() -> int | None:
    """Return which of the worker processes of a sweep this is; None for none."""
    return _worker
