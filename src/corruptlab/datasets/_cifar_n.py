"""CIFAR-10N and CIFAR-100N: the training labels of CIFAR as people gave them."""

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from corruptlab._errors import DataFileError
from corruptlab._types import Labels
from corruptlab.datasets._human_labels import HumanLabels
from corruptlab.datasets._listing import listing
from corruptlab.datasets._saved_arrays import integers, saved_arrays

_LICENCE = "CC BY-NC 4.0"
_N = 50_000  # the training images of CIFAR-10, and of CIFAR-100


class _Kind(NamedTuple):
    """Where the file keeps some labels."""

    data_set: str
    noisy: str
    clean: str
    num_classes: int

    @property
    def file(self) -> str:
        return f"{self.data_set}_human.pt"


_KINDS = {
    "aggregate": _Kind("CIFAR-10", "aggre_label", "clean_label", 10),
    "random1": _Kind("CIFAR-10", "random_label1", "clean_label", 10),
    "random2": _Kind("CIFAR-10", "random_label2", "clean_label", 10),
    "random3": _Kind("CIFAR-10", "random_label3", "clean_label", 10),
    "worst": _Kind("CIFAR-10", "worse_label", "clean_label", 10),
    "fine": _Kind("CIFAR-100", "noisy_label", "clean_label", 100),
    "coarse": _Kind("CIFAR-100", "noisy_coarse_label", "clean_coarse_label", 20),
}


def cifar_n(
    path: str | os.PathLike[str],
    *,
    which: Literal["aggregate", "random1", "random2", "random3", "worst", "fine", "coarse"],
) -> HumanLabels:
    """Read the labels that people gave to the training images of CIFAR-10 or CIFAR-100.

    The order is that of CIFAR's own files (`cifar10` reads them in it); TensorFlow Datasets has
    another. So hand the clean labels to `GivenLabels` too, as below: it then refuses a
    data set in another order. For ``"coarse"`` that has to be CIFAR-100 with its 20 superclasses
    as labels. The labels are licensed CC BY-NC 4.0 and do not come with corruptlab:
    ``CIFAR-10_human.pt`` and ``CIFAR-100_human.pt`` are where their authors publish them.

    The file is a pickle; it is read without running anything in it.

    Args:
        path: ``CIFAR-10_human.pt`` or ``CIFAR-100_human.pt``, or the folder that holds it; ``~``
            is the home folder.
        which: Of CIFAR-10, where three people labelled each image: ``"random1"``, ``"random2"``,
            or ``"random3"``, what one of them said; ``"aggregate"``, the majority;
            ``"worst"``, a wrong label where there is one (the file calls it ``worse_label``). Of
            CIFAR-100, where one person did: ``"fine"``, 100 classes, or ``"coarse"``,
            20 superclasses.

    Returns:
        Noisy and clean labels of the 50,000 training images, in file order. The noise rates are
        9.01% (aggregate; the paper says 9.03), 17.23, 18.12, and 17.64% (random1 to random3),
        40.21% (worst), 40.20% (fine), and 26.40% (coarse).

    Raises:
        ValueError: If ``which`` is not one of its values.
        DataFileError: If the file is missing or damaged, holds anything but labels, or its clean
            labels are not those of a balanced training set.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import torch
        >>> import corruptlab as cl
        >>> labels = np.arange(50_000) % 10
        >>> train = torch.utils.data.TensorDataset(torch.zeros(50_000, 1), torch.tensor(labels))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = {"clean_label": labels, "worse_label": labels * (labels > 3)}
        ...     torch.save(saved, f"{folder}/CIFAR-10_human.pt")
        ...     people = cifar_n(folder, which="worst")
        >>> people
        HumanLabels('CIFAR-10N worst': 50000 labels, 10 classes, 30.00% noisy, licence CC BY-NC 4.0)
        >>> noisy = cl.corrupt(train, cl.GivenLabels(people.noisy, clean=people.clean))
        >>> noisy.realized_rate
        0.3

    Source: Wei et al. 2022, "Learning with noisy labels revisited: a study using real-world human
    annotations".
    """
    if which not in _KINDS:
        raise ValueError(f"`which` must be one of {', '.join(_KINDS)}, got {which!r}.")
    kind = _KINDS[which]
    file = _find(Path(path).expanduser(), kind.file)
    content = saved_arrays(file)
    clean = _labels(file, content, kind.clean, kind.num_classes)
    counts = np.bincount(clean, minlength=kind.num_classes)
    each = _N // kind.num_classes
    if (counts != each).any():
        raise DataFileError(
            file,
            f"{each:,} examples of each class in {kind.clean}",
            f"{counts.min():,} to {counts.max():,}",
        )
    return HumanLabels(
        noisy=_labels(file, content, kind.noisy, kind.num_classes),
        clean=clean,
        num_classes=kind.num_classes,
        name=f"{kind.data_set}N {which}",
        licence=_LICENCE,
    )


def _find(path: Path, name: str) -> Path:
    file = path / name if path.is_dir() else path
    if not file.is_file():
        raise DataFileError(path, name, listing(path) if path.is_dir() else "no such file")
    return file


def _labels(file: Path, content: dict[Any, Any], key: str, num_classes: int) -> Labels:
    """Return the labels under a key, if they are what the key promises."""
    if key not in content:
        raise DataFileError(file, f"labels under the key {key}", _keys(content))
    labels = integers(content[key])
    if labels is None or len(labels) != _N:
        found = "something else" if labels is None else f"{len(labels):,}"
        raise DataFileError(file, f"{_N:,} integers under the key {key}", found)
    strays = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(strays):
        raise DataFileError(
            file,
            f"labels 0 .. {num_classes - 1} under the key {key}",
            f"{labels[strays[0]]} at position {strays[0]}",
        )
    return labels


def _keys(content: dict[Any, Any], most: int = 8) -> str:
    names = [str(key)[:40] for key in content]
    if not names:
        return "no key"
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return f"only {', '.join(names[:most])}{more}"
