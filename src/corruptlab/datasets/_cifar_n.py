"""CIFAR-10N and CIFAR-100N: the training labels of CIFAR as people gave them."""

import os
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch.serialization import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    get_unsafe_globals_in_checkpoint,
)

from corruptlab._data_files import listing, opened, some
from corruptlab._errors import DataFileError
from corruptlab._types import Labels

_LICENCE = "CC BY-NC 4.0"
_N = 50_000  # the training images of CIFAR-10, and of CIFAR-100
_EXPECTED = "arrays and lists saved with torch.save"
_LARGEST = 1 << 26  # bytes, packed or unpacked: the published files have 2.4 million
_INTEGERS = re.compile(r"[<>|=][iu][1248]")
_swapping = threading.Lock()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HumanLabels:
    """Human annotations of a data set together with its clean labels; returned by `cifar_n`.

    This contains no images. Pass the labels to `GivenLabels`, which applies them to the data set
    and checks the clean labels and their order.

    Args:
        noisy: Human labels, ``int64`` of shape ``(n,)``; copied and made read-only.
        clean: Clean labels, of the same dtype and shape; copied and made read-only.
        num_classes: Number of classes; labels lie in ``0 .. num_classes - 1``.
        name: Name of the labels in tables.
        licence: Licence of the labels.

    Raises:
        ValueError: If shapes differ, there are no labels, or a label is out of range.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> people = HumanLabels(
        ...     noisy=np.array([0, 1, 1, 0]), clean=np.array([0, 1, 1, 1]),
        ...     num_classes=2, name="two friends", licence="CC0 1.0",
        ... )
        >>> people
        HumanLabels('two friends': 4 labels, 2 classes, 25.00% noisy, licence CC0 1.0)
        >>> pets = [("Tom", 0), ("Rex", 1), ("Fido", 1), ("Spike", 1)]
        >>> cl.corrupt(pets, cl.GivenLabels(people.noisy, clean=people.clean))[3]
        ('Spike', 0)
    """

    noisy: Labels
    clean: Labels
    num_classes: int
    name: str
    licence: str

    def __post_init__(self) -> None:
        for name in ("noisy", "clean"):
            labels = np.array(getattr(self, name), np.int64)
            labels.flags.writeable = False
            object.__setattr__(self, name, labels)
            if labels.ndim != 1 or not len(labels):
                raise ValueError(f"`{name}` must have shape (n,) with n > 0, got {labels.shape}.")
            if labels.min() < 0 or labels.max() >= self.num_classes:
                raise ValueError(
                    f"`{name}` must lie in 0 .. {self.num_classes - 1}, "
                    f"got {labels.min()} .. {labels.max()}."
                )
        if len(self.noisy) != len(self.clean):
            raise ValueError(
                f"`clean` must hold one label for each of the {len(self.noisy)} in `noisy`, "
                f"got {len(self.clean)}."
            )

    @property
    def noise_rate(self) -> float:
        """Share of labels that differ from the clean labels."""
        return float((self.noisy != self.clean).mean())

    def __len__(self) -> int:
        return len(self.noisy)

    def __repr__(self) -> str:
        return (
            f"HumanLabels({self.name!r}: {len(self)} labels, {self.num_classes} classes, "
            f"{self.noise_rate:.2%} noisy, licence {self.licence})"
        )


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


Which = Literal[
    "aggregate", "random1", "random2", "random3", "worst", "fine", "coarse",
    "aggre_label", "random_label1", "random_label2", "random_label3", "worse_label",
    "noisy_label", "noisy_coarse_label",
]  # fmt: skip

_BY_KEY = {kind.noisy: name for name, kind in _KINDS.items()}


