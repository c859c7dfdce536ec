"""The one wrapper that turns a data set into a corrupted one."""

import copy
import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, SupportsIndex, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab._checks import check_names, position_of
from corruptlab._data import (
    Fields,
    History,
    InputKey,
    Key,
    Provenance,
    one_array,
    open_dataset,
    relabelled,
    restored,
    stacked,
    with_added,
)
from corruptlab._draws import ALGORITHM, Draws
from corruptlab._random_state import seeded_generators
from corruptlab._structured import bare
from corruptlab._types import Array, Ids, Labels, MapDataset
from corruptlab._version import __version__
from corruptlab.corruptions._forwarding import Forwarding
from corruptlab.corruptions._given_labels import Manifest
from corruptlab.corruptions._masked_noise import Masks, check_one_input, read_inputs
from corruptlab.corruptions._noise import (
    MOST_ROWS,
    check_num_classes,
    checked_labels,
    product,
)
from corruptlab.corruptions._protocols import Corruption, Pipeline, listed, shown, stream_of
from corruptlab.corruptions._specification import Specification

ItemField = Literal["index", "id", "clean_label", "is_corrupted"]
"""What `Corrupted.with_fields` can add to the items."""


class Corrupted(Forwarding):
    """A data set whose labels or inputs were corrupted in a known way.

    Returned by `corrupt`. Items keep their structure (tuple, named tuple, list, dictionary), and
    labels and inputs keep their types, except with ``dtype=`` of a corruption. The corruption is a
    pure function of the seed and the example id: it is the same in every epoch, worker, rank, and
    batch, and for any order of access. Labels are corrupted once, at construction. Inputs are read
    from the wrapped data set on access and are not copied.

    The attributes ``transform``, ``transforms``, ``classes``, ``class_to_idx``, and ``data`` are
    those of the wrapped data set, if it has them. ``transform`` and ``transforms`` can be set, and
    are applied before the corruption. ``data`` is not corrupted. Other attributes of the wrapped
    data set cannot be set.

    Args:
        dataset: Any map-style data set of (input, label) items; a pair of arrays ``(X, y)``; inputs
            without labels if ``targets`` is given; or a data frame with ``label_key``.
        corruptions: Corruptions, applied in this order.
        seed: Seed of all randomness; an integer >= 0.
        num_classes: Number of classes. By default ``dataset.num_classes`` or the length of
            ``dataset.classes``, if it fits the labels, or else the largest label plus 1.
        targets: Labels that replace those of ``dataset``, shape ``(n,)``.
        classes: All classes in order, if labels are not integers from 0 to ``num_classes - 1``. By
            default ``dataset.classes`` if it contains all labels; the order of the categories;
            sorted names; False before True; -1 before +1.
        ids: Example ids, shape ``(n,)``, >= 0. By default the positions in the original data set,
            also for a subset.
        input_key: Position or name of the input in an item. By default that of a corrupted
            ``dataset``, or else position 0, or the first known name.
        label_key: Position or name of the label in an item. By default that of a corrupted
            ``dataset``, or else position 1, or the first known name.

    Attributes:
        dataset: The wrapped data set.
        seed: The seed.

    Raises:
        TypeError: If ``dataset`` is not map-style, an argument is not a corruption, or a label is
            not one class: an integer, a name, or a boolean.
        ValueError: If the data set is empty, or an argument does not fit it.

    Example:
        >>> import corruptlab as cl
        >>> train = cl.datasets.fashion_mnist_mini("train")
        >>> noisy = cl.Corrupted(train, cl.UniformLabels(p=0.5), seed=0)
        >>> noisy
        Corrupted(UniformLabels(p=0.5), seed=0;
        4000 examples, 44.80% of labels changed, 45.00% expected)
    """

    def __init__(
        self,
        dataset: MapDataset[Any],
        *corruptions: Corruption,
        seed: int = 0,
        num_classes: int | None = None,
        targets: ArrayLike | None = None,
        classes: Sequence[Any] | None = None,
        ids: ArrayLike | None = None,
        input_key: InputKey | None = None,
        label_key: Key | None = None,
    ) -> None:
        self.seed: int = Draws(seed).seed
        # What is read here depends on the seed alone, whatever random transforms draw.
        word = int(Draws(self.seed).integers("corrupt/reading", [0], 2**31)[0])
        with seeded_generators(word):
            examples = open_dataset(
                dataset,
                input_key=input_key,
                label_key=label_key,
                targets=targets,
                classes=classes,
                same_input=True,
            )
            before = examples.provenance(ids=ids, num_classes=num_classes)
            pipeline = Pipeline.of(corruptions, self.seed, before.history)
            if pipeline.changes_inputs:
                check_one_input(examples)
            self.fields: Fields = examples.fields
            self._source = examples.source
            read = partial(self._read, pipeline.mask_fields)
            self._pipeline = pipeline.estimated(read, before.ids)
            served = self._pipeline.labels(
                before.targets, num_classes=before.num_classes, ids=before.ids, read=read
            )
            if pipeline.is_masked:  # a mask that does not fit is an error now
                next(self._pipeline.batches(read, before.ids[:1]))
            if before.size is not None:
                pipeline.check_size(before.size)
        self._transforms: tuple[Callable[[Any], Any], ...] = ()
        self._added: tuple[str, ...] = ()
        self._is_relabelled = before.encoding is None and not self._pipeline.changes_inputs
        self.dataset: Any = examples.dataset
        self._n = len(examples)
        self._served = _read_only(checked_labels(served, before.num_classes))
        if before.lacks_class_0 and before.targets.min() > 0 and self._served.min() == 0:
            k = before.num_classes
            warnings.warn(
                f"`dataset` has no example of class 0, and the corruption made some: {k} classes, "
                f"0 .. {k - 1}, are assumed, up to the largest label. Pass num_classes={k} if "
                "class 0 exists; if not, number the classes from 0, with targets=labels - 1 for "
                "instance.",
                stacklevel=3,  # the caller of `corrupt`
            )
        self.provenance: Provenance = replace(
            before,
            targets=self._served,
            clean_targets=_read_only(before.clean_targets),
            ids=_read_only(before.ids),
            is_traced=True,
            history=before.history + History((stream_of(c), self.seed) for c in corruptions),
            laws=None if before.laws is None else (*before.laws, self._pipeline),
        )

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.provenance.num_classes

    @property
    def _data_is_clean(self) -> bool:
        return self._pipeline.changes_inputs

    @property
    def classes(self) -> Sequence[Any]:
        """Classes in the order of `targets`: the labels of the items, or class names.

        Raises:
            AttributeError: If labels are integers and the wrapped data set has no class names.
        """
        if self.provenance.encoding is not None:
            return self.provenance.encoding.classes
        found: Sequence[Any] = self._forwarded("classes")
        return found

    @property
    def targets(self) -> Labels:
        """Corrupted labels as class indices, ``int64``, shape ``(n,)``, read-only."""
        return self.provenance.targets

    @property
    def clean_targets(self) -> Labels:
        """Labels before any corruption, as class indices, ``int64``, shape ``(n,)``, read-only."""
        return self.provenance.clean_targets

    @property
    def ids(self) -> Ids:
        """Example ids, ``int64``, shape ``(n,)``, read-only."""
        return self.provenance.ids

    @property
    def corruptions(self) -> tuple[Corruption, ...]:
        """Corruptions in the order of application, with estimated parameters."""
        return self._pipeline.corruptions

    @property
    def draws(self) -> tuple[Draws, ...]:
        """Random streams of `corruptions`, in the same order."""
        return tuple(draws for _, draws in self._pipeline.stages)

    @property
    def specification(self) -> Specification:
        """The corruptions and their seed, which can be printed as one line and parsed.

        Raises:
            ValueError: If there is no corruption, or one contains data and has no one-line form.
        """
        return Specification(self.corruptions, self.seed)

    @property
    def is_corrupted(self) -> NDArray[np.bool_]:
        """Whether each label differs from the clean one; shape ``(n,)``."""
        return np.not_equal(self.targets, self.clean_targets, dtype=np.bool_)

    @property
    def realized_rate(self) -> float:
        """Share of labels that differ from the clean ones."""
        return float(self.is_corrupted.mean())

    @property
    def transition_matrix(self) -> NDArray[np.float64]:
        """Realized share of each new class (column) in each clean class (row).

        ``float64`` of shape ``(num_classes, num_classes)``; the row of a class without
        examples is NaN.

        Raises:
            ValueError: If there are more than 32,768 classes, too many for a matrix.
        """
        k = check_num_classes(self.num_classes, most=MOST_ROWS)
        shape = (k, k)
        pairs = self.clean_targets * self.num_classes + self.targets
        counts = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.full(shape, np.nan)
        np.divide(counts, totals, out=shares, where=totals > 0)
        return shares

    @property
    def nominal_matrix(self) -> NDArray[np.float64] | None:
        """Expected `transition_matrix`: the product of the matrices of the corruptions.

        ``float64`` of shape ``(num_classes, num_classes)``; None if a corruption has no matrix
        (exchanged, given, or input-dependent labels), or if parts with different corruptions were
        joined.

        Raises:
            ValueError: If there are more than 32,768 classes, too many for a matrix.
        """
        matrices = []
        for law in self.provenance.laws or (None,):
            matrix = None if law is None else law.matrix(self.num_classes)
            if matrix is None:
                return None
            matrices.append(matrix)
        return product(matrices, self.num_classes)

    @property
    def nominal_rate(self) -> float | None:
        """Expected share of labels that differ from the clean ones; None without a matrix.

        More than 32,768 classes are too many for one.
        """
        matrix = self.nominal_matrix if self.num_classes <= MOST_ROWS else None
        if matrix is None:
            return None
        return float(1 - np.diag(matrix)[self.clean_targets].mean())

    @property
    def fingerprint(self) -> str:
        """Hash of the noise: 16 hexadecimal digits.

        It is a hash of the clean and corrupted labels, the names of the classes, the example ids,
        and the input corruptions with their random streams. It does not depend on the inputs of the
        wrapped data set. The same noise has the same fingerprint, whether it was drawn, parsed from
        a specification, or loaded from a manifest or a label file. If only integer labels are
        corrupted, it equals ``manifest().digest``. An input corruption enters with its ``repr``,
        which must contain all parameters of a custom corruption.
        """
        digest = self.manifest().digest
        laws = (self._pipeline,) if self.provenance.laws is None else self.provenance.laws
        stages = [stage for law in laws for stage in law.input_stages]
        what = [f"{shown(corruption)}, {draws}" for corruption, draws in stages]
        if (encoding := self.provenance.encoding) is not None:
            what.append(repr(encoding.classes))
        if not what:
            return digest
        text = "/".join([str(ALGORITHM), *what, digest])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def manifest(self) -> Manifest:
        """Return a manifest of the labels, to save, share, and verify them.

        Returns:
            The manifest; load it with `GivenLabels.from_manifest`.
        """
        return Manifest(
            corruption=listed(self.corruptions),
            seed=self.seed,
            algorithm=ALGORITHM,
            num_classes=self.num_classes,
            version=__version__,
            ids=self.ids,
            clean_targets=self.clean_targets,
            targets=self.targets,
        )

    def inputs_at(self, indices: ArrayLike) -> Array:
        """Return the corrupted inputs at some positions as one batch.

        Args:
            indices: Positions in ``0 .. n - 1``, shape ``(k,)``.

        Returns:
            Array of shape ``(k, ...)`` in the stored type; PIL images with the channels first. For
            inputs with several fields, a dictionary or tuple of such arrays.
        """
        at = np.asarray(indices, np.int64)
        if self._transforms:
            items = self.__getitems__(at.tolist())
            pairs = zip(items, at.tolist(), strict=True)
            inputs = bare(stacked([self.fields.input_of(x, "dataset", i) for x, i in pairs]))
        elif self._pipeline.changes_inputs:
            batch, masks = self._read(self._pipeline.mask_fields, at)
            inputs = self._pipeline.inputs(batch, ids=self.ids[at], masks=masks)
        else:
            inputs = bare(self._source.inputs(at))
        found: Array = inputs
        return found

    def _read(self, mask_fields: Sequence[Key], at: Ids) -> tuple[Array, Masks]:
        """Return the inputs of the wrapped data set at some positions, and their masks."""
        if not mask_fields:
            return one_array(self._source.inputs(at), "dataset"), {}
        return read_inputs(self._source.items(at), self.fields, at, mask_fields, "dataset")

    def with_transform(self, transform: Callable[[Any], Any]) -> "Corrupted":
        """Return the same data set with a transform of the corrupted inputs.

        Use it for random augmentation and for transforms that return several views of an input. If
        only labels are corrupted, the wrapped data set can apply random augmentation as well.

        Args:
            transform: A function of one corrupted input, applied after all earlier transforms.

        Returns:
            A copy that shares the wrapped data set. The original is not changed.

        Raises:
            TypeError: If ``transform`` is not callable.

        Example:
            >>> import corruptlab as cl
            >>> noisy = cl.corrupt(cl.datasets.fashion_mnist_mini("train"), cl.ShuffledPixels())
            >>> views = noisy.with_transform(lambda image: (image / 255, image.flip(-1) / 255))
            >>> [view.shape for view in views[0][0]]
            [torch.Size([1, 28, 28]), torch.Size([1, 28, 28])]
        """
        tried: object = transform  # whose type is only a promise
        if not callable(tried):
            got = type(transform).__name__
            raise TypeError(f"`transform` must be a function of an input, got {got}.")
        made = copy.copy(self)
        made._transforms = (*self._transforms, transform)
        made._is_relabelled = False
        return made

    def with_fields(self, *names: ItemField) -> "Corrupted":
        """Return the same data set with additional fields in each item.

        Args:
            *names: Fields to append to an item in this order, or to add to a dictionary under these
                names: ``"index"``, the position in this data set; ``"id"``, the example id;
                ``"clean_label"``, of the type of the label; ``"is_corrupted"``, whether label and
                clean label differ.

        Returns:
            A copy that shares the wrapped data set. The original is not changed.

        Raises:
            ValueError: If a name is unknown, or an item already has a field of this name.

        Example:
            >>> import corruptlab as cl
            >>> noisy = cl.corrupt([("a", 0), ("b", 1)], cl.RandomLabels(), seed=3)
            >>> noisy.with_fields("index", "clean_label")[1]
            ('b', 0, 1, 1)
        """
        check_names("names", names, get_args(ItemField))
        made = copy.copy(self)
        made._added = (*self._added, *names)
        made._is_relabelled = False
        made[0]
        return made

    def _finished(self, item: Any, position: int) -> Any:
        """Return an item with the transforms done and the fields added."""
        fields = self.fields
        added = [self._field(name, item, position) for name in self._added]
        for transform in self._transforms:
            item = fields.with_input(item, transform(fields.input_of(item, "dataset", position)))
        return with_added(item, self._added, added)

    def _field(self, name: str, item: Any, position: int) -> Any:
        if name == "index":
            return position
        if name == "id":
            return self.ids.item(position)
        if name == "is_corrupted":
            return bool(self.targets[position] != self.clean_targets[position])
        (clean,) = self._shown(self.clean_targets[[position]]).tolist()
        return relabelled(self.fields.label_of(item, "dataset", position), clean)

    def _shown(self, labels: Labels) -> Array:
        """Return labels as items carry them."""
        encoding = self.provenance.encoding
        return labels if encoding is None else encoding.decode(labels)

    def __len__(self) -> int:
        """Return the number of examples."""
        return self._n

    def __getitem__(self, index: SupportsIndex) -> Any:
        """Return one corrupted example.

        Args:
            index: Position; negative ones count from the end.

        Returns:
            An item of the structure that the wrapped data set serves.

        Raises:
            IndexError: If the position is out of range.
        """
        if not self._is_relabelled:
            return self.__getitems__([index])[0]
        position = position_of(index, self._n)
        return self._source.relabelled_item(position, self._served.item(position))

    def __getitems__(self, indices: Sequence[SupportsIndex]) -> list[Any]:
        """Return several corrupted examples, corrupted as one batch.

        Args:
            indices: Positions; negative ones count from the end.

        Returns:
            One item for each position.

        Raises:
            IndexError: If a position is out of range.
        """
        at = [position_of(index, self._n) for index in indices]
        items = self._source.relabelled(np.asarray(at), self._shown(self._served[at]))
        if self._pipeline.changes_inputs:
            items = self._with_noise(items, at)
        if self._transforms or self._added:
            return [self._finished(item, i) for item, i in zip(items, at, strict=True)]
        return items

    def _with_noise(self, items: Sequence[Any], at: Sequence[int]) -> list[Any]:
        """Return items with their inputs corrupted, as one batch."""
        positions, mask_fields = np.asarray(at), self._pipeline.mask_fields
        batch, masks = read_inputs(items, self.fields, positions, mask_fields, "dataset")
        moved = self._pipeline.inputs(batch, ids=self.ids[at], masks=masks)
        return [
            self.fields.with_input(
                item, restored(self.fields.input_of(item, "dataset", i), new, batch)
            )
            for item, new, i in zip(items, moved, at, strict=True)
        ]

    def __iter__(self) -> Iterator[Any]:
        """Yield the corrupted examples one by one."""
        return (self[index] for index in range(self._n))

    def __repr__(self) -> str:
        rate = self.nominal_rate if self.provenance.changes_labels else None
        nominal = "" if rate is None else f", {rate:.2%} expected"
        return (
            f"Corrupted({listed(self.corruptions)}, seed={self.seed}; "
            f"{len(self)} examples, {self.realized_rate:.2%} of labels changed{nominal})"
        )


def _read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array
