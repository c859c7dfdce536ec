"""Random label heads as an option of a fit: what they measure, and that nothing else changes."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Subset, TensorDataset

import corruptlab as cl
from corruptlab.datasets import DataFileError
from tests.fake_gpu import FakeGPU

N, SIZE, EPOCHS = 46, 10, 3  # the last batch of an epoch has 6
RECIPE = cl.Recipe(learning_rate=0.05, epochs=EPOCHS, batch_size=SIZE, decay=0.95)
PLAIN = cl.Execution(channels_last=False, compile=False)


class StopError(Exception):
    """What ends a fit before its time."""


def data(n: int = N) -> TensorDataset:
    generator = torch.Generator().manual_seed(1)
    return TensorDataset(torch.randn(n, 6, generator=generator), torch.arange(n) % 3)


class Network(nn.Sequential):
    """With all that a forward pass could disturb: batch norm and dropout."""

    def __init__(self, stop_at: int = 0) -> None:
        torch.manual_seed(4)
        layers = nn.Linear(6, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.3), nn.Linear(20, 3)
        super().__init__(*layers)
        self.steps, self.stop_at = 0, stop_at

    def forward(self, x: Tensor) -> Tensor:
        self.steps += self.training
        if self.training and self.steps == self.stop_at:
            raise StopError
        return super().forward(x)  # type: ignore[no-any-return,no-untyped-call]


def heads_of(model: nn.Module, train: Any = None, **options: Any) -> cl.RandomLabelHeads:
    values: dict[str, Any] = {"layers": ["2", "4"], "num_labels": 3, **options}
    return cl.RandomLabelHeads(model, data() if train is None else train, **values)


def fitted(
    model: nn.Module, heads: cl.RandomLabelHeads | None, train: Any = None, **changes: Any
) -> cl.FitReport:
    values: dict[str, Any] = {"recipe": RECIPE, "stop": (), "measure": "all", "execution": PLAIN}
    train = data() if train is None else train
    return cl.fit(model, train, data(), heads=heads, **{**values, **changes})


def same(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("way", ["device", "stream"])
def test_measuring_changes_no_bit_of_the_fit(way: Any) -> None:
    execution = replace(PLAIN, data=way)
    one, two = Network(), Network()
    alone = fitted(one, None, execution=execution)
    watched = fitted(two, heads_of(two), execution=execution)
    assert same(one, two)
    assert (watched.losses, watched.history) == (alone.losses, alone.history)
    assert alone.heads is None
    assert watched.heads is not None
    assert watched.heads.total == (3 * N,) * EPOCHS


def test_on_a_gpu_steps_with_heads_are_not_captured_and_measure_the_same(fake_gpu: FakeGPU) -> None:
    one, two, three = (cl.mlp(8, input_shape=(6,), num_classes=3) for _ in range(3))
    expected = fitted(one, heads_of(one, layers=["2", "3"]))
    asked = replace(PLAIN, cuda_graphs=True)
    found = fitted(two, heads_of(two, layers=["2", "3"]), device="cuda", execution=asked)
    assert found.not_captured == "there are hooks, which a graph would not call"
    assert found.heads == expected.heads
    assert fitted(three, None, device="cuda", execution=asked).not_captured == ""


@pytest.mark.parametrize("factor", [0.0, 0.5])
def test_a_fit_measures_what_a_loop_by_hand_measures(factor: float) -> None:
    model = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 3))
    start = {name: value.clone() for name, value in model.state_dict().items()}
    order: list[Tensor] = []
    seen = model.register_forward_pre_hook(
        lambda _, inputs: order.append(inputs[0].clone()) if model.training else None
    )
    options = {"layers": ["1", "2"], "factor": factor}
    recipe = replace(RECIPE, decay=1.0)
    report = fitted(model, heads_of(model, **options), recipe=recipe)
    seen.remove()
    again = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 3))
    again.load_state_dict(start)
    optimizer = torch.optim.SGD(again.parameters(), lr=0.05, momentum=recipe.momentum)
    known = {tuple(row.tolist()): at for at, row in enumerate(data().tensors[0])}
    losses = []
    with heads_of(again, **options) as heads:
        for batch in order[-len(report.losses) :]:
            ids = torch.tensor([known[tuple(row.tolist())] for row in batch])
            loss = cross_entropy(again(batch), data().tensors[1][ids])
            losses.append(float(loss.detach()))
            optimizer.zero_grad()
            (loss + heads.loss(ids)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    assert heads.report() == report.heads
    assert report.losses == pytest.approx(losses, rel=1e-5)
    assert report.to_dict()["heads"] == heads.report().to_dict()


def test_ids_are_those_of_the_examples_and_not_positions() -> None:
    noisy = cl.corrupt(data(), cl.RandomLabels(), seed=0, ids=np.arange(N) + 500)
    model, other = Network(), Network()
    part = Subset(noisy, [5, 40, 2, 7])
    recipe = replace(RECIPE, epochs=6, batch_size=4)
    one = fitted(model, heads_of(model, noisy), part, recipe=recipe)
    two = fitted(other, heads_of(other, part), cl.with_ids(part), recipe=recipe)
    assert one.heads is not None
    assert two.heads is not None
    assert one.heads.right == two.heads.right
    assert one.heads.total == (12,) * 6


def test_regularizer_reaches_the_network_and_not_the_reported_losses() -> None:
    one, two = Network(), Network()
    alone = fitted(one, None)
    hidden = fitted(two, heads_of(two, factor=50.0))
    assert not same(one, two)
    assert hidden.losses[0] == alone.losses[0]  # heads start at 0, and so does the regularizer
    assert hidden.losses[-1] != alone.losses[-1]


def test_passes_that_measure_keep_no_outputs_and_hooks_stay_the_caller_s() -> None:
    model = Network()
    heads = heads_of(model)
    fitted(model, heads, measure="all")
    assert not heads.closed
    with pytest.raises(RuntimeError, match=r"got no output of layer '2' since the last call\.$"):
        heads.loss(np.arange(N))


@pytest.mark.usefixtures("always_looking")
@pytest.mark.parametrize("factor", [0.0, 0.5])
@pytest.mark.parametrize("stop_at", [3, 6, 12])
def test_a_resumed_fit_has_the_bits_of_an_uninterrupted_one(
    stop_at: int, factor: float, tmp_path: Path
) -> None:
    one = Network()
    whole = fitted(one, heads := heads_of(one, factor=factor))
    dies = Network(stop_at)
    with pytest.raises(StopError):
        fitted(dies, heads_of(dies, factor=factor), checkpoint=tmp_path, checkpoint_seconds=0)
    two = Network()
    resumed = fitted(two, again := heads_of(two, factor=factor), checkpoint=tmp_path)
    assert two.steps == 15 - (stop_at - 1)
    assert resumed.heads == whole.heads
    assert resumed.losses == whole.losses
    assert same(one, two)
    assert bits(again.state_dict()) == bits(heads.state_dict())


def bits(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.tolist()
    if isinstance(state, dict):
        return {name: bits(value) for name, value in state.items()}
    return state


def test_a_checkpoint_goes_with_its_heads(tmp_path: Path) -> None:
    def fit_with(heads: Callable[[nn.Module], cl.RandomLabelHeads] | None) -> None:
        model = Network()
        fitted(model, None if heads is None else heads(model), checkpoint=tmp_path)

    fit_with(heads_of)
    fit_with(heads_of)  # resumes
    other: list[Any] = [None, partial(heads_of, seed=1), partial(heads_of, layers=["2", "3"])]
    for heads in other:
        with pytest.raises(ValueError, match=r"which holds one of another recipe, .*, heads, or"):
            fit_with(heads)


def test_a_damaged_state_of_heads_is_named_with_its_file(tmp_path: Path) -> None:
    model = Network()
    fitted(model, heads_of(model), checkpoint=tmp_path)
    path = tmp_path / "fit.pt"
    kept = torch.load(path, weights_only=True)
    kept["heads"]["visits"] = kept["heads"]["visits"][1:]
    torch.save(kept, path)
    again = Network()
    with pytest.raises(DataFileError, match=re.escape(f"of shape ({N}) as visits")):
        fitted(again, heads_of(again), checkpoint=tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's compiler
def test_compiled_steps_show_their_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    one, two = Network(), Network()
    compiled = replace(PLAIN, compile=True)
    plain = fitted(one, heads_of(one))
    found = fitted(two, heads_of(two), execution=compiled)
    assert found.execution.compile is True
    assert plain.heads is not None
    assert found.heads is not None
    assert found.heads.total == plain.heads.total
    np.testing.assert_allclose(found.heads.accuracy, plain.heads.accuracy, atol=5 / (3 * N))


@pytest.mark.parametrize(
    ("heads", "kind", "message"),
    [
        (lambda model: ["2"], TypeError, r"`heads` must be a RandomLabelHeads, got list\."),
        (
            lambda model: heads_of(Network()),
            ValueError,
            r"`heads` must be on layers of `model`, got heads on another network\.",
        ),
        (
            lambda model: heads_of(model, data(N - 2)),
            ValueError,
            rf"`heads` must know all examples of `train`, got heads without example {N - 2}\.",
        ),
        (
            lambda model: closed(heads_of(model)),
            ValueError,
            r"`heads` must be open, got heads whose hooks are removed\.",
        ),
    ],
)
def test_heads_that_do_not_suit_the_fit(heads: Any, kind: type, message: str) -> None:
    model = Network()
    with pytest.raises(kind, match=f"^{message}$"):
        fitted(model, heads(model))
    assert model.steps == 0


def closed(heads: cl.RandomLabelHeads) -> cl.RandomLabelHeads:
    heads.close()
    return heads


def test_examples_that_are_there_twice() -> None:
    model = Network()
    with pytest.raises(ValueError, match=r"^`train` must .* once .*, got example 4 2"):
        fitted(model, heads_of(model), Subset(data(), [4, 2, 4]))
