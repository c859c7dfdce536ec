"""Products of float32 numbers on a GPU have all their digits, unless TF32 is asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from corruptlab import Execution, Recipe, fit, fit_replicas
from tests.fake_gpu import FakeGPU

from .cases import points

RECIPE = Recipe(learning_rate=0.1, epochs=1, batch_size=30)
BACKENDS: Any = torch.backends
NEW = hasattr(BACKENDS.cudnn, "conv")  # from PyTorch 2.9 on


def settings() -> list[object]:
    """Return PyTorch's settings by their old names and by their new ones."""

    def old(read: Callable[[], object]) -> object:
        try:
            return read()
        except RuntimeError:  # both names were used, and they do not agree
            return "contradiction"

    found = [old(lambda: BACKENDS.cudnn.allow_tf32), old(lambda: BACKENDS.cuda.matmul.allow_tf32)]
    found.append(old(torch.get_float32_matmul_precision))
    if NEW:
        new = (
            BACKENDS.cudnn.conv,
            BACKENDS.cudnn.rnn,
            BACKENDS.cuda.matmul,
            BACKENDS.mkldnn.matmul,
        )
        found += [each.fp32_precision for each in new]
    return found


def by_old_names() -> None:
    BACKENDS.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("medium")


def by_new_names() -> None:
    if not NEW:
        pytest.skip("this PyTorch has no new names")
    BACKENDS.cudnn.conv.fp32_precision = "ieee"
    BACKENDS.cuda.matmul.fp32_precision = "tf32"


STARTS: dict[str, Callable[[], None]] = {
    "defaults": lambda: None,
    "old names": by_old_names,
    "new names": by_new_names,
}


@pytest.fixture(params=STARTS)
def start(request: pytest.FixtureRequest) -> Iterator[list[object]]:
    """The settings of a user, by the names of each kind."""
    STARTS[request.param]()
    yield settings()
    BACKENDS.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("highest")
    if NEW:
        BACKENDS.cudnn.conv.fp32_precision = BACKENDS.cudnn.rnn.fp32_precision = "tf32"
        BACKENDS.cuda.matmul.fp32_precision = BACKENDS.mkldnn.matmul.fp32_precision = "none"


class Asks(nn.Module):
    """A network that notes the settings at each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.seen = nn.Linear(6, 3), list[list[object]]()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(settings())
        out: Tensor = self.body(x)
        return out


@pytest.mark.parametrize("tf32", [False, True])
def test_a_fit_on_a_gpu_has_the_digits_it_asks_for_and_leaves_the_settings_alone(
    tf32: bool, start: list[object], fake_gpu: FakeGPU
) -> None:
    model = Asks()
    report = fit(model, points(), recipe=RECIPE, device="cuda", execution=Execution(tf32=tf32))
    assert report.execution.tf32 is tf32
    assert report.to_dict()["execution"]["tf32"] is tf32
    old = [tf32, tf32, "high" if tf32 else "highest"]
    new = ["tf32" if tf32 else "ieee"] * 3
    during = [s for s in model.seen if s != start]
    assert during
    for found in during:
        assert all(a in (b, "contradiction") for a, b in zip(found[:3], old, strict=True))
        assert "contradiction" not in found or "contradiction" in start
        assert not NEW or found[3:6] == new
    assert settings() == start


def test_an_error_leaves_the_settings_alone(start: list[object], fake_gpu: FakeGPU) -> None:
    class Fails(Asks):
        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                raise InterruptedError
            return super().forward(x)

    with pytest.raises(InterruptedError):
        fit(Fails(), points(), recipe=RECIPE, device="cuda", execution=Execution(tf32=True))
    assert settings() == start


def test_replicas_on_a_gpu_have_all_digits(start: list[object], fake_gpu: FakeGPU) -> None:
    seen: list[list[object]] = []

    class Noting(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(settings())
            return super().forward(x)

    inputs, labels = points().tensors
    two = torch.stack([labels, labels.flip(0)])
    fit_replicas(Noting(6, 3), inputs, two, recipe=RECIPE, device="cuda", strategy="loop")
    assert any(found[0] is False for found in seen) or start[0] == "contradiction"
    assert not NEW or any(found[3:6] == ["ieee"] * 3 for found in seen)
    assert settings() == start


def test_a_fit_on_the_cpu_does_not_touch_the_settings(start: list[object]) -> None:
    model = Asks()
    fit(model, points(), recipe=RECIPE, execution=Execution(tf32=True))
    assert all(found == start for found in model.seen)
