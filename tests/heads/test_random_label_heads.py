"""Random label heads: the labels' law, what heads can and cannot find, what they leave alone."""

import copy
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, Subset, TensorDataset

import corruptlab as cl

N, D = 96, 12


def inputs(n: int = N, d: int = D) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(3))


def data(n: int = N, d: int = D) -> TensorDataset:
    return TensorDataset(inputs(n, d), torch.arange(n) % 3)


def network(*, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(5)
    layers = nn.Linear(D, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 3)
    return nn.Sequential(*layers)


def batches(n: int, size: int, epoch: int) -> Iterator[Tensor]:
    order = torch.randperm(n, generator=torch.Generator().manual_seed(epoch))
    return iter(torch.tensor_split(order, list(range(size, n, size))))


def train(
    model: nn.Module,
    heads: cl.RandomLabelHeads | None,
    examples: TensorDataset,
    *,
    epochs: int,
    size: int = 16,
    rate: float = 0.1,
) -> list[float]:
    """Anybody's loop; returns what the heads added to the loss."""
    torch.manual_seed(7)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    added = []
    for epoch in range(epochs):
        for ids in batches(len(examples), size, epoch):
            x, y = examples[ids]
            loss = cross_entropy(model(x), y)
            if heads is not None:
                more = heads.loss(ids)
                added.append(float(more.detach()))
                loss = loss + more
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return added


def look(
    model: nn.Module, heads: cl.RandomLabelHeads, x: Tensor, *, epochs: int, size: int
) -> None:
    """Show frozen features to heads."""
    for epoch in range(epochs):
        for ids in batches(len(x), size, epoch):
            model(x[ids])
            heads.loss(ids)


# The labels.


def test_labels_are_uniform_and_independent_of_one_another() -> None:
    heads = cl.RandomLabelHeads(
        network(), data(6000), layers=["0"], num_classes=3, num_labels=2, seed=1
    )
    labels = heads.labels(np.arange(6000))
    pairs = torch.bincount(3 * labels[:, 0] + labels[:, 1], minlength=9)
    assert stats.chisquare(pairs.numpy()).pvalue > 1e-4


def test_labels_are_a_function_of_seed_and_example() -> None:
    whole = cl.RandomLabelHeads(network(), data(), layers=["0"], seed=4)
    part = cl.RandomLabelHeads(network(), Subset(data(), [7, 90, 3]), layers=["2"], seed=4)
    assert part.labels([90, 3]).tolist() == whole.labels([90, 3]).tolist()
    other = cl.RandomLabelHeads(network(), data(), layers=["0"], seed=5)
    assert other.labels(np.arange(N)).tolist() != whole.labels(np.arange(N)).tolist()


def test_more_labels_keep_the_first_and_are_the_documented_draws() -> None:
    one = cl.RandomLabelHeads(network(), data(), layers=["0"], num_classes=5)
    two = cl.RandomLabelHeads(network(), data(), layers=["0"], num_classes=5, num_labels=2)
    ids = np.arange(N)
    assert one.labels(ids)[:, 0].tolist() == two.labels(ids)[:, 0].tolist()
    for j in range(2):
        drawn = cl.Draws(0).integers(f"random_label_heads/label/{j}", ids, 5)
        assert two.labels(ids)[:, j].tolist() == drawn.tolist()


def test_labels_do_not_move() -> None:
    heads = cl.RandomLabelHeads(network(), data(), layers=["0"], num_classes=10, num_labels=2)
    assert heads.labels(np.arange(8)).tolist() == [
        [9, 8],
        [4, 8],
        [8, 2],
        [6, 6],
        [0, 9],
        [5, 4],
        [2, 9],
        [1, 7],
    ]


# What heads find.


@pytest.mark.parametrize(("num_classes", "num_labels"), [(2, 1), (2, 3), (5, 2)])
def test_frozen_features_that_are_all_alike_leave_chance(num_classes: int, num_labels: int) -> None:
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(
        model, data(1000), layers=["0"], num_classes=num_classes, num_labels=num_labels
    )
    look(model, heads, torch.ones(1000, 4), epochs=4, size=50)
    report = heads.report()
    for right, total in zip(report.right, report.total, strict=True):
        assert total == 1000 * num_labels
        assert stats.binomtest(right[0], total, 1 / num_classes).pvalue > 1e-4


def test_first_epoch_of_any_network_is_at_chance() -> None:
    # A head has not seen the labels that it is asked for, so the count is binomial, exactly.
    counts = []
    for seed in range(16):
        model = nn.Sequential(nn.Identity())
        heads = cl.RandomLabelHeads(model, data(), layers=["0"], seed=seed)
        look(model, heads, torch.eye(N), epochs=1, size=8)
        counts.append(heads.report().right[0][0])
    assert stats.binomtest(sum(counts), 16 * N, 0.5).pvalue > 1e-4
    spread = np.var(counts, ddof=1) * 15 / (N / 4)
    assert 1e-4 < stats.chi2(15).cdf(spread) < 1 - 1e-4


@pytest.mark.parametrize(("num_classes", "num_labels"), [(2, 1), (4, 2)])
def test_one_hot_features_tell_everything(num_classes: int, num_labels: int) -> None:
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(
        model, data(), layers=["0"], num_classes=num_classes, num_labels=num_labels
    )
    look(model, heads, torch.eye(N), epochs=6, size=16)
    report = heads.report()
    assert report.accuracy[-1, 0] == 1
    assert report.interval("0", 6)[1] == 1


def test_pairs_of_equal_examples_are_told_apart_by_no_head() -> None:
    # Both of a pair get the same prediction, so a pair whose labels differ has one right at most.
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(model, data(), layers=["0"])
    x = torch.eye(N // 2).repeat_interleave(2, dim=0)
    look(model, heads, x, epochs=30, size=N)
    labels = heads.labels(np.arange(N)).view(-1, 2)
    equal = int((labels[:, 0] == labels[:, 1]).sum())
    assert heads.report().right[-1][0] == 2 * equal + (N // 2 - equal)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_scale_of_the_features_does_not_matter(scale: float) -> None:
    model, found = nn.Sequential(nn.Identity()), []
    for factor in (1.0, scale):
        heads = cl.RandomLabelHeads(model, data(), layers=["0"])
        with heads:
            look(model, heads, factor * inputs(), epochs=15, size=16)
        found.append(heads.report().accuracy[:, 0])
    assert np.abs(found[0] - found[1]).max() <= 2 / N


def standard(x: Tensor) -> Tensor:
    variance = x.var(0, correction=0)
    return (x - x.mean(0)) / torch.sqrt(variance + 1e-5 * variance.mean() + 1e-12)


def test_head_is_softmax_regression_with_adam_on_standardized_features() -> None:
    # The same in autograd, written down independently.
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(
        model, data(), layers=["0"], num_classes=3, num_labels=2, learning_rate=0.3, seed=2
    )
    labels = heads.labels(np.arange(N))
    naive = [nn.Linear(D, 3, bias=False) for _ in range(2)]
    for each in naive:
        nn.init.zeros_(each.weight)
    optimizer = torch.optim.Adam([each.weight for each in naive], lr=0.3 / D)
    right = np.zeros(20, int)
    for epoch in range(20):
        for ids in batches(N, 32, epoch):
            x = inputs()[ids]
            z = standard(x)
            scores = [each(z) for each in naive]
            right[epoch] += sum(
                int((s.argmax(1) == labels[ids, j]).sum()) for j, s in enumerate(scores)
            )
            optimizer.zero_grad()
            sum(cross_entropy(s, labels[ids, j]) for j, s in enumerate(scores)).backward()  # type: ignore[union-attr]
            optimizer.step()
    look(model, heads, inputs(), epochs=20, size=32)
    assert [row[0] for row in heads.report().right] == right.tolist()
    assert right[-1] > right[0] + 20  # there was something to find
    found = heads._readers.weights[0].view(2, 3, D)
    for each, weight in zip(naive, found, strict=True):
        torch.testing.assert_close(weight, each.weight.detach(), rtol=1e-3, atol=1e-5)


def test_heads_of_several_layers_are_those_of_each_layer_alone() -> None:
    layers = ["0", "4", "2"]  # two of one size, with another one between them
    together = cl.RandomLabelHeads(model := network(), data(), layers=layers, num_labels=2)
    train(model, together, data(), epochs=3)
    for at, layer in enumerate(layers):
        alone = cl.RandomLabelHeads(model := network(), data(), layers=[layer], num_labels=2)
        train(model, alone, data(), epochs=3)
        assert alone.report().accuracy[:, 0].tolist() == together.report().accuracy[:, at].tolist()
        torch.testing.assert_close(alone._readers.weights[0], together._readers.weights[at])


# What they leave alone.


def same(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_measuring_leaves_the_task_s_weights_the_same_to_the_bit(dropout: float) -> None:
    alone, watched = network(dropout=dropout), network(dropout=dropout)
    train(alone, None, data(), epochs=3)
    with cl.RandomLabelHeads(watched, data(), layers=["0", "2", "4"], num_labels=4) as heads:
        added = train(watched, heads, data(), epochs=3)
    assert same(alone, watched)
    assert set(added) == {0.0}
    assert not same(alone, network(dropout=dropout))


def test_no_global_generator_moves() -> None:
    model = network()
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002
    with cl.RandomLabelHeads(model, data(), layers=["0"]) as heads:
        model(inputs())
        heads.loss(torch.arange(N))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index] # noqa: NPY002


def test_hooks_are_removed_on_exit_even_by_an_error() -> None:
    model = network()

    def hooks() -> int:
        return sum(len(layer._forward_hooks) for layer in model.modules())

    with cl.RandomLabelHeads(model, data(), layers=["0", "2"]) as heads:
        assert hooks() == 2
    assert hooks() == 0
    with pytest.raises(KeyError), cl.RandomLabelHeads(model, data(), layers=["0"]):
        raise KeyError
    assert hooks() == 0
    model(inputs())
    with pytest.raises(
        RuntimeError,
        match=r"^`loss` must follow a forward pass, got no output of layer '0' since the last "
        r"call; the heads are closed\.$",
    ):
        heads.loss(torch.arange(N))


# The regularizer.


def test_regularizer_is_the_mean_divergence_from_uniform_times_its_factor() -> None:
    model = nn.Sequential(nn.Linear(D, 8), nn.Linear(8, 3))
    heads = cl.RandomLabelHeads(
        model, data(), layers=["0", "1"], factor=0.7, num_classes=4, num_labels=2
    )
    for _ in range(4):
        model(inputs())
        heads.loss(torch.arange(N))
    model(inputs())
    before = [weight.clone() for weight in heads._readers.weights]
    added = heads.loss(torch.arange(N))
    with torch.no_grad():
        features = model[0](inputs()), model(inputs())
    expected = 0.0
    for weight, x in zip(before, features, strict=True):
        logs = (standard(x) @ weight.T).view(N, 2, 4).log_softmax(2)
        expected += float(nn.functional.kl_div(logs, torch.full_like(logs, 0.25), reduction="sum"))
    assert float(added.detach()) == pytest.approx(0.7 * expected / (2 * N * 2), rel=1e-4)
    assert float(added.detach()) > 0


def test_regularizer_s_gradient_is_that_of_the_heads_before_their_step() -> None:
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(model, data(), layers=["0"], factor=1.0, learning_rate=20.0)
    model(inputs())
    heads.loss(torch.arange(N))
    before = heads._readers.weights[0].clone()
    x, y = inputs().requires_grad_(), inputs().requires_grad_()
    model(x)
    heads.loss(torch.arange(N)).backward()  # type: ignore[no-untyped-call]
    logs = (standard(y) @ before.T).log_softmax(1)
    (-logs.mean()).backward()  # type: ignore[no-untyped-call]
    assert not torch.allclose(before, heads._readers.weights[0], rtol=0.1)
    torch.testing.assert_close(x.grad, y.grad)


def test_regularizer_s_gradient_hides_examples_and_moves_no_head() -> None:
    model = nn.Sequential(nn.Linear(D, 32))
    heads = cl.RandomLabelHeads(model, data(), layers=["0"], factor=1.0)
    for _ in range(40):
        model(inputs())
        heads.loss(torch.arange(N))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    added = []
    for _ in range(3):
        model(inputs())
        loss = heads.loss(torch.arange(N))
        added.append(float(loss.detach()))
        optimizer.zero_grad()
        before = [weight.clone() for weight in heads._readers.weights]
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(map(torch.equal, before, heads._readers.weights))
        optimizer.step()
    assert added[0] > added[1] > 0


@pytest.mark.slow(seconds=1)
def test_regularized_network_shows_less_of_the_example() -> None:
    found = []
    for factor in (0.0, 10.0):
        model = network()
        with cl.RandomLabelHeads(model, data(), layers=["2"], factor=factor) as heads:
            added = train(model, heads, data(), epochs=30, size=32)
        assert min(added) >= -1e-6
        found.append(heads.report())
    assert found[1].accuracy[-5:].mean() < found[0].accuracy[-5:].mean() - 0.1


# Ids, epochs, layers.


def test_epoch_is_the_visit_of_the_example_whatever_the_loop_leaves_out() -> None:
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(model, data(10), layers=["0"])
    for ids in ([0, 1, 2], [3, 4], [0, 5], [0, 1]):
        model(inputs(10)[ids])
        heads.loss(ids)
    assert heads.report().total == (6, 2, 1)


def test_ids_are_served_by_with_ids_and_known_to_the_heads() -> None:
    noisy = cl.corrupt(data(), cl.RandomLabels(), seed=0, ids=np.arange(N) + 500)
    served = cl.with_ids(Subset(noisy, [5, 80, 2]))
    loader = torch.utils.data.DataLoader(served, batch_size=3)
    ((x, _, ids),) = loader
    assert ids.tolist() == [505, 580, 502]
    model = network()
    with cl.RandomLabelHeads(model, served, layers=["0"]) as heads:
        model(x)
        heads.loss(ids)
    assert heads.report().total == (3,)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, list])
def test_ids_may_be_an_array_a_tensor_or_a_list(kind: Any) -> None:
    model = network()
    heads = cl.RandomLabelHeads(model, data(), layers=["0"])
    model(inputs()[:2])
    heads.loss(kind([0, 1]))
    assert heads.report().total == (2,)


def test_features_choose_what_is_read() -> None:
    model = nn.Sequential(nn.Conv1d(D, 4, 1), nn.Flatten(), nn.Linear(20, 3))
    x = torch.randn(N, D, 5)
    heads = cl.RandomLabelHeads(model, data(), layers=["0"], features=lambda maps: maps.mean(2))
    model(x)
    heads.loss(torch.arange(N))
    assert [weight.shape[1] for weight in heads._readers.weights] == [4]


def test_sequence_first_layers_are_read_once_the_batch_is_moved() -> None:
    model = nn.Sequential(nn.LSTM(D, 4))
    x = torch.randn(7, N, D)
    heads = cl.RandomLabelHeads(
        model, data(), layers=["0"], features=lambda output: output[0].transpose(0, 1)
    )
    model(x)
    heads.loss(torch.arange(N))
    assert heads.report().total == (N,)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float64])
