"""The text transformer: its parameters, its padding, and that it learns by heart."""

import hashlib
from typing import Any

import pytest
import torch
from torch import nn

from corruptlab import Recipe, fit
from corruptlab.models import by_name, text_transformer

TOKENS = torch.randint(1, 20, (6, 9), generator=torch.Generator().manual_seed(0))


def parameters(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("w", [8, 24])
@pytest.mark.parametrize(
    ("v", "length", "k", "depth", "heads"), [(20, 9, 2, 1, 2), (50, 5, 7, 3, 8)]
)
def test_parameters_are_counted_by_the_formula(
    v: int, length: int, k: int, w: int, depth: int, heads: int
) -> None:
    network = text_transformer(v, length=length, num_classes=k, width=w, depth=depth, heads=heads)
    # By the parts of a block: queries, keys, values; their mix; up; down; two layer norms.
    block = 3 * (w * w + w) + (w * w + w) + (4 * w * w + 4 * w) + (4 * w * w + w) + 2 * 2 * w
    assert block == 12 * w**2 + 13 * w
    assert parameters(network) == v * w + length * w + depth * block + 2 * w + w * k + k


def test_name_builds_the_network() -> None:
    named = by_name("text-transformer", input_shape=(9,), num_classes=3, num_tokens=20, seed=5)
    built = text_transformer(20, length=9, num_classes=3, seed=5)
    pairs = zip(named.state_dict().items(), built.state_dict().items(), strict=True)
    assert all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_golden_weights_hold_and_the_global_generator_is_untouched() -> None:
    before = torch.get_rng_state()
    network = text_transformer(20, length=9, width=8, heads=2)
    assert torch.equal(torch.get_rng_state(), before)
    sha = hashlib.sha256()
    for parameter in network.parameters():
        sha.update(parameter.detach().numpy().astype("<f4").tobytes())
    assert sha.hexdigest()[:16] == "36057a2532ce635a"
    vectors = text_transformer(5000, length=9).get_parameter("tokens.weight").detach()
    assert abs(float(vectors.std()) * 8 - 1) < 0.01


def test_padding_changes_nothing_wherever_it_is() -> None:
    network = text_transformer(20, length=9).eval()
    padded = TOKENS.clone()
    padded[:, 6:] = 0
    with torch.no_grad():
        moved = network.get_parameter("tokens.weight")
        expected = network(padded)
        moved[0] += torch.arange(64)  # what padding looks like
        assert torch.allclose(network(padded), expected, atol=1e-6)
        assert not torch.allclose(network(TOKENS), expected, atol=1e-3)
        assert network(torch.zeros(2, 9, dtype=torch.int64)).isfinite().all()


def test_order_counts_and_examples_do_not_see_one_another() -> None:
    network = text_transformer(20, length=9).eval()
    with torch.no_grad():
        scores = network(TOKENS)
        assert torch.allclose(network(TOKENS[[4, 1]]), scores[[4, 1]], atol=1e-6)
        assert not torch.allclose(network(TOKENS.flip(1)), scores, atol=1e-3)


def test_it_fits_random_labels() -> None:
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    recipe = Recipe(optimizer="adam", learning_rate=0.003, decay=1.0, epochs=100, batch_size=6)
    report = fit(text_transformer(20, length=9, width=16), (TOKENS, labels), recipe=recipe)
    assert report.train_accuracy == 1.0


BAD: dict[str, tuple[Any, str]] = {
    "width": (
        lambda: text_transformer(20, length=9, width=10),
        r"^`width` must be a multiple of `heads`, 4, got 10\.$",
    ),
    "length": (lambda: text_transformer(20, length=0), r"^`length` must be at least 1, got 0\.$"),
    "tokens": (lambda: text_transformer(0, length=9), r"^`num_tokens` must be at least 1, got 0"),
    "numbers": (
        lambda: by_name("text-transformer", input_shape=(9,)),
        r"^`name` must be an architecture for numbers, got 'text-transformer'\.$",
    ),
    "other name": (
        lambda: by_name("mlp-1x512", input_shape=(9,), num_tokens=20),
        r"^`name` must be text-transformer for tokens, got 'mlp-1x512'\.$",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_one_clear_error(case: str) -> None:
    act, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        act()
