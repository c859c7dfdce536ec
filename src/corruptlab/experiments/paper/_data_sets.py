"""Which data set serves which row."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from corruptlab.experiments.paper._exhibit import DataSet, Row


class Known(NamedTuple):
    """A data set of the paper: what it is called, how it is specified, and by which beginnings."""

    title: str
    specification: str
    beginnings: tuple[str, ...]


DATA_SETS: Mapping[DataSet, Known] = {
    "cifar10": Known("CIFAR-10", "cifar10:FOLDER", ("cifar10:", "torchvision:CIFAR10:")),
    "mnist": Known("MNIST", "idx:FOLDER", ("idx:", "torchvision:MNIST:")),
    "imagenet": Known("ImageNet", "imagenet:FOLDER", ("imagenet:",)),
}


def assigned(data: str | Sequence[str], rows: Sequence[Row]) -> dict[DataSet, str]:
    """Say which of the given data sets serves the rows of which data set.

    A single one that is none of those the rows are about stands in for theirs, if they are
    about one.

    Args:
        data: Specifications, as for `corruptlab.datasets.load`, or ``"imagenet:FOLDER"``.
        rows: The rows.

    Returns:
        Data set of the paper to specification, for those that are served.

    Raises:
        TypeError: If it is neither text nor a sequence of it.
        ValueError: If none serves any row, or two serve the same.
    """
    if not isinstance(data, Sequence):
        raise TypeError(f"`data` must be text such as 'cifar10:FOLDER', got {data!r}.")
    specs = [data] if isinstance(data, str) else list(data)
    wanted: list[DataSet] = list(dict.fromkeys(row.data for row in rows))
    found: dict[DataSet, str] = {}
    for spec in specs:
        if not isinstance(spec, str):
            raise TypeError(f"`data` must be text such as 'cifar10:FOLDER', got {spec!r}.")
        for name in wanted:
            if spec.startswith(DATA_SETS[name].beginnings):
                if name in found:
                    both = f"{found[name]!r} and {spec!r}"
                    raise ValueError(f"`data` must be {DATA_SETS[name].title} once, got {both}.")
                found[name] = spec
    if not found and len(specs) == len(wanted) == 1 and stands_in(specs[0], wanted[0]):
        found[wanted[0]] = specs[0]
    if not found:
        titles = " or ".join(f"{DATA_SETS[n].title} ({DATA_SETS[n].specification})" for n in wanted)
        raise ValueError(f"`data` must be {titles}, got {', '.join(map(repr, specs)) or 'none'}.")
    return found


def stands_in(spec: str, name: DataSet) -> bool:
    """Whether something else is used in the place of a data set; nothing is for ImageNet."""
    served = spec.startswith(DATA_SETS[name].beginnings)
    return not served and "imagenet" not in (name, spec.partition(":")[0])


def without_folder(spec: str) -> str:
    """Return a specification that can be shown to others: ``FOLDER`` for the folder."""
    kind, _, rest = spec.partition(":")
    if not rest:
        return kind
    name = rest.partition(":")[0]
    return f"torchvision:{name}:FOLDER" if kind == "torchvision" else f"{kind}:FOLDER"