def test_other_floats_are_read_and_autocast_does_not_reach_the_heads(half: torch.dtype) -> None:
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(model, data(), layers=["0"])
    with torch.autocast("cpu"):
        model(inputs().to(half))
        assert heads.loss(torch.arange(N)).dtype is torch.float32
    assert heads._readers.weights[0].dtype is torch.float32


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_batch_of_one_example_does_no_harm(factor: float) -> None:
    model = nn.Sequential(nn.Linear(D, 3))
    heads = cl.RandomLabelHeads(model, data(), layers=["0"], factor=factor)
    model(inputs()[:1])
    assert math.isfinite(heads.loss([0]).detach())
    assert heads.report().total == (1,)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_compiled_network_shows_its_layers(factor: float) -> None:
    torch._dynamo.reset()
    plain, found = nn.Sequential(nn.Linear(D, 8), nn.ReLU(), nn.Linear(8, 3)), []
    compiled: Any = torch.compile(copy.deepcopy(plain), backend="aot_eager", fullgraph=True)
    for model in (plain, compiled):
        with cl.RandomLabelHeads(model, data(), layers=["0", "1"], factor=factor) as heads:
            train(model, heads, data(), epochs=4)
        found.append(heads.report())
    np.testing.assert_allclose(found[0].accuracy, found[1].accuracy, atol=2 / N)
    assert [found[1].layers, found[1].total] == [("0", "1"), (N,) * 4]


