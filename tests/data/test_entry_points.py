"""Every entry point reads every kind of data set as its items serve it."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import corruptlab as cl
from corruptlab.corruptions import example_reader, served_labels

from .kinds import CLASSES, Kind, Memory, attributes, catalogue

RECIPE = cl.Recipe(learning_rate=1e-6, epochs=1, batch_size=20, whiten=False, decay=0.95)
NOISE = cl.UniformLabels(p=0.5)


def corrupts(kind: Kind) -> None:
    noisy = cl.corrupt(kind.dataset, NOISE, seed=3)
    assert_array_equal(noisy.clean_targets, kind.labels)
    assert noisy.num_classes >= kind.labels.max() + 1
    at = list(range(len(noisy)))
    for items in ([noisy[i] for i in at], noisy.__getitems__(at)):
        encoding = noisy.provenance.encoding
        told: dict[str, Any] = {"num_classes": noisy.num_classes}
        if encoding is not None:
            told = {"classes": encoding.classes}
        assert_array_equal(cl.corrupt(items, **told).clean_targets, noisy.targets)
    assert_array_equal(noisy.inputs_at(at), kind.inputs)


def corrupts_pixels(kind: Kind) -> None:
    noisy = cl.corrupt(kind.dataset, cl.RandomPixels(), seed=3)
    moved = cl.RandomPixels().inputs(kind.inputs, draws=cl.Draws(3), ids=noisy.ids)
    assert_array_equal(cl.materialize(noisy)[0].numpy(), moved)


def materializes(kind: Kind) -> None:
    inputs, labels = cl.materialize(kind.dataset)
    assert_array_equal(inputs.numpy(), kind.inputs)
    assert_array_equal(labels.numpy(), kind.labels)


def reads(kind: Kind) -> None:
    read, n = example_reader(kind.dataset), len(kind.labels)
    at = np.array([n - 1, 0, 3, 3])
    inputs, labels = read(at)
    assert_array_equal(inputs, kind.inputs[at])
    assert_array_equal(labels, kind.labels[at])
    assert read.targets is None or read.targets.tolist() == kind.labels.tolist()
    assert served_labels(kind.dataset, at.tolist()) == kind.labels[at].tolist()


def fits(kind: Kind) -> None:
    assert cl.fit(Memory(kind), kind.dataset, recipe=RECIPE).train_accuracy == 1


def fits_a_stream(kind: Kind) -> None:
    streamed = cl.Execution(data="stream")
    found = cl.fit(Memory(kind), kind.dataset, recipe=RECIPE, execution=streamed)
    assert found.train_accuracy == 1


def fits_replicas(kind: Kind) -> None:
    inputs, labels = cl.materialize(kind.dataset)
    found = cl.fit_replicas(Memory(kind), inputs.float(), labels[None], recipe=RECIPE)
    assert float(found.train_accuracy[0]) == 1


def remembers(kind: Kind) -> None:
    """Check that what is no canary keeps its label."""

    def train(dataset: cl.Corrupted, epoch_end: Any) -> Any:
        who = [(kind.inputs == x).reshape(len(kind.inputs), -1).all(1).argmax()
               for x in dataset.inputs_at(range(len(dataset)))]  # fmt: skip
        assert (dataset.targets != kind.labels[who]).sum() <= 6
        assert_array_equal(dataset.clean_targets, kind.labels[who])
        return lambda inputs: torch.zeros(len(inputs), CLASSES)

    cl.memorization_report(train, kind.dataset, canaries=6)


def permutes(kind: Kind) -> None:
    found = cl.permutation_test(
        Memory(kind), kind.dataset, folds=2, recipe=RECIPE, permutations=1, level=0.5
    )
    assert found.observed == 1


def randomizes(kind: Kind) -> None:
    found = cl.randomization_test(Memory(kind), kind.dataset, recipe=RECIPE, settings=["true"])
    assert found.rows[0].fit.train_accuracy == 1


def audits(kind: Kind) -> None:
    report = cl.audit(kind.dataset, workers=0)
    assert report["train: items"].status == "ok"
    assert report["train: classes"].status == "ok"


ENTRY_POINTS: dict[str, Callable[[Kind], None]] = {
    "corrupt": corrupts,
    "corrupt pixels": corrupts_pixels,
    "materialize": materializes,
    "example_reader": reads,
    "fit": fits,
    "fit a stream": fits_a_stream,
    "fit_replicas": fits_replicas,
    "randomization_test": randomizes,
    "permutation_test": permutes,
    "memorization_report": remembers,
    "audit": audits,
}

# The functions of `capacity` take arrays: what `materialize` gives.
CASES = [(entry, name) for entry in ENTRY_POINTS for name in catalogue()]


@pytest.mark.parametrize(("entry", "name"), CASES)
def test_every_kind_is_read_as_its_items_serve_it(entry: str, name: str) -> None:
    ENTRY_POINTS[entry](catalogue()[name]())


@pytest.mark.parametrize("name", catalogue())
def test_every_kind_goes_to_another_process(name: str) -> None:
    kind = catalogue()[name]()
    if name != "other: wrapper in disguise":  # which pickle refuses itself
        noisy = pickle.loads(pickle.dumps(cl.corrupt(kind.dataset, NOISE, seed=3)))
        assert_array_equal(cl.materialize(noisy)[1], noisy.targets)
        assert_array_equal(noisy.clean_targets, kind.labels)


@pytest.mark.parametrize("name", attributes())
def test_an_attribute_with_a_familiar_name_neither_raises_nor_lies(name: str) -> None:
    kind = attributes()[name]()
    for act in (corrupts, materializes, reads):
        act(kind)
