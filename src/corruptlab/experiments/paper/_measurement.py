"""What one row came to, once, on one machine."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from corruptlab.experiments.paper._exhibit import Exhibit
from corruptlab.experiments.sweeps._encoding import decode, encode

_KINDS: Mapping[str, tuple[Any, str]] = {
    "seed": (int, "an integer"),
    "measured": (Mapping, "a mapping"),
    "environment": (Mapping, "a mapping"),
    "seconds": (int | float | None, "a number or None"),
}
_TEXT = (str, "text")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One row, with one seed, on one machine and one sample.

    Args:
        row: Name of the row.
        seed: Seed.
        measured: Name of the quantity to what it came to, in the unit of its column.
        sample: Which data, and how many.
        machine: Processor, cores, and memory; the GPU if it did the work.
        environment: Versions, device, and threads; see `corruptlab.experiments`.
        seconds: How long it took, with reading the data; None if nobody noted it.
        finished: When, as ISO 8601; may be empty.
        command: What was typed; folders are called ``FOLDER``.
        note: What else there is to know, such as that images had gone through JPEG.
        curves: What is drawn; it is not kept with results.

    Example:
        >>> from corruptlab.experiments.paper import Measurement
        >>> found = Measurement(
        ...     row="mlp-1x512 plain",
        ...     seed=0,
        ...     measured={"train": 99.99, "test": 51.37},
        ...     sample="CIFAR-10, 50,000 + 10,000 images",
        ...     machine="AMD EPYC, 2 cores, 24 GiB",
        ...     environment={"torch": "2.13.0+cpu"},
        ...     seconds=290.0,
        ...     command="corruptlab reproduce table1 --rows mlp --data cifar10:FOLDER",
        ... )
        >>> Measurement.from_dict(found.to_dict()) == found
        True
    """

    row: str
    seed: int
    measured: Mapping[str, Any]
    sample: str
    machine: str
    environment: Mapping[str, Any]
    seconds: float | None
    command: str
    finished: str = ""
    note: str = ""
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What a later measurement has in common with the one it replaces."""
        return self.row, self.seed, self.machine, self.sample

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as a dictionary that JSON can hold."""
        known = {name: value for name, value in asdict(self).items() if name != "curves"}
        return {name: encode(value, name) for name, value in known.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Measurement":
        """Build a measurement from what `to_dict` gave.

        Args:
            values: Names and values of the fields.

        Returns:
            The measurement.

        Raises:
            TypeError: If a value is of a wrong kind.
            ValueError: If a name is unknown or missing.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"`values` must map names to values, got {values!r}.")
        known = [each.name for each in fields(cls) if each.name != "curves"]
        needed = [name for name in known if name not in ("finished", "note")]
        if unknown := [name for name in values if name not in known]:
            raise ValueError(f"`values` must only name {', '.join(known)}, got {unknown[0]!r}.")
        if missing := [name for name in needed if name not in values]:
            raise ValueError(f"`values` must name {missing[0]}, got {sorted(values)}.")
        for name, value in values.items():
            kind, words = _KINDS.get(name, _TEXT)
            if not isinstance(value, kind):
                raise TypeError(f"`{name}` must be {words}, got {value!r}.")
        return cls(**{name: decode(value) for name, value in values.items()})


def with_ratios(exhibit: Exhibit, found: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Fill in ``slowdown``: steps over the reference's, with the same data, seed, and machine.

    Args:
        exhibit: What was measured.
        found: The measurements.

    Returns:
        The same, with the ratio where both are known.
    """
    steps = {each.key: each.measured.get("steps") for each in found}
    references = {row.name: row.reference for row in exhibit.rows if row.reference is not None}

    def filled(one: Measurement) -> Measurement:
        if one.row not in references:
            return one
        below = steps.get((references[one.row], *one.key[1:]))
        above = one.measured.get("steps")
        ratio = above / below if above and below else None
        return replace(one, measured={**one.measured, "slowdown": ratio})

    return tuple(map(filled, found))
