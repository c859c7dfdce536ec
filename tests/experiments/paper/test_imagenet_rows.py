"""Table 2 on a small tree of JPEG files: images, labels, and accuracies are what they should be."""

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import corruptlab as cl
from corruptlab.datasets import DataFileError
from corruptlab.experiments import paper
from corruptlab.experiments.paper import _table2
from corruptlab.experiments.paper._table2 import TopK, Watch, image_folder

CLASSES, EACH = 7, 2


@pytest.fixture(scope="module")
def tree(torchvision_datasets: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert torchvision_datasets is not None
    from tests.training.programs.vision import image_tree

    folder = tmp_path_factory.mktemp("imagenet")
    for part in ("train", "val"):
        image_tree(folder / part, classes=CLASSES, per_class=EACH, size=90)
    return folder


def test_images_are_bytes_of_the_size_that_is_asked_for(tree: Path) -> None:
    for augment in (False, True):
        image, label = image_folder(f"imagenet:{tree}", "train", size=64, augment=augment)[3]
        assert (image.dtype, tuple(image.shape), label) == (torch.uint8, (3, 64, 64), 1)
    plain = image_folder(f"imagenet:{tree}", "train", size=64)
    assert torch.equal(plain[0][0], plain[0][0])
    changed = image_folder(f"imagenet:{tree}", "train", size=64, augment=True)
    torch.manual_seed(0)  # torchvision's crops draw from PyTorch's generator
    assert not torch.equal(changed[0][0], changed[0][0])


def test_a_folder_without_its_parts_is_named(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"train: expected images in a folder for each class"):
        image_folder(f"imagenet:{tmp_path}", "train", size=64)


@pytest.mark.parametrize("execution", [cl.Execution(), cl.Execution(data="stream", workers=1)])
def test_top_k_counts_labels_among_the_k_largest_outputs(execution: cl.Execution) -> None:
    n, classes = 50, 9
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(n, classes, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator)
    order = np.argsort(-outputs.numpy(), axis=1)
    first = np.mean(order[:, 0] == labels.numpy())
    among = np.mean([label in row[:5] for label, row in zip(labels.numpy(), order, strict=True)])
    recipe = cl.Recipe(learning_rate=1.0, epochs=1, batch_size=16, whiten=False, decay=0.95)
    top = TopK.of(
        TensorDataset(outputs, labels),
        "test",
        recipe=recipe,
        execution=execution,
        device="cpu",
        seed=0,
    )
    network = nn.Dropout(0.5)
    assert top(network) == pytest.approx((first, among))
    assert network.training  # it was put in evaluation mode, and back
    assert not torch.multiprocessing.active_children()


def test_watching_never_stops_a_fit_and_measures_once_an_epoch() -> None:
    found = iter([(0.1, 0.5), (0.2, 0.6)])
    watch = Watch(nn.Identity(), lambda network: next(found), None)  # type: ignore[arg-type]  # like it
    assert not watch.met(SimpleNamespace())
    assert not watch.met(SimpleNamespace())
    assert watch.test == [(0.1, 0.5), (0.2, 0.6)]
    assert watch.train == []


@pytest.mark.slow(seconds=1)
def test_a_row_trains_on_files_and_reports_top_1_and_top_5(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(name: str, *, num_classes: int, seed: int = 0, **others: Any) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, num_classes))

    monkeypatch.setattr(_table2, "by_name", small)
    monkeypatch.setattr(_table2, "seconds_per_step", lambda *arguments: 0.5)
    asked: dict[str, Any] = {
        "rows": ["inception-v3 random-labels plain", "inception-v3 true augment"],
        "data": f"imagenet:{tree}",
        "changes": {"size": 75, "workers": 0, "recipe.batch_size": 4},
        "epochs": 2,
        "progress": False,
    }
    n = CLASSES * EACH
    estimate = paper.plan("table2", **{**asked, "rows": asked["rows"][:1]}).seconds
    assert estimate == pytest.approx(2 * (n + n / 3) / 4 * 0.5)
    both = paper.plan("fig2", **{**asked, "rows": ["fig2a inception-v3 true plain"]}).seconds
    assert both == pytest.approx(2 * (n + n / 3 + n / 3) / 4 * 0.5)  # training images, too
    learned: list[int] = []

    def watched(network: nn.Module, train: Any, **options: Any) -> Any:
        learned.append(int((train.targets != train.clean_targets).sum()))
        return cl.fit(network, train, **options)

    monkeypatch.setattr(_table2, "fit", watched)
    found = cl.reproduce("table2", out=tmp_path / "out", **asked)
    assert found.failures == ()
    assert learned[0] == 0 < learned[1]  # true labels, then random ones
    true, random = found.measurements
    assert (true.row, random.row) == tuple(reversed([f"{name}" for name in asked["rows"]]))
    for each in found.measurements:
        for name in ("train", "test", "best_test"):
            assert 0 <= each.measured[f"{name}_top1"] <= each.measured[f"{name}_top5"] <= 100
        assert each.measured["best_test_top1"] >= each.measured["test_top1"]
        assert len(each.curves["test"]) == 2
        assert each.measured["best_test_top1"] == max(each.curves["test"])
        assert each.sample.endswith(f", {n} + {n} images")
    curves = cl.reproduce(
        "fig2", out=tmp_path / "out", **{**asked, "rows": ["fig2a inception-v3 true plain"]}
    )
    assert len(curves.measurements[0].curves["train"]) == 2


@pytest.mark.slow
def test_inception_v3_itself_is_built_for_the_classes_of_the_tree(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_table2, "seconds_per_step", lambda *arguments: 0.5)
    found = cl.reproduce(
        "table2",
        rows=["inception-v3 random-labels dropout weight-decay"],
        data=f"imagenet:{tree}",
        out=tmp_path / "out",
        changes={"size": 75, "workers": 0, "recipe.batch_size": 7, "recipe.learning_rate": 1e-3},
        epochs=1,
        progress=False,
    )
    assert found.complete, str(found)
    assert found.measurements[0].measured["epochs"] == 1
