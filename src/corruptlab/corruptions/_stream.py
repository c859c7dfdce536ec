"""Corrupt a stream of samples, without a length and without items by position."""

import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from corruptlab._checks import at_least, check_names
from corruptlab._data import (
    Fields,
    History,
    InputKey,
    Key,
    encoding_of,
    number_of,
    plain,
    restored,
    with_added,
)
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids, Labels
from corruptlab.corruptions._exchanged_labels import ExchangedLabels
from corruptlab.corruptions._masked_noise import Masks, read_inputs
from corruptlab.corruptions._protocols import (
    Corruption,
    Estimated,
    Pipeline,
    listed,
)

StreamField = Literal["id", "clean_label", "is_corrupted"]
"""What `CorruptedStream.with_fields` can add to the samples."""

_CHUNK = 256  # samples that are corrupted together: one at a time would cost 20 times as much


class CorruptedStream(IterableDataset[Any]):
    """A stream of samples whose labels or inputs are corrupted in a known way.

    Use it for data without items by position, such as an ``IterableDataset`` or a webdataset
    pipeline. The noise is a function of the seed and the sample's key, so it is the same in every
    pass, in every worker, and in any order. It equals the noise of `corrupt` with ``ids=`` set to
    the keys, or to `CorruptedStream.example_id` of string keys.

    Up to 256 samples are read ahead and corrupted together. Samples keep their structure, and their
    labels and inputs keep their types.

    Args:
        stream: An iterable of (input, label) samples (tuples, lists, or dictionaries) that starts
            again in each pass.
        *corruptions: Corruptions, applied in this order. Each must be computable from one sample:
            `ExchangedLabels`, exact drawings, and corruptions with unestimated parameters are not.
        key: Key that identifies a sample: the name or position of a field, or a function of a
            sample. Keys are integers >= 0 or strings, and unique within a pass. Without ``key``,
            samples are numbered in order, which is an error with several workers or processes.
        num_classes: Number of classes; optional with ``classes``.
        classes: All classes in order, if labels are not integers from 0 to ``num_classes - 1``.
        seed: Seed of all randomness; an integer >= 0.
        input_key: Position or name of the input in a sample.
        label_key: Position or name of the label in a sample.
        repeats: Whether a key may occur several times in a pass, as in resampled streams. By
            default a repeated key is an error; this stores the keys, about 60 bytes each.

    Attributes:
        stream: The wrapped stream.
        num_classes: Number of classes.
        seed: The seed.

    Raises:
        TypeError: If ``stream`` is not iterable, or an argument is not a corruption.
        ValueError: If a corruption requires the whole data set, or neither ``num_classes`` nor
            ``classes`` is given. During iteration: if a key is repeated or missing, a label is not
            a class, or there are several workers and no ``key``.

    Example:
        >>> import corruptlab as cl
        >>> samples = [{"__key__": f"{i:04}", "x": i, "cls": i % 3} for i in range(300)]
        >>> noisy = cl.CorruptedStream(
        ...     samples, cl.UniformLabels(p=0.5), key="__key__", label_key="cls", num_classes=3
        ... )
        >>> sum(new["cls"] != old["cls"] for new, old in zip(noisy, samples))
        87
    """

    def __init__(
        self,
        stream: Iterable[Any],
        *corruptions: Corruption,
        key: Key | Callable[[Any], int | str] | None = None,
        num_classes: int | None = None,
        classes: Sequence[Any] | None = None,
        seed: int = 0,
        input_key: InputKey | None = None,
        label_key: Key | None = None,
        repeats: bool = False,
    ) -> None:
        if not hasattr(type(stream), "__iter__") or isinstance(stream, Iterator):
            got = type(stream).__name__
            raise TypeError(f"`stream` must be iterable, anew in each pass, got {got}.")
        for corruption in corruptions:
            _check_alone(corruption)
        self.seed: int = Draws(seed).seed
        self._pipeline = Pipeline.of(corruptions, self.seed, History())
        self._encoding = None if classes is None else encoding_of(classes)
        if self._encoding is not None:
            num_classes = len(self._encoding) if num_classes is None else num_classes
        if num_classes is None:
            raise ValueError(
                "`num_classes` must be given, or `classes`, as a stream does not tell, got neither."
            )
        self.num_classes: int = at_least(1, "num_classes", num_classes)
        if self._encoding is not None and self.num_classes != len(self._encoding):
            raise ValueError(
                f"`num_classes` must be the number of `classes`, {len(self._encoding)}, "
                f"got {self.num_classes}."
            )
        self.stream: Iterable[Any] = stream
        self._key, self._repeats = key, repeats
        self._input_key, self._label_key = input_key, label_key
        self._added: tuple[str, ...] = ()

    @staticmethod
    def example_id(key: Any) -> int:
        """Return the example id of a key, which determines its noise.

        Args:
            key: An integer >= 0, or a string.

        Returns:
            The integer itself, or the first 62 bits of the BLAKE2b hash of the string in UTF-8. The
            probability of a collision among a million strings is 1e-7.

        Raises:
            TypeError: If ``key`` is neither.
            ValueError: If it is negative, or 2**62 and more.

        Example:
            >>> import corruptlab as cl
            >>> cl.CorruptedStream.example_id(7), cl.CorruptedStream.example_id("0007")
            (7, 4175664641299286737)
        """
        if isinstance(key, str):
            digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
            return int.from_bytes(digest, "big") >> 2
        number = plain(key)
        if type(number) is not int:
            raise TypeError(f"`key` must be an integer or a text for each sample, got {key!r}.")
        if not 0 <= number < 1 << 62:
            raise ValueError(f"`key` must lie in 0 .. 2**62 - 1, got {number}.")
        return number

    def with_fields(self, *names: StreamField) -> "CorruptedStream":
        """Return the same stream with additional fields in each sample.

        Args:
            *names: Fields to append to a sample in this order, or to add to a dictionary under
                these names: ``"id"``, the example id; ``"clean_label"``, the label of the wrapped
                stream; ``"is_corrupted"``, whether the two labels differ.

        Returns:
            A copy that shares the wrapped stream. The original is not changed.

        Raises:
            ValueError: If a name is unknown. During iteration: if a sample already has a field of
                this name.

        Example:
            >>> import corruptlab as cl
            >>> samples = [("a", 0, 7), ("b", 1, 9)]
            >>> noisy = cl.CorruptedStream(samples, cl.RandomLabels(), key=2, num_classes=2, seed=0)
            >>> list(noisy.with_fields("clean_label", "is_corrupted"))
            [('a', 0, 7, 0, False), ('b', 0, 9, 1, True)]
        """
        check_names("names", names, get_args(StreamField))
        made = copy.copy(self)
        made._added = (*self._added, *names)
        return made

    def __iter__(self) -> Iterator[Any]:
        """Yield the corrupted samples of one pass.

        Yields:
            A sample with the structure of the wrapped stream's samples.

        Raises:
            ValueError: If a key is repeated, or there are several workers and no ``key``.
        """
        if self._key is None and (several := _several_processes()):
            raise ValueError(
                f"`key` must name what tells samples apart where there are {several}, each of "
                "which counts from 0, got None."
            )
        samples = iter(self.stream)
        first = next(samples, None)
        if first is None:
            return
        fields = Fields.of(first, self._input_key, self._label_key, "stream")
        seen: set[int] = set()
        start, chunk = 0, [first, *islice(samples, _CHUNK - 1)]
        while chunk:
            ids = self._ids(chunk, start, seen)
            noisy = self._corrupted(chunk, ids, fields, start)
            yield from self._with_added(noisy, chunk, ids, fields) if self._added else noisy
            start += len(chunk)
            chunk = list(islice(samples, _CHUNK))

    def _corrupted(
        self, samples: Sequence[Any], ids: Ids, fields: Fields, start: int
    ) -> Sequence[Any]:
        clean = self._labels(samples, fields, start)

        def read(at: Ids) -> tuple[Array, Masks]:
            some = [samples[i] for i in at.tolist()]
            return read_inputs(some, fields, start + at, self._pipeline.mask_fields, "stream")

        noisy = self._pipeline.labels(clean, num_classes=self.num_classes, ids=ids, read=read)
        shown = noisy if self._encoding is None else self._encoding.decode(noisy)
        items = fields.all_relabelled(samples, shown)
        if not self._pipeline.changes_inputs:
            return items
        batch, masks = read(np.arange(len(samples)))
        moved = self._pipeline.inputs(batch, ids=ids, masks=masks)
        return [
            fields.with_input(item, restored(fields.input_of(item, "stream", start), new, batch))
            for item, new in zip(items, moved, strict=True)
        ]

    def _with_added(
        self, noisy: Sequence[Any], samples: Sequence[Any], ids: Ids, fields: Fields
    ) -> Iterator[Any]:
        for new, sample, number in zip(noisy, samples, ids.tolist(), strict=True):
            clean = sample[fields.label]
            known = {
                "id": number,
                "clean_label": clean,
                "is_corrupted": plain(clean) != plain(new[fields.label]),
            }
            yield with_added(new, self._added, [known[name] for name in self._added])

    def _labels(self, samples: Sequence[Any], fields: Fields, start: int) -> Labels:
        labels = np.empty(len(samples), np.int64)
        for i, sample in enumerate(samples):
            label = fields.label_of(sample, "stream", start + i)
            labels[i] = number_of(label, self._encoding, "stream", start + i)
        if len(wrong := np.flatnonzero((labels < 0) | (labels >= self.num_classes))):
            raise ValueError(
                f"`stream` must have labels in 0 .. {self.num_classes - 1}, "
                f"got {labels[wrong[0]]} in sample {start + int(wrong[0])}."
            )
        return labels

    def _ids(self, samples: Sequence[Any], start: int, seen: set[int]) -> Ids:
        """Return the numbers of some samples; `seen` are those of the ones before."""
        if self._key is None:
            return np.arange(start, start + len(samples))
        keys = [self._key_of(sample, start + i) for i, sample in enumerate(samples)]
        ids = [self.example_id(key) for key in keys]
        if not self._repeats:
            fresh = set(ids)
            if len(fresh) < len(ids) or not seen.isdisjoint(fresh):
                self._refuse_repeat(keys, ids, start, seen)
            seen |= fresh
        return np.array(ids, np.int64)

    def _key_of(self, sample: Any, position: int) -> Any:
        if callable(self._key):
            return self._key(sample)
        try:
            return sample[self._key]
        except (TypeError, LookupError):
            raise ValueError(
                f"`key` must name a field of every sample, got {self._key!r}, which sample "
                f"{position} does not have."
            ) from None

    @staticmethod
    def _refuse_repeat(keys: Sequence[Any], ids: Sequence[int], start: int, seen: set[int]) -> None:
        for i, number in enumerate(ids):
            if number in seen:
                raise ValueError(
                    f"`key` must name each sample once in a pass, got {keys[i]!r} again in sample "
                    f"{start + i}; pass repeats=True for a resampled stream."
                )
            seen.add(number)

    def __repr__(self) -> str:
        kind = type(self.stream).__name__
        return f"CorruptedStream({kind}, {listed(self._pipeline.corruptions)}, seed={self.seed})"


def _check_alone(corruption: Any) -> None:
    """Refuse a corruption that has to see the whole data set."""
    why = ""
    if isinstance(corruption, ExchangedLabels):
        why = "permutes the labels of all"
    elif getattr(corruption, "drawing", "independent") != "independent":
        why = "picks an exact number of all"
    elif isinstance(corruption, Estimated) and not corruption.is_estimated:
        why = "estimates numbers from all; give them, for instance mean= and std="
    if why:
        raise ValueError(
            f"`corruptions` must need one sample at a time in a stream, got {corruption!r}, "
            f"which {why}."
        )


def _several_processes() -> str:
    worker = get_worker_info()
    if worker is not None and worker.num_workers > 1:
        return f"{worker.num_workers} workers"
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        size = torch.distributed.get_world_size()
        return f"{size} processes" if size > 1 else ""
    return ""
