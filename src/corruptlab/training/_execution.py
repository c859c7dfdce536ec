"""How the machine does the work: what changes speed and last digits, but not what is meant."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias

from typing_extensions import Self

from corruptlab._checks import check_names, natural

Switch: TypeAlias = bool | Literal["auto"]
"""On, off, or whichever a short measurement finds faster."""

Reading: TypeAlias = Literal["device", "stream", "auto"]
"""Whether all data move to the device once, or pass through it batch by batch."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a fit uses the machine.

    What is left at ``"auto"`` is decided when the fit starts: a few steps of each candidate are
    timed on a copy of the network, if the rest of the fit will probably take longer than half a
    minute (five seconds on a GPU), and a switch is turned on if it saves at least a twentieth. A
    shorter fit runs plainly. `FitReport.execution` holds what was decided, with no ``"auto"``
    left, and can be handed to another fit so that both run alike.

    Args:
        compile: Whether the network goes through ``torch.compile``. If it is open, it is tried if
            more than four minutes are left.
        cuda_graphs: Whether the whole step is captured as a CUDA graph and replayed with one
            launch: on a GPU, for data that are there. A graph repeats kernels, and nothing that
            Python does. Where a step cannot be captured, because it waits for the device, draws
            numbers on the host, counts in Python, or has hooks, steps are launched operation by
            operation, and `FitReport.not_captured` says why.
        channels_last: Whether images lie in memory with the channels last, which convolutions
            often prefer.
        precision: Type of the products, which overrides the recipe's; None for the recipe's.
        tf32: Whether a GPU may round the factors of float32 products to the 10 bits of TF32, which
            is several times faster. PyTorch's defaults do so in convolutions, and not in matrix
            products; here neither does unless asked. During a fit it overrides those settings.
        data: ``"device"`` for all data on the device before the first step; ``"stream"`` for
            batches read by a ``DataLoader`` while the device works; ``"auto"`` for the first if
            the data fit in the device's free memory, and else the second. Data that change from
            one reading to the next (a random transform), seen in 32 items that are read twice,
            are streamed, too, and refused by ``"device"``.
        workers: Processes that read all streams of a fit, >= 0. They start with its first batch,
            know the data sets as these are then, and end with it. A process is forked only while
            it has no other threads, and not from Python 3.12 on: a lock that a thread holds stays
            locked in a forked process. Otherwise workers come from a fork server, so that the data
            set has to be picklable, and each worker has a copy. Where new processes would not find
            the data set (a class defined in a notebook), or would run the script again (without
            ``if __name__ == "__main__":``), workers are forked all the same.
        deterministic: Whether to leave out all that could make bits differ between two runs: no
            measured choice, nothing compiled, no fused optimizer, and an error from PyTorch for
            any GPU kernel that has no deterministic version.

    Raises:
        TypeError: If a value is of the wrong kind.
        ValueError: If a value is not one of those named, or contradicts another.

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
        if self.deterministic:
            for name in ("compile", "cuda_graphs"):
                if getattr(self, name) is True:
                    raise ValueError(f"`{name}` must not be True if `deterministic` is, got True.")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build an execution from what `to_dict` gave.

        Args:
            values: Names and values of the fields; any may be left out.

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