# State.


def resumable(**options: Any) -> tuple[nn.Module, cl.RandomLabelHeads]:
    model = nn.Sequential(nn.Identity())
    return model, cl.RandomLabelHeads(model, data(), layers=["0"], num_labels=2, **options)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_loaded_heads_go_on_to_the_bits_of_uninterrupted_ones(before: int, tmp_path: Path) -> None:
    model, whole = resumable()
    look(model, whole, inputs(), epochs=4, size=20)
    model, first = resumable()
    parts = [list(batches(N, 20, epoch)) for epoch in range(4)]
    for ids in [each for epoch in parts[:before] for each in epoch]:
        model(inputs()[ids])
        first.loss(ids)
    torch.save(first.state_dict(), tmp_path / "heads.pt")
    model, second = resumable()
    second.load_state_dict(torch.load(tmp_path / "heads.pt", weights_only=True))
    assert second.report() == first.report()
    for ids in [each for epoch in parts[before:] for each in epoch]:
        model(inputs()[ids])
        second.loss(ids)
    assert second.report() == whole.report()
    assert torch.equal(second._readers.weights[0], whole._readers.weights[0])
    assert second.report().right[-1] > second.report().right[0]


def test_a_state_is_a_copy() -> None:
    model, heads = resumable()
    look(model, heads, inputs(), epochs=1, size=20)
    state = heads.state_dict()
    before = copy.deepcopy(state)
    look(model, heads, inputs(), epochs=1, size=20)
    other_model, other = resumable()
    other.load_state_dict(state)
    look(other_model, other, inputs(), epochs=1, size=20)
    for name in ("visits", "right", "total"):
        assert torch.equal(state[name], before[name])
    for name in ("weights", "exp_avg", "exp_avg_sq"):
        assert torch.equal(state["readers"][name], before["readers"][name])


