"""Other libraries: each trains on our noise as it would on anything, and gets to a p-value."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import corruptlab as cl

N = 48
NOISE = cl.UniformLabels(p=0.5)


@pytest.fixture(scope="module")
def points() -> TensorDataset:
    """Two classes that the first of four numbers tells apart."""
    x = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
    return TensorDataset(x, (x[:, 0] > 0).long())


@pytest.fixture(scope="module")
def noisy(points: TensorDataset) -> cl.Corrupted:
    return cl.corrupt(points, NOISE, seed=0)


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))


def significant(learner: Any, data: Any, **options: Any) -> bool:
    found = cl.permutation_test(learner, data, folds=2, permutations=9, level=0.1, **options)
    report = cl.memorization_report(learner, data, canaries=10)
    assert 0 <= report.gap.p_value <= 1
    return found.p_value == 0.1


def arrays(points: TensorDataset) -> Any:
    return points.tensors[0].numpy(), points.tensors[1].numpy()


# ------------------------------------------------------------------------------------- estimators


def test_lightgbm(points: TensorDataset) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    trees = lightgbm.LGBMClassifier(n_estimators=10, min_child_samples=2, n_jobs=1, verbose=-1)
    assert significant(trees, arrays(points), statistic="auroc")


def test_catboost(points: TensorDataset) -> None:
    catboost = pytest.importorskip("catboost")
    trees = catboost.CatBoostClassifier(
        iterations=10, thread_count=1, verbose=False, allow_writing_files=False
    )
    assert significant(trees, arrays(points), statistic="log-likelihood")


def test_imbalanced_learn(points: TensorDataset) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    pipelines = pytest.importorskip("imblearn.pipeline")
    sampling = pytest.importorskip("imblearn.over_sampling")
    model = pipelines.make_pipeline(sampling.RandomOverSampler(), linear_model.LogisticRegression())
    assert significant(model, arrays(points), statistic="balanced_accuracy")


def test_skorch(points: TensorDataset, noisy: cl.Corrupted) -> None:
    skorch = pytest.importorskip("skorch")
    model = skorch.NeuralNetClassifier(
        net, criterion=nn.CrossEntropyLoss, lr=0.1, max_epochs=30, train_split=None, verbose=0
    )
    assert significant(model, arrays(points))
    model.fit(noisy, y=None)  # a data set of any kind
    assert model.predict(points.tensors[0].numpy()).shape == (N,)


# ------------------------------------------------------------------------------- training functions


def loop(network: nn.Module, loader: Any, backward: Any = torch.Tensor.backward) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(20):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x), y)
            backward(loss)
            optimizer.step()


def test_accelerate(points: TensorDataset, noisy: cl.Corrupted) -> None:
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)

    def train(data: Any, *, seed: int) -> Any:
        network, loader = accelerator.prepare(net(), DataLoader(data, 16, shuffle=True))
        loop(network, loader, accelerator.backward)
        return network

    assert significant(train, points)
    served = torch.cat([y for _, y in accelerator.prepare(DataLoader(noisy, 16))])
    assert_array_equal(served, noisy.targets)


def test_ignite(points: TensorDataset) -> None:
    engine = pytest.importorskip("ignite.engine")

    def train(data: Any, *, seed: int) -> Any:
        network = net()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
        trainer = engine.create_supervised_trainer(network, optimizer, nn.CrossEntropyLoss())
        trainer.run(DataLoader(data, 16, shuffle=True), max_epochs=20)
        return network

    assert significant(train, points)


def test_fastai(points: TensorDataset) -> None:
    learner = pytest.importorskip("fastai.learner")
    loading = pytest.importorskip("fastai.data.core")

    def train(data: Any, *, seed: int) -> Any:
        loaders = loading.DataLoaders.from_dsets(data, data, bs=8, num_workers=0)
        taught = learner.Learner(loaders, net(), loss_func=nn.CrossEntropyLoss())
        with taught.no_logging():
            taught.fit(15, lr=0.02)
        return taught.model

    assert significant(train, points)


def test_keras(points: TensorDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")

    def train(data: Any, *, seed: int) -> Callable[[Any], Any]:
        model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        model.compile(optimizer=keras.optimizers.Adam(0.1), loss="sparse_categorical_crossentropy")
        model.fit(data.inputs, data.labels, epochs=15, verbose=0)
        return lambda x: model.predict(x, verbose=0)

    assert significant(train, arrays(points), statistic="log-likelihood")


def test_jax(points: TensorDataset) -> None:
    jax = pytest.importorskip("jax")

    def train(data: Any, *, seed: int) -> Callable[[Any], Any]:
        def loss(weights: Any) -> Any:
            log_p = jax.nn.log_softmax(data.inputs @ weights)
            return -log_p[np.arange(len(data)), data.labels].mean()

        weights, gradient = np.zeros((4, 2)), jax.jit(jax.grad(loss))
        for _ in range(20):
            weights = weights - gradient(weights)
        return lambda x: np.asarray(x @ weights)

    assert significant(train, arrays(points))


def test_torch_geometric() -> None:
    graphs = pytest.importorskip("torch_geometric.data")
    loading = pytest.importorskip("torch_geometric.loader")
    layers = pytest.importorskip("torch_geometric.nn")

    def graph(i: int) -> Any:
        nodes = 3 + i % 4
        ring = torch.arange(nodes)
        draws = torch.Generator().manual_seed(i)
        x = torch.randn(nodes, 2, generator=draws) + 3 * (i % 2)
        return graphs.Data(x=x, edge_index=torch.stack([ring, ring.roll(1)]))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = layers.GCNConv(2, 8), nn.Linear(8, 2)

        def forward(self, batch: Any) -> torch.Tensor:
            hidden = self.conv(batch.x, batch.edge_index).relu()
            found: torch.Tensor = self.head(layers.global_mean_pool(hidden, batch.batch))
            return found

    def train(data: Any, *, seed: int) -> Callable[[Any], Any]:
        network = Network()
        loop(network, loading.DataLoader(data, batch_size=16, shuffle=True))
        return lambda some: network(graphs.Batch.from_data_list(some))

    pairs = [(graph(i), i % 2) for i in range(N)]
    assert significant(train, pairs)
    noisy = cl.corrupt(pairs, NOISE, seed=0)
    served = torch.cat([y for _, y in loading.DataLoader(noisy, batch_size=16)])
    assert_array_equal(served, noisy.targets)


# ------------------------------------------------------------------------------- networks and data


@pytest.mark.filterwarnings("default")
def test_timm() -> None:
    timm = pytest.importorskip("timm")
    images = torch.randn(16, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    data = cl.corrupt(TensorDataset(images, torch.arange(16) % 4), cl.RandomLabels(), seed=0)
    network = timm.create_model("test_vit", num_classes=4, img_size=64)
    recipe = cl.Recipe(optimizer="adamw", learning_rate=3e-3, epochs=60, batch_size=8)
    assert cl.fit(network, data, recipe=recipe).train_accuracy == 1


def keyed() -> Iterator[Any]:
    for i in range(N):
        yield {"__key__": f"{i:04}", "cls": i % 3, "txt": str(i)}


@pytest.mark.parametrize("workers", [0, 2])
def test_webdataset(tmp_path: Path, workers: int) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.ShardWriter(str(tmp_path / "%d.tar"), maxcount=N // 2, verbose=0) as shards:
        for sample in keyed():
            shards.write(sample)
    stream = webdataset.WebDataset(
        [str(tmp_path / "0.tar"), str(tmp_path / "1.tar")], shardshuffle=False
    ).decode()
    served = cl.CorruptedStream(stream, NOISE, key="__key__", label_key="cls", num_classes=3)
    loader = webdataset.WebLoader(served, batch_size=None, num_workers=workers)
    found = {sample["__key__"]: int(sample["cls"]) for sample in loader}
    ids = [cl.CorruptedStream.example_id(f"{i:04}") for i in range(N)]
    whole = cl.corrupt([(0, i % 3) for i in range(N)], NOISE, ids=ids)
    assert found == {f"{i:04}": int(label) for i, label in enumerate(whole.targets)}


def test_torchdata(noisy: cl.Corrupted) -> None:
    loaders = pytest.importorskip("torchdata.stateful_dataloader")
    loader = loaders.StatefulDataLoader(noisy, batch_size=8, num_workers=2)
    batches = iter(loader)
    first = [next(batches)[1] for _ in range(2)]
    state = loader.state_dict()
    again = loaders.StatefulDataLoader(noisy, batch_size=8, num_workers=2)
    again.load_state_dict(state)
    assert_array_equal(torch.cat([*first, *(y for _, y in again)]), noisy.targets)
