"""A data set in one piece holds what its items hold."""

import time
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset, TensorDataset

from corruptlab import (
    CorruptedStream,
    GaussianPixels,
    RandomLabels,
    RandomPixels,
    ResampledValues,
    corrupt,
    materialize,
)

from .cases import Items, images, tensors


@pytest.mark.slow
def test_materialized_equals_item_by_item() -> None:
    base = corrupt(tensors(2500), RandomLabels(), RandomPixels(), GaussianPixels(), seed=1)
    cut = Subset(base, [2003, 1, 1])
    for dataset in (base, cut, corrupt(Subset(base, range(1900)), RandomLabels())):
        x, y = materialize(dataset)
        assert (x.dtype, y.dtype) == (torch.int16, torch.int64)
        inputs, labels = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
        assert torch.equal(x, torch.stack(inputs))
        assert y.tolist() == list(labels)


def test_pictures_become_bytes_with_channels_first() -> None:
    pixels = (images(6, (5, 6, 3)) % 256).to(torch.uint8).numpy()
    base = Items([(Image.fromarray(x), 0) for x in pixels])
    x, _ = materialize(base)
    assert x.dtype is torch.uint8
    np.testing.assert_array_equal(x.numpy(), pixels.transpose(0, 3, 1, 2))
    noisy = corrupt(base, RandomPixels(), seed=1)
    np.testing.assert_array_equal(
        materialize(noisy)[0].numpy()[2], np.asarray(noisy[2][0]).transpose(2, 0, 1)
    )
    grey, _ = materialize(Items([(Image.fromarray(x[:, :, 0]), 0) for x in pixels]))
    assert grey.shape == (6, 1, 5, 6)


@pytest.mark.parametrize(
    "noise",
    [
        RandomPixels(channel_axis=0),  # of images with the channels first, as they are read
        RandomPixels(move="values"),
        GaussianPixels(per="pixel"),
        ResampledValues(),
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_corrupted_alike_wherever_they_are_read(noise: Any, channels: int) -> None:
    pixels = (images(6, (5, 6, channels)) % 256).to(torch.uint8).numpy()
    bare = pixels[..., 0] if channels == 1 else pixels
    base = Items([(Image.fromarray(x), 0) for x in bare])
    noisy = corrupt(base, noise, seed=1)
    seen = np.stack([np.asarray(image) for image, _ in list(noisy)]).reshape(pixels.shape)
    np.testing.assert_array_equal(materialize(noisy)[0].numpy(), seen.transpose(0, 3, 1, 2))
    stream = CorruptedStream([base[i] for i in range(6)], *noisy.corruptions, num_classes=1, seed=1)
    streamed = np.stack([np.asarray(image) for image, _ in stream]).reshape(pixels.shape)
    np.testing.assert_array_equal(streamed, seen)


def test_a_data_set_that_changes_its_tensors_is_read_by_its_items() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
            x, y = self.tensors[0][index], self.tensors[1][index]
            return 2 * x, y

    x, _ = materialize(Doubled(*tensors().tensors))
    assert torch.equal(x, 2 * images())


def test_tensors_are_copied_and_not_shared() -> None:
    base = tensors()
    x, y = materialize(base)
    x.zero_()
    y.zero_()
    assert base.tensors[0].any()
    assert base.tensors[1].any()


def test_progress_is_told_on_standard_error_only_when_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    materialize(tensors())
    assert capsys.readouterr() == ("", "")
    materialize(tensors(), progress=True)
    assert capsys.readouterr() == ("", "")  # too quick to be worth a line
    ticks = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))
    materialize(tensors(), progress=True)
    assert capsys.readouterr() == ("", "reading  60/60\n")


def test_items_without_listed_labels_are_read_once() -> None:
    base = Items([(x, i % 10) for i, x in enumerate(images(50))])
    x, y = materialize(base)
    assert base.reads == 51  # and the first one to see what items look like
    assert torch.equal(x, images(50))
    assert y.tolist() == [i % 10 for i in range(50)]
    materialize(Subset(base, range(20)))
    assert base.reads == 51 + 21
