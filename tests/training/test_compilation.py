"""What is compiled stays compiled, however many fits came before, and is reported as it is."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from corruptlab import Execution, Recipe, fit
from corruptlab.models import mlp
from corruptlab.training._compilation import Compiled

from .cases import points

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's compiler


def step_of(network: nn.Module) -> Any:
    def step(inputs: Tensor) -> Tensor:
        return network(inputs).sum()  # type: ignore[no-any-return]  # a network's output

    return step


@pytest.mark.slow
def test_the_fifth_network_of_a_process_is_compiled_like_the_first() -> None:
    for width in range(1, 6):  # two programs each, of 8 that Dynamo keeps of a piece of code
        compiled = Compiled(step_of(nn.Linear(3, width)), backend="eager", dynamic=False)
        assert compiled.programs == 0
        for size in (4, 3, 4):
            compiled(torch.ones(size, 3))
        assert (compiled.programs, compiled.failed) == (2, False)


@pytest.mark.slow
def test_what_is_compiled_computes_the_same() -> None:
    network, inputs = nn.Linear(3, 2), torch.randn(4, 3)
    compiled = Compiled(step_of(network), backend="eager")
    assert torch.equal(compiled(inputs), network(inputs).sum())


@pytest.mark.parametrize("compiles", [True, False])
def test_the_report_says_whether_there_was_a_program(
    compiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plainly = torch.compile

    def quickly(function: Any, **options: Any) -> Any:
        # What Dynamo gives up is called as it is.
        return plainly(function, backend="eager", **options) if compiles else function

    monkeypatch.setattr(torch, "compile", quickly)
    recipe = Recipe(learning_rate=0.1, epochs=1, batch_size=20, whiten=False, decay=1.0)
    network = mlp(4, input_shape=(6,), num_classes=3)
    report = fit(network, points(), recipe=recipe, execution=Execution(compile=True))
    assert report.execution.compile is compiles