def cifar_n(
    path: str | os.PathLike[str],
    *,
    which: Which,
) -> HumanLabels:
    """Read the human annotations CIFAR-10N or CIFAR-100N of the CIFAR training images.

    The labels are in the order of the CIFAR files, as `cifar10` reads them; TensorFlow Datasets
    uses another order. Pass the clean labels to `GivenLabels` as well, as in the example: it then
    rejects a data set in another order. For ``"coarse"``, the data set must be CIFAR-100 with its
    20 superclasses as labels.

    The labels are licensed CC BY-NC 4.0 and are not included in corruptlab; ``CIFAR-10_human.pt``
    and ``CIFAR-100_human.pt`` are available from their authors.

    The file is a pickle, which is parsed without executing code.

    Args:
        path: ``CIFAR-10_human.pt`` or ``CIFAR-100_human.pt``, or the folder that holds it; ``~``
            is the home folder.
        which: Which annotations to read. For CIFAR-10, with three annotators per image:
            ``"random1"``, ``"random2"``, or ``"random3"``, one of the three labels;
            ``"aggregate"``, the majority; or ``"worst"``, a wrong label if there is one
            (``worse_label`` in the file). For CIFAR-100, with one annotator per image: ``"fine"``,
            100 classes, or ``"coarse"``, 20 superclasses. The names in the file are accepted as
            well: ``"aggre_label"``, ``"random_label1"`` to ``"random_label3"``, ``"worse_label"``,
            ``"noisy_label"``, ``"noisy_coarse_label"``.

    Returns:
        Noisy and clean labels of the 50,000 training images, in file order. The noise rates are
        9.01% (aggregate; 9.03% in the paper), 17.23, 18.12, and 17.64% (random1 to random3), 40.21%
        (worst), 40.20% (fine), and 26.40% (coarse).

    Raises:
        ValueError: If ``which`` is not one of its values.
        DataFileError: If the file is missing or damaged, contains anything but labels, or its clean
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
    name = _BY_KEY.get(which, which)
    if name not in _KINDS:
        known = ", ".join([*_KINDS, *_BY_KEY])
        raise ValueError(f"`which` must be one of {known}, got {which!r}.")
    kind = _KINDS[name]
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
        name=f"{kind.data_set}N {name}",
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
        found = some([str(each)[:40] for each in content]) if content else "no key"
        raise DataFileError(file, f"labels under the key {key}", found)
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


def saved_arrays(path: Path) -> dict[Any, Any]:
    """Read a dictionary of NumPy arrays and lists; make its values arrays with `integers`."""
    # Such a file is a pickle, and a pickle is a program. It is read with `weights_only=True`, which
    # calls nothing but what is allowed by name, and of NumPy's names it may use the three that
    # arrays consist of. Not even these lead to NumPy: its C code trusts the states that it is
    # given, so stand-ins collect them instead, and `integers` looks at what came.
    _check_archive(path)
    with _only_stand_ins():
        try:
            wanted = sorted(get_unsafe_globals_in_checkpoint(str(path)))
            content = None if wanted else torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a broken or hostile file makes it raise anything
            reason = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(". ")
            raise DataFileError(path, _EXPECTED, f"unreadable data ({reason})") from None
    if wanted:
        found = f"one that asks for {', '.join(wanted)} (nothing of it was run)"
        raise DataFileError(path, _EXPECTED, found)
    if not isinstance(content, dict):
        raise DataFileError(path, f"a dictionary of {_EXPECTED}", type(content).__name__)
    return content


def integers(value: object) -> Labels | None:
    """Return what `saved_arrays` read as ``int64`` of shape ``(n,)``; None if it is not that."""
    match value:
        case list() if all(type(each) is int for each in value):
            try:
                return np.array(value, np.int64)
            except OverflowError:
                return None
        case _Array(state=(_, (int(n),), _DType(code=str(code), order=str(order)), _, bytes(data))):
            if _INTEGERS.fullmatch(order + code) and len(data) == n * int(code[1]):
                return np.frombuffer(data, order + code).astype(np.int64)
    return None


class _DType:
    """Stands in for ``numpy.dtype``."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = "|" if state[1] is None else state[1]


class _Array:
    """Stands in for ``numpy.ndarray``."""

    def __setstate__(self, state: object) -> None:
        self.state = state


def _reconstruct(*_: object) -> _Array:
    """Stand in for the function of NumPy that makes an array to be filled."""
    return _Array()


_STAND_INS: list[Any] = [
    (_Array, "numpy.ndarray"),
    (_DType, "numpy.dtype"),
    (_reconstruct, "numpy.core.multiarray._reconstruct"),  # saved with NumPy 1
    (_reconstruct, "numpy._core.multiarray._reconstruct"),  # saved with NumPy 2
]


@contextmanager
def _only_stand_ins() -> Iterator[None]:
    """Allow the stand-ins, and for this moment nothing that was allowed elsewhere."""
    # PyTorch keeps one list for the whole process. What users allowed for their own files need not
    # be safe for this one, and NumPy's names may be among it.
    with _swapping:
        before = get_safe_globals()
        clear_safe_globals()
        add_safe_globals(_STAND_INS)
        try:
            yield
        finally:
            # With what PyTorch may have added itself, as its parts do when first imported.
            after = [each for each in get_safe_globals() if each not in _STAND_INS]
            clear_safe_globals()
            add_safe_globals(before + after)


def _check_archive(path: Path) -> None:
    """Raise unless the file is an archive that unpacks to a bounded size."""
    limit = f"at most {_LARGEST:,} bytes"
    with opened(path, _EXPECTED) as file:
        size = path.stat().st_size
        if size > _LARGEST:
            raise DataFileError(path, limit, f"{size:,}")
        try:
            with zipfile.ZipFile(file) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
        except Exception as error:  # damage makes `zipfile` raise almost anything
            raise DataFileError(path, _EXPECTED, f"unreadable data ({error})") from None
    if unpacked > _LARGEST:
        raise DataFileError(path, limit, f"an archive that unpacks to {unpacked:,}")
