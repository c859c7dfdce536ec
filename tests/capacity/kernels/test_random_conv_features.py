"""Random convolutional features against a naive loop."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from corruptlab import Draws
from corruptlab.capacity.kernels import random_conv_features

LEAST = 10 / 255**2


def images(n: int = 3, channels: int = 2, side: int = 8, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, side, side, generator=generator)


def normalized(patch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a patch, or one in each column, with mean 0 and nearly variance 1."""
    return np.asarray((patch - patch.mean(0)) / np.sqrt(patch.var(0) + LEAST))


def naive(
    image: NDArray[np.float64],
    filters: NDArray[np.float64],
    *,
    size: int,
    threshold: float,
    grid: int,
    mean: Any = 0.0,
    whitener: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Features of one image, patch by patch."""
    _, height, width = image.shape
    rows, columns = height - size + 1, width - size + 1
    responses = np.zeros((len(filters), rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = normalized(image[:, i : i + size, j : j + size].ravel()) - mean
            responses[:, i, j] = filters @ (patch if whitener is None else whitener @ patch)

    def fields(count: int) -> list[slice]:
        return [slice(count * a // grid, -(-count * (a + 1) // grid)) for a in range(grid)]

    return np.array(
        [
            np.maximum(sign * response[row, column] - threshold, 0).mean()
            for sign in (1, -1)
            for response in responses
            for row in fields(rows)
            for column in fields(columns)
        ]
    )


@pytest.mark.parametrize("source", [None, images(5, seed=1)])
def test_blocks_of_filters_are_those_of_one_layer(source: torch.Tensor | None) -> None:
    options: dict[str, Any] = {"patches_from": source, "seed": 4, "size": 3, "threshold": 0.1}
    whole = random_conv_features(images(), num_filters=7, **options).reshape(3, 2, 7, 4)
    blocks = [
        random_conv_features(images(), num_filters=count, first_filter=first, **options)
        for first, count in ((0, 2), (2, 4), (6, 1))
    ]
    parts = torch.cat([block.reshape(3, 2, -1, 4) for block in blocks], 2)
    assert_allclose(parts.numpy(), whole.numpy(), atol=1e-6)
    assert float(whole.max()) > 0


@pytest.mark.parametrize(("grid", "size"), [(2, 3), (3, 4), (1, 8), (2, 2)])
def test_gaussian_filters_equal_a_naive_loop(grid: int, size: int) -> None:
    drawn = Draws(5).normals("kernels/filter", range(7), 2 * size**2).astype(np.float64)
    filters = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    features = random_conv_features(
        images(), num_filters=7, patches_from=None, seed=5, size=size, threshold=0.3, grid=grid
    )
    assert features.dtype is torch.float32
    assert features.shape == (3, 2 * 7 * grid**2)
    for image, row in zip(images().double().numpy(), features, strict=True):
        expected = naive(image, filters, size=size, threshold=0.3, grid=grid)
        assert_allclose(row.numpy(), expected, atol=2e-5)
    assert float(features.max()) > 0


def test_whitened_patches_as_filters_equal_a_naive_loop() -> None:
    source = images(5, seed=1)

    def patches(count: int, stream: str) -> NDArray[np.float64]:
        draws, ids = Draws(2), np.arange(count)
        numbers = draws.integers(f"kernels/{stream}/image", ids, 5)
        tops = draws.integers(f"kernels/{stream}/top", ids, 6)
        lefts = draws.integers(f"kernels/{stream}/left", ids, 6)
        windows = np.lib.stride_tricks.sliding_window_view(source.double().numpy(), (3, 3), (2, 3))
        picked = windows[numbers, :, tops, lefts].reshape(count, -1)
        return np.asarray(normalized(picked.T).T)

    many = patches(50_000, "whitening")
    mean = many.mean(0)
    values, vectors = np.linalg.eigh(np.cov(many.T, bias=True))
    whitener = vectors @ np.diag(1 / np.sqrt(values + 0.1)) @ vectors.T
    filters = (patches(6, "filter") - mean) @ whitener
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    features = random_conv_features(images(), num_filters=6, patches_from=source, seed=2, size=3)
    for image, row in zip(images().double().numpy(), features, strict=True):
        expected = naive(
            image, filters, size=3, threshold=1.0, grid=2, mean=mean, whitener=whitener
        )
        assert_allclose(row.numpy(), expected, atol=2e-5)


def test_light_and_contrast_of_an_image_hardly_matter() -> None:
    plain = random_conv_features(images(), num_filters=9, patches_from=None)
    brighter = random_conv_features(images() + 5, num_filters=9, patches_from=None)
    stronger = random_conv_features(100 * images(), num_filters=9, patches_from=None)
    assert_allclose(brighter, plain, atol=1e-4)
    assert_allclose(stronger, plain, rtol=2e-3, atol=1e-3)


def test_flat_patches_give_nothing() -> None:
    flat = torch.full((1, 2, 8, 8), 0.3)
    assert not random_conv_features(flat, num_filters=9, patches_from=None).any()


@pytest.mark.slow
def test_features_of_an_image_depend_on_it_and_the_filters_alone() -> None:
    source, many = images(4, seed=1), images(35)  # more images and filters than fit at once
    whole = random_conv_features(many, num_filters=300, patches_from=source)
    for few in (slice(0, 2), slice(14, 18), slice(31, 35)):
        cut = random_conv_features(many[few], num_filters=300, patches_from=source)
        assert_allclose(cut, whole[few], atol=1e-6)
    some = random_conv_features(many, num_filters=7, patches_from=source)
    assert_allclose(some.reshape(35, 2, 7, 4), whole.reshape(35, 2, 300, 4)[:, :, :7], atol=1e-6)


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("source", [None, images(4, seed=1)])
def test_seed_decides_the_filters_and_no_generator_moves(source: torch.Tensor | None) -> None:
    state = torch.get_rng_state()
    one, same, other = (
        random_conv_features(images(), num_filters=5, patches_from=source, seed=seed)
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow(seconds=1)
def test_bytes_are_shares_of_255() -> None:
    bytes_ = (images() * 255).to(torch.uint8)
    floats = bytes_.float() / 255
    one = random_conv_features(bytes_, num_filters=5, patches_from=bytes_)
    assert_allclose(
        one, random_conv_features(floats, num_filters=5, patches_from=floats), atol=1e-5
    )


def test_bad_arguments_are_quoted() -> None:
    def features(x: Any = None, **settings: Any) -> torch.Tensor:
        settings = {"num_filters": 3, "patches_from": None, **settings}
        return random_conv_features(images() if x is None else x, **settings)

    for name, least in (("num_filters", 1), ("size", 2), ("grid", 1)):
        with pytest.raises(ValueError, match=rf"^`{name}` must be at least {least}, got 0\.$"):
            features(**{name: 0})
    with pytest.raises(ValueError, match=r"^`size` must be at most .* images, \(8, 8\), got 9\.$"):
        features(size=9)
    with pytest.raises(ValueError, match=r"^`threshold` must be at least 0, got -1\.$"):
        features(threshold=-1)
    for name in ("seed", "first_filter"):
        with pytest.raises(ValueError, match=rf"^`{name}` must be at least 0, got -1\.$"):
            features(**{name: -1})
    with pytest.raises(TypeError, match=r"^`num_filters` must be an integer, got 2\.5\.$"):
        features(num_filters=2.5)
    with pytest.raises(
        ValueError,
        match=r"^`patches_from` must have 2 channels and patches of 6 x 6, got images of shape "
        r"\(3, 8, 8\)\.$",
    ):
        features(patches_from=images(channels=3))
    with pytest.raises(
        ValueError, match=r"^`patches_from` must have .*, got images of shape \(2, 5"
    ):
        features(patches_from=images(side=5))
    with pytest.raises(TypeError, match=r"^`images` must be uint8 or floats, got torch\.int32\.$"):
        features(images().int())