def changed(part: str, value: Any) -> Any:
    def change(state: dict[str, Any]) -> dict[str, Any]:
        return {**state, part: value}

    return change


def changed_readers(part: str, value: Any) -> Any:
    return lambda state: {**state, "readers": {**state["readers"], part: value}}


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda state: [], TypeError, r"must be what `state_dict` returned, got list\.$"),
        (lambda state: {}, ValueError, r"`state_dict` returned, got no part 'heads'\.$"),
        (
            lambda state: resumable(seed=3)[1].state_dict(),
            ValueError,
            r"must be of heads with the same arguments, got RandomLabelHeads\(.*seed=3\), not Ra",
        ),
        (changed("examples", "f"), ValueError, r"must be of heads with the same examples, got f"),
        (changed("visits", 1), TypeError, r"must hold a tensor as visits, got int\.$"),
        (
            changed("total", torch.zeros(2)),
            ValueError,
            r"hold torch\.int64 of shape \(any\) as total, got torch\.float32 of shape \(2,\)\.$",
        ),
        (
            changed("right", torch.zeros(2, 1, dtype=torch.int64)),
            ValueError,
            r"hold torch\.int64 of shape \(1, 1\) as right, got torch\.int64 of shape \(2, 1\)\.$",
        ),
        (changed_readers("step", 0.5), TypeError, r"hold integers as sizes and step of the head"),
        (changed_readers("sizes", [12, 3]), ValueError, r"hold sizes of 1 layers, got 2\.$"),
        (
            changed_readers("exp_avg", torch.zeros(5)),
            ValueError,
            r"of shape \(48\) as exp_avg, got torch\.float32 of shape \(5,\)\.$",
        ),
    ],
)
def test_states_that_are_none_change_nothing(change: Any, kind: type, message: str) -> None:
    model, heads = resumable()
    look(model, heads, inputs(), epochs=1, size=20)
    before, weights = heads.report(), heads._readers.weights[0].clone()
    with pytest.raises(kind, match=message):
        heads.load_state_dict(change(heads.state_dict()))
    assert heads.report() == before
    assert torch.equal(heads._readers.weights[0], weights)


