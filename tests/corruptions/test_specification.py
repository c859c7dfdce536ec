"""Text and specification turn into each other without loss, and nothing in the text is run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corruptlab import (
    AsymmetricLabels,
    ExchangedLabels,
    GaussianPixels,
    GivenLabels,
    InstanceDependentLabels,
    PairFlipLabels,
    RandomLabels,
    RandomPixels,
    ResampledValues,
    ShuffledPixels,
    Specification,
    SymmetricLabels,
    TransitionLabels,
    UniformLabels,
    corrupt,
)

from .cases import tensors

rates = st.floats(0, 1)
numbers = st.floats(-1e6, 1e6)
corruptions = st.one_of(
    st.builds(UniformLabels, p=rates, drawing=st.sampled_from(["independent", "exact"])),
    st.builds(SymmetricLabels, rate=rates),
    st.builds(PairFlipLabels, rate=rates),
    st.builds(AsymmetricLabels, classes=st.sampled_from(["cifar10", "mnist"]), rate=rates),
    st.builds(TransitionLabels, st.just([[0.25, 0.75], [1, 0]])),
    st.builds(InstanceDependentLabels, rate=rates),
    st.builds(ExchangedLabels),
    st.builds(RandomLabels),
    st.builds(ShuffledPixels, move=st.sampled_from(["pixels", "values"])),
    st.builds(RandomPixels, channel_axis=st.sampled_from([None, 0, 2])),
    st.builds(
        ResampledValues, pool=st.sampled_from(["position", "overall"]), keep=st.just((0, 2.5))
    ),
    st.builds(GaussianPixels, mean=numbers, std=st.floats(0, 1e6)),
    st.just(GaussianPixels(mean=(1.0, 2.0), std=(0.5, 1.0), per="channel")),
)


@pytest.mark.slow(seconds=1)
@given(st.lists(corruptions, min_size=1, max_size=4), st.integers(0, 2**80))
def test_text_reads_back(made: list[Any], seed: int) -> None:
    specification = Specification(tuple(made), seed)
    assert Specification.parse(str(specification)) == specification


def test_text_is_the_shortest_that_reads_back() -> None:
    noise = Specification((UniformLabels(p=0.4), ShuffledPixels(move="values")), 7)
    assert str(noise) == "uniform_labels(p=0.4)+shuffled_pixels(move='values')@seed=7"


def test_spaces_do_not_matter() -> None:
    spaced = " uniform_labels( p = 0.4 ) + random_pixels() @ seed = 3 "
    assert Specification.parse(spaced) == Specification((UniformLabels(p=0.4), RandomPixels()), 3)


def test_a_corrupted_data_set_tells_its_specification() -> None:
    wrapped = corrupt(tensors(), RandomLabels(), GaussianPixels(), seed=5)
    again = Specification.parse(str(wrapped.specification))
    assert (
        corrupt(tensors(), *again.corruptions, seed=again.seed).fingerprint == wrapped.fingerprint
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "random_labels()",
            r"^`text` must end in '@seed=' and an integer >= 0, got 'random_labels",
        ),
        ("random_labels()@seed=-1", r"^`text` must end in '@seed='"),
        ("random_labels(@seed=1", r"^`text` must be corruptions joined by '\+', such as "),
        ("@seed=1", r"^`text` must be corruptions joined by '\+'"),
        ("random_labels@seed=1", r"^`text` must name corruptions with parentheses, got "),
        ("random_labels()-random_pixels()@seed=1", r"^`text` must name corruptions with paren"),
        ("labels()@seed=1", r"^`text` must name known corruptions \(asymm.*\), got 'labels'\.$"),
        ("uniform_labels(q=1)@seed=1", r"^`text` must give uniform_labels arguments .* got 'q'\.$"),
        ("uniform_labels(0.4)@seed=1", r"^`text` must name every argument, as in uniform_labels\("),
        ("uniform_labels()@seed=1", r"^`text` must give uniform_labels what it needs, got "),
        ("uniform_labels(p=2)@seed=1", r"^`p` must lie in \[0, 1\], got 2\.$"),
        ("uniform_labels(**{'p': 1})@seed=1", r"^`text` must give uniform_labels arguments"),
        ("uniform_labels(p=p)@seed=1", r"^`text` must have plain values as arguments, got "),
        ("(" * 2000 + "@seed=1", r"^`text` must be corruptions joined by"),
    ],
)
def test_bad_text_is_quoted(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Specification.parse(text)


def test_nothing_in_the_text_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for text in (
        f"uniform_labels(p=open({str(mark)!r}, 'w'))@seed=0",
        f"__import__('pathlib').Path({str(mark)!r}).touch()@seed=0",
    ):
        with pytest.raises(ValueError, match=r"^`text` must"):
            Specification.parse(text)
    assert not mark.exists()


def test_what_holds_data_has_no_one_line_form() -> None:
    with pytest.raises(
        ValueError, match=r"^`corruptions` must have a one-line form, got GivenLabels"
    ):
        Specification((GivenLabels(np.zeros(3, int)),), 0)
    with pytest.raises(
        ValueError, match=r"^`corruptions` must hold at least one corruption, got none"
    ):
        Specification((), 0)
    with pytest.raises(ValueError, match=r"^`seed` must be at least 0, got -1\.$"):
        Specification((RandomLabels(),), -1)


def test_values_taken_from_data_have_no_one_line_form() -> None:
    rows = [(np.array([3, 1]), 0), (np.array([2, 1]), 1)]
    assert str(Specification((ResampledValues(),), 0)) == "resampled_values()@seed=0"
    with pytest.raises(
        ValueError, match=r"^`corruptions` must have a one-line form, got ResampledValues\(values="
    ):
        _ = corrupt(rows, ResampledValues()).specification
