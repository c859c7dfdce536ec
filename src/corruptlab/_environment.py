"""What a result was made with: versions, machine, device."""

import platform
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import device as Device  # noqa: N812  # a field of the class below is called `device`

from corruptlab._version import __version__


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Versions, machine, and device that made a result.

    Args:
        corruptlab: Version of this package.
        python: Version of Python.
        torch: Version of PyTorch, with its build tag.
        numpy: Version of NumPy.
        platform: Operating system and processor architecture.
        device: Name of the device that did the work.
        threads: Threads that PyTorch uses on the CPU.

    Example:
        >>> Environment.here().device
        'cpu'
    """

    corruptlab: str
    python: str
    torch: str
    numpy: str
    platform: str
    device: str
    threads: int

    @classmethod
    def here(cls, device: Device | str = "cpu") -> "Environment":
        """Describe this process and one device.

        Args:
            device: The device that does the work.

        Returns:
            The description; a GPU is called by its product name.
        """
        device = torch.device(device)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return cls(
            corruptlab=__version__,
            python=platform.python_version(),
            torch=torch.__version__,
            numpy=np.__version__,
            platform=f"{platform.system()} {platform.machine()}",
            device=name,
            threads=torch.get_num_threads(),
        )

    @property
    def versions(self) -> str:
        """Versions of what was at work, on one line."""
        return (
            f"corruptlab {self.corruptlab}, torch {self.torch}, numpy {self.numpy}, "
            f"Python {self.python}"
        )

    def to_dict(self) -> dict[str, str | int]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.device}, {self.threads} threads, {self.platform}, {self.versions}"
