"""Options of execution: they change speed and rounding, but not the algorithm."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias

from typing_extensions import Self

from corruptlab._checks import at_least, check_names, natural

Switch: TypeAlias = bool | Literal["auto"]
"""On, off, or chosen by a short measurement."""

Reading: TypeAlias = Literal["device", "stream", "auto"]
"""Whether all data are copied to the device once, or streamed batch by batch."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Options that determine how a fit is computed.

    Options set to ``"auto"`` are chosen at the start of the fit: a few steps of each candidate are
    timed on a copy of the network, if the rest of the fit is expected to take longer than half a
    minute (five seconds on a GPU). An option is turned on if it saves at least 5% of the time. They
    are off in shorter fits. `FitReport.execution` contains the choice, without ``"auto"``; pass it
    to another fit to repeat the same execution.

    Args:
        compile: Whether to compile the network with ``torch.compile``. With ``"auto"``, it is tried
            if more than four minutes of training are left, and not with ``collate``, because every
            shape of a batch would be compiled.
        cuda_graphs: Whether to capture the whole step as a CUDA graph and replay it with one
            launch. This requires a GPU and data on the GPU. A graph replays kernels and does not
            run Python code. If a step cannot be captured, because it synchronizes with the device,
            draws random numbers on the host, counts in Python, or has hooks, it runs eagerly, and
            `FitReport.not_captured` gives the reason.
        channels_last: Whether to store images in channels-last memory format, which is often faster
            for convolutions.
        precision: Precision of the products; None for the precision of the recipe.
        tf32: Whether a GPU may round the factors of float32 products to the 10 bits of TF32, which
            is several times faster. PyTorch's defaults allow TF32 in convolutions, but not in
            matrix products. During a fit this option overrides both settings.
        data: ``"device"`` copies all data to the device before the first step. ``"stream"`` reads
            batches with a ``DataLoader`` during training. ``"auto"`` chooses ``"device"`` if the
            data fit in the free memory of the device. Data with random transforms, which are
            detected by reading 32 items twice, are streamed with ``"auto"`` and are an error with
            ``"device"``.
        threads: Number of threads of PyTorch on the CPU during the fit, >= 1; the number of the
            process is restored afterwards. ``"auto"`` keeps that number, or takes one thread where
            this is as fast: in steps of less than 10 million floating-point operations, and where
            the measurement finds it. Threads wait for each other in every product, which in a
            small network takes longer than the product itself, and many times as long if other
            programs use the cores.
        workers: Number of processes that read all streams of a fit, >= 0. They start with the first
            batch and end with the fit; later changes to a data set have no effect. Workers are
            forked only before Python 3.12 and only from a process without other threads, because a
            lock held by a thread stays locked in the forked process. Otherwise they start from a
            fork server: the data set must be picklable, and each worker has a copy. Workers are
            also forked if new processes could not import the data set (a class defined in a
            notebook) or would run the script again (no ``if __name__ == "__main__":``).
        deterministic: Whether to exclude everything that can change bits between two runs: no
            choice by time or size, no compilation, no fused optimizer, and an error from PyTorch
            for GPU kernels without a deterministic version.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If a value is not one of the choices, or contradicts another.

    Example:
        >>> from corruptlab.training import Execution
        >>> Execution(compile=False, workers=4).data
        'auto'
    """

    compile: Switch = "auto"
    cuda_graphs: Switch = "auto"
    channels_last: Switch = "auto"
    precision: Literal["float32", "bfloat16", "auto"] | None = None
    tf32: bool = False
    data: Reading = "auto"
    threads: int | Literal["auto"] = "auto"
    workers: int = 0
    deterministic: bool = False

    def __post_init__(self) -> None:
        for name in ("compile", "cuda_graphs", "channels_last"):
            self._require_one_of(name, (True, False, "auto"))
        self._require_one_of("precision", ("float32", "bfloat16", "auto", None))
        self._require_one_of("tf32", (True, False))
        self._require_one_of("data", ("device", "stream", "auto"))
        self._require_one_of("deterministic", (True, False))
        object.__setattr__(self, "workers", natural("workers", self.workers))
        if self.threads != "auto":
            object.__setattr__(self, "threads", at_least(1, "threads", self.threads))
        if self.deterministic:
            for name in ("compile", "cuda_graphs"):
                if getattr(self, name) is True:
                    raise ValueError(f"`{name}` must not be True if `deterministic` is, got True.")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON-serializable dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build an execution from a dictionary of `to_dict`.

        Args:
            values: Names and values of the fields; all are optional.

        Returns:
            The execution.

        Raises:
            ValueError: If a name is unknown.
        """
        check_names("values", values, [field.name for field in fields(cls)])
        return cls(**values)

    def _require_one_of(self, name: str, known: tuple[object, ...]) -> None:
        value = getattr(self, name)
        # By identity for True and False: 1 == True, and 1 is no switch.
        same = [value is choice or (isinstance(value, str) and value == choice) for choice in known]
        if not any(same):
            names = ", ".join(map(repr, known))
            raise ValueError(f"`{name}` must be one of {names}, got {value!r}.")
