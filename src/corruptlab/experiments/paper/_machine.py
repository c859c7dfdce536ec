"""The machine that measures, in one line: no name of it, but what it can do."""

import os
import platform
from pathlib import Path

import torch

_GIB = 1 << 30


def machine(device: torch.device | str = "cpu") -> str:
    """Return model, cores, and memory of the processor, and of the GPU if that does the work.

    Args:
        device: What does the work.

    Returns:
        Such as ``"AMD EPYC, 2 cores, 24 GiB"``.
    """
    host = f"{processor()}{_memory()}"
    device = torch.device(device)
    if device.type != "cuda":
        return host
    found = torch.cuda.get_device_properties(device)
    return f"{found.name}, {found.total_memory / _GIB:.0f} GiB; {host}"


def processor() -> str:
    """Return model and cores of the processor, such as ``"AMD EPYC, 2 cores"``."""
    cores = os.cpu_count() or 1
    return f"{_model()}, {cores} core{'s' if cores > 1 else ''}"


def _model(table: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(models), "") or platform.processor() or platform.machine()


def _memory() -> str:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # nobody can tell
        return ""
    return f", {total / _GIB:.0f} GiB"