def test_paused_heads_see_nothing() -> None:
    model, heads = resumable()
    with heads.paused():
        model(inputs())
    with pytest.raises(RuntimeError, match="got no output of layer '0'"):
        heads.loss(torch.arange(N))
    model(inputs())
    heads.loss(torch.arange(N))


def test_heads_are_shown_by_what_decides_their_measurements() -> None:
    _, heads = resumable(features=standard, seed=3)
    assert repr(heads) == (
        "RandomLabelHeads(layers=['0'], num_classes=2, num_labels=2, factor=0.0, "
        "learning_rate=0.5, seed=3, features=standard)"
    )


# Mistakes.


@pytest.mark.parametrize(
    ("layers", "kind", "message"),
    [
        (["0", "conv"], ValueError, r"`layers` must only name 0, 1, 2, 3, 4, got 'conv'\."),
        ([], ValueError, r"`layers` must name at least one of 0, 1, 2, 3, 4, got none\."),
        (["0", "0"], ValueError, r"`layers` must differ, got '0' twice\."),
        ("0", TypeError, r"`layers` must be a list of names, got the string '0'\."),
    ],
)
def test_layers_that_are_not_there(layers: Sequence[str], kind: type, message: str) -> None:
    with pytest.raises(kind, match=f"^{message}$"):
        cl.RandomLabelHeads(network(), data(), layers=layers)


