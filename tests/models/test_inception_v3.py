"""Inception V3 is torchvision's, with weights that are a function of the seed."""

import sys
from typing import Any

import pytest
import torch
from torch import nn

from corruptlab.models import by_name, inception_v3


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.slow
@pytest.mark.usefixtures("torchvision_datasets")  # which makes torchvision importable
def test_weights_are_a_function_of_the_seed_and_the_global_generator_stays() -> None:
    before = torch.get_rng_state()
    one, same = inception_v3(), by_name("inception-v3", num_classes=1000)
    assert torch.equal(torch.get_rng_state(), before)
    assert count(one) == 23_834_568
    assert one.training
    for key, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])
        assert value.isfinite().all()
    with torch.no_grad():
        logits = one.eval()(torch.zeros(1, 3, 299, 299))
    assert logits.shape == (1, 1000)


@pytest.mark.slow
@pytest.mark.usefixtures("torchvision_datasets")
def test_options_reach_the_network() -> None:
    net: Any = inception_v3(
        num_classes=7,
        dropout=0.25,
        aux_logits=True,
        input_shape=(3, 75, 75),
        init="truncated_normal",
        seed=3,
    )
    assert net.dropout.p == 0.25
    assert net.fc.weight.abs().max() <= 2 / 2048**0.5
    assert net.fc.weight.std().item() == pytest.approx(0.88 / 2048**0.5, rel=0.05)
    with torch.no_grad():
        assert net.eval()(torch.zeros(2, 3, 75, 75)).shape == (2, 7)
    assert count(net) == 23_834_568 - 993 * 2049 + 3_326_696 - 993 * 769


class NoTorchvision:
    """Finds no torchvision, as on a machine without it."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "torchvision":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_without_torchvision_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoTorchvision(), *sys.meta_path])
    with pytest.raises(ImportError, match=r"^`torchvision` is not .* 'corruptlab\[vision\]'"):
        inception_v3()


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"num_classes": 0}, ValueError, r"^`num_classes` must be at least 1, got 0\.$"),
        ({"dropout": 1.5}, ValueError, r"^`dropout` must lie in \[0, 1\], got 1\.5\.$"),
        ({"dropout": "no"}, TypeError, r"^`dropout` must be a number, got 'no'\.$"),
        (
            {"input_shape": (3, 299, 74)},
            ValueError,
            r"^`input_shape` must have a height and a width of at least 75, got \(3, 299, 74\)\.$",
        ),
        (
            {"input_shape": (1, 299, 299)},
            ValueError,
            r"^`input_shape` must have 3 channels, got \(1, 299, 299\)\.$",
        ),
    ],
)
def test_bad_input_is_quoted_before_anything_is_built(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        inception_v3(**options)
