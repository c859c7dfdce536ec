"""The path of ImageNet: many files, many classes, workers, processes, and a large network."""

import math
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import UnidentifiedImageError
from torch import nn

from corruptlab import Draws, Execution, RandomLabels, Recipe, corrupt, fit
from tests.fresh import Fresh

from .programs.imagenet import EXAMPLES, image_folder
from .programs.launch import launched, left
from .programs.vision import image_tree

CLASSES = 1000


@pytest.fixture(scope="module")
def tree(torchvision_datasets: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small JPEG file in each of a thousand folders."""
    assert torchvision_datasets is not None
    return image_tree(tmp_path_factory.mktemp("tree"), classes=CLASSES)


@pytest.mark.slow(seconds=1)
def test_wrapping_a_thousand_files_decodes_a_few(tree: Path) -> None:
    decoded: list[str] = []
    noisy = corrupt(image_folder(tree, decoded, 48), RandomLabels(), seed=0)
    assert noisy.num_classes == CLASSES
    assert noisy.clean_targets.tolist() == list(range(CLASSES))
    assert len(set(noisy.targets.tolist())) > 500
    assert 0 < len(decoded) < 10


@pytest.mark.slow
def test_a_fit_decodes_each_file_once_an_epoch_and_a_few_more(tree: Path) -> None:
    decoded: list[str] = []
    noisy = corrupt(image_folder(tree, decoded, 16), RandomLabels(), seed=0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, CLASSES))
    recipe = Recipe(learning_rate=0.01, epochs=2, batch_size=64, whiten=True, decay=0.95)
    decoded.clear()
    report = fit(
        model, noisy, recipe=recipe, stop=(), measure="loss", execution=Execution(data="stream")
    )
    times = Counter(Counter(decoded).values())
    assert report.train_accuracy < 1
    # Twice for training, once for the last accuracy; the passes that find an error give up at once.
    assert len(decoded) < 3 * CLASSES + 2 * 256 + 40
    assert min(times) == 3


@pytest.mark.usefixtures("no_other_threads")  # torchvision may be one that cannot be imported anew
def test_an_unreadable_picture_is_named(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "whole.JPEG").write_bytes(next(tree.glob("*/*.JPEG")).read_bytes())
    (tmp_path / "a" / "broken.JPEG").write_bytes(b"no picture")
    folder = image_folder(tmp_path, [], 48)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 48 * 48, 1))
    recipe = Recipe(learning_rate=0.01, epochs=1, whiten=True, decay=0.95)
    with pytest.raises(UnidentifiedImageError, match=r"broken\.JPEG"):
        fit(model, folder, recipe=recipe, execution=Execution(data="stream", workers=1))


@pytest.mark.slow(seconds=25)
def test_inception_v3_is_trained_by_two_processes_with_two_workers_each(
    fresh: Fresh, tree: Path, tmp_path: Path
) -> None:
    done = launched(fresh, "imagenet", 2, 1, tmp_path, str(tree))
    assert (done.status, left(tmp_path, 0)["failure"]) == (0, ""), done.errors
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert one["report"] == two["report"]
    assert one["weights"] == two["weights"]
    before, after = one["weights"]
    assert before != after
    report: Any = one["report"]
    assert (report["processes"], report["steps"], report["stopped_by"]) == (2, 2, "epochs")
    assert (report["execution"]["data"], report["execution"]["workers"]) == ("stream", 2)
    assert all(0.5 * math.log(CLASSES) < loss < 2 * math.log(CLASSES) for loss in report["losses"])
    assert one["num_classes"] == CLASSES
    assert (
        one["labels"]
        == RandomLabels()
        .labels(  # the labels follow the file, not its place
            torch.arange(CLASSES).numpy(), num_classes=CLASSES, draws=Draws(0)
        )[list(EXAMPLES)]
        .tolist()
    )
    assert 0 < one["decoded_to_wrap"] < 10
    assert one["decoded_here"] < 40  # workers do the rest