@pytest.mark.parametrize(
    ("ids", "kind", "message"),
    [
        ([0, 1, N], ValueError, rf"examples of `dataset`, which lie in 0 \.\. {N - 1}, got {N}\.$"),
        ([0, -1], ValueError, r"^`ids` must be at least 0, got -1\.$"),
        ([4, 1, 4], ValueError, r"every example of a batch once, got 4 2 times\.$"),
        ([], ValueError, r"^`ids` must hold at least one number, got none\.$"),
        ([0.5], TypeError, r"^`ids` must be integers, got float64\.$"),
        ([[0]], ValueError, r"^`ids` must be one-dimensional, got shape \(1, 1\)\.$"),
    ],
)
def test_ids_that_are_none(ids: Any, kind: type, message: str) -> None:
    heads = cl.RandomLabelHeads(network(), data(), layers=["0"])
    with pytest.raises(kind, match=message):
        heads.loss(ids)


@pytest.mark.parametrize(
    ("shown", "got"),
    [
        (lambda x: x[:-1], rf"shape \({N - 1}, {D}\) for {N} ids"),
        (lambda x: x.T, rf"shape \({D}, {N}\) for {N} ids"),
        (lambda x: x.sum(), rf"shape \(\) for {N} ids"),
        (lambda x: (x, x), "tuple"),
        (lambda x: x.int(), r"a tensor of torch\.int32"),
    ],
)
def test_outputs_without_the_batch_as_first_axis(shown: Any, got: str) -> None:
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(model, data(), layers=["0"])
    model(shown(inputs()))
    with pytest.raises(
        ValueError,
        match=r"^`layers` must have outputs that are tensors of floats whose first axis is the "
        rf"batch, got {got} from '0'; `features` may choose or move what is to be read\.$",
    ):
        heads.loss(torch.arange(N))
    assert heads.report().total == ()


def test_outputs_that_change_their_size() -> None:
    model = nn.Sequential(nn.Identity())
    heads = cl.RandomLabelHeads(model, data(), layers=["0"])
    model(inputs())
    heads.loss(torch.arange(N))
    model(inputs()[:, :4])
    with pytest.raises(ValueError, match=rf"got {D} features at first and 4 later from '0'; "):
        heads.loss(torch.arange(N))


def test_loss_needs_a_forward_pass_each_time() -> None:
    model = network()
    heads = cl.RandomLabelHeads(model, data(), layers=["0"])
    model(inputs())
    heads.loss(torch.arange(N))
    with pytest.raises(RuntimeError, match=r"got no output of layer '0' since the last call\.$"):
        heads.loss(torch.arange(N))


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"num_classes": 1}, ValueError, "`num_classes` must be at least 2, got 1."),
        ({"num_labels": 0}, ValueError, "`num_labels` must be at least 1, got 0."),
        ({"factor": -1.0}, ValueError, "`factor` must be at least 0, got -1.0."),
        ({"learning_rate": 0.0}, ValueError, "`learning_rate` must be above 0, got 0.0."),
        ({"seed": -1}, ValueError, "`seed` must be at least 0, got -1."),
        ({"num_classes": 2.5}, TypeError, "`num_classes` must be an integer, got 2.5."),
    ],
)
def test_numbers_out_of_range(arguments: Any, kind: type, message: str) -> None:
    with pytest.raises(kind) as raised:
        cl.RandomLabelHeads(network(), data(), layers=["0"], **arguments)
    assert str(raised.value) == message


def test_examples_that_are_there_twice() -> None:
    twice = Subset(data(), [4, 2, 4])
    with pytest.raises(
        ValueError, match=r"^`dataset` must hold every example once, got example 4 2"
    ):
        cl.RandomLabelHeads(network(), twice, layers=["0"])
    joined: ConcatDataset[Any] = ConcatDataset(
        [data(), data()]
    )  # two data sets, whose examples differ
    assert cl.RandomLabelHeads(network(), joined, layers=["0"]).labels([2 * N - 1]).shape == (1, 1)


def test_data_parallel_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^`model` must not be in DataParallel"):
        cl.RandomLabelHeads(nn.DataParallel(network()), data(), layers=["0"])
