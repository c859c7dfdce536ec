"""Inputs of several fields, batches that a function of the user makes, and outputs with logits."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, Subset, TensorDataset, default_collate

import corruptlab as cl
from corruptlab import Draws, Execution, FitReport, Recipe, fit

N, LENGTH, WORDS = 24, 6, 12
RECIPE = Recipe(learning_rate=0.5, epochs=3, batch_size=10)
KEYS = ("input_ids", "attention_mask")

_generator = torch.Generator().manual_seed(0)
IDS = torch.randint(1, WORDS, (N, LENGTH), generator=_generator)
LENGTHS = torch.tensor([LENGTH, *(2 + k % 3 for k in range(1, N))])
MASK = (torch.arange(LENGTH) < LENGTHS[:, None]).long()
LABELS = torch.randint(3, (N,), generator=_generator)


class Reader(nn.Module):
    """The mean embedding of the words that the mask keeps."""

    def __init__(self, show: Callable[[Tensor], Any] = lambda scores: scores) -> None:
        super().__init__()
        self.words, self.scores, self._show = nn.Embedding(WORDS, 8), nn.Linear(8, 3), show
        generator = torch.Generator().manual_seed(1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        kept = attention_mask[:, :, None].float()
        mean = (self.words(input_ids) * kept).sum(1) / kept.sum(1)
        return self._show(self.scores(mean))


class Side(nn.Module):
    """The same network for both fields side by side in one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = Reader()

    def forward(self, both: Tensor) -> Any:
        return self.reader(both[:, 0], both[:, 1])


def fields(*, ragged: bool = False) -> list[dict[str, Any]]:
    rows = zip(IDS, MASK, LABELS.tolist(), LENGTHS.tolist(), strict=True)
    ends = [LENGTH if not ragged else length for length in LENGTHS.tolist()]
    return [
        {"input_ids": ids[:end], "attention_mask": mask[:end], "label": label}
        for (ids, mask, label, _), end in zip(rows, ends, strict=True)
    ]


def items(**options: bool) -> Any:
    return [({key: x[key] for key in KEYS}, x["label"]) for x in fields(**options)]


def padded(batch: list[Any]) -> Any:
    """Return items of different lengths as a batch."""
    columns = {key: nn.utils.rnn.pad_sequence([x[key] for x, _ in batch], True) for key in KEYS}
    return columns, torch.tensor([label for _, label in batch])


def run(train: Any, model: nn.Module | None = None, **changes: Any) -> FitReport:
    options: dict[str, Any] = {"recipe": RECIPE, "stop": (), "measure": "all", **changes}
    return fit(Reader() if model is None else model, train, **options)


def results(report: FitReport) -> Any:
    return report.losses, report.train_accuracy, report.train_loss, report.history


EXPECTED = results(run(TensorDataset(torch.stack([IDS, MASK], 1), LABELS), Side()))

SERVED: dict[str, tuple[Any, dict[str, Any]]] = {
    "dictionaries": (items(), {}),
    "tuples": ([(tuple(x.values()), y) for x, y in items()], {}),
    "arrays": ([({k: v.numpy() for k, v in x.items()}, y) for x, y in items()], {}),
    "named fields": (fields(), {"input_key": KEYS}),
    "positions": (TensorDataset(LABELS, IDS, MASK), {"input_key": (1, 2), "label_key": 0}),
    "items with positions": (
        [(y, *x.values()) for x, y in items()],
        {"input_key": (1, 2), "label_key": 0},
    ),
    "a pair": (({"input_ids": IDS, "attention_mask": MASK.numpy()}, LABELS), {}),
    "a stream": (items(), {"execution": Execution(data="stream")}),
    "collated items": (items(), {"collate": default_collate}),
    "collated fields": (fields(), {"collate": default_collate, "input_key": KEYS}),
    "collated fields without names": (fields(), {"collate": default_collate}),
    "collated pairs": (fields(), {"collate": lambda some: padded([(x, x["label"]) for x in some])}),
    "a renamed label": (
        fields(),
        {"collate": lambda some: {"labels": (made := default_collate(some)).pop("label"), **made}},
    ),
    "no noise": (cl.corrupt(fields(), label_key="label"), {"input_key": KEYS}),
    "other keys than those of the noise": (
        cl.corrupt(fields(), input_key="input_ids"),
        {"input_key": KEYS},
    ),
    "named to the noise": (cl.corrupt(fields(), input_key=KEYS), {}),
    "parts": (ConcatDataset([cl.corrupt(items()[:9]), items()[9:]]), {}),
    "a cut": (Subset(items() * 2, range(N, 2 * N)), {}),
}


@pytest.mark.parametrize("how", SERVED)
def test_the_bits_are_those_of_one_tensor_with_both_fields(how: str) -> None:
    train, options = SERVED[how]
    assert results(run(train, **options)) == EXPECTED


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("collate", [None, padded])
def test_worker_processes_send_the_fields(collate: Any) -> None:
    execution = Execution(data="stream", workers=2)
    assert results(run(items(), collate=collate, execution=execution)) == EXPECTED


def test_batches_that_are_padded_by_themselves_give_the_losses_of_a_plain_loop() -> None:
    ragged, model = items(ragged=True), Reader()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    losses, shapes = [], set()
    for epoch in range(3):
        order = Draws(0).permutations("fit/order", [epoch], N)[0].tolist()
        for start in range(0, N, 10):
            inputs, targets = padded([ragged[i] for i in order[start : start + 10]])
            loss = nn.functional.cross_entropy(model(**inputs), targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
            shapes.add(inputs["input_ids"].shape)
    test = ragged[1:]  # which has no long one
    report = run(ragged, test=test, collate=padded, execution=Execution(deterministic=True))
    assert list(report.losses) == losses
    assert len({shape[1] for shape in shapes}) > 1
    assert report.execution.data == "stream"
    model.eval()
    inputs, targets = padded(ragged)
    right = (model(**inputs).argmax(1) == targets).float().mean().item()
    assert report.train_accuracy == pytest.approx(right)
    assert report.test_accuracy == pytest.approx((right * N - right_on_first(model)) / (N - 1))


def right_on_first(model: nn.Module) -> float:
    """Return 1 if a network is right on the first item, or else 0."""
    inputs, targets = padded(items(ragged=True)[:1])
    return float(model(**inputs).argmax(1) == targets)


class Named(NamedTuple):
    logits: Tensor
    aux_logits: Tensor


@pytest.mark.parametrize(
    "show", [lambda scores: SimpleNamespace(logits=scores), lambda scores: {"logits": scores}]
)
def test_an_output_with_logits_is_its_logits(show: Callable[[Tensor], Any]) -> None:
    assert results(run(items(), Reader(show))) == EXPECTED


def test_further_outputs_of_a_named_tuple_are_not_lost_in_silence() -> None:
    with pytest.raises(ValueError, match=r"^`model` must return one row of .* got Named; wrap it"):
        run(items(), Reader(lambda scores: Named(scores, scores)))


class Graph:
    """Any number of nodes; nothing that could be stacked."""

    def __init__(self, nodes: Tensor) -> None:
        self.nodes = nodes


class Graphs:
    def __init__(self, graphs: list[Graph]) -> None:
        self.nodes = torch.cat([graph.nodes for graph in graphs])
        self.of = torch.cat([torch.full((len(g.nodes),), k) for k, g in enumerate(graphs)])
        self.moved_to: Any = None

    def to(self, device: Any) -> "Graphs":
        self.moved_to = device
        return self


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Linear(1, 2)

    def forward(self, graphs: Graphs) -> Tensor:
        assert graphs.moved_to == torch.device("cpu")
        sums = torch.zeros(int(graphs.of.max()) + 1, 1).index_add(0, graphs.of, graphs.nodes)
        scores: Tensor = self.scores(sums)
        return scores


def graphs(n: int = 20) -> list[tuple[Graph, str]]:
    """Return graphs of class "large" if their nodes sum to more than 0."""
    values = np.random.default_rng(0).normal(size=(n, 3))
    return [
        (Graph(torch.tensor(v[: 1 + k % 3, None]).float()), "large" if k % 2 else "small")
        for k, v in enumerate(np.where(np.arange(n)[:, None] % 2, abs(values), -abs(values)))
    ]


def of_graphs(some: list[tuple[Graph, str]]) -> tuple[Graphs, list[str]]:
    return Graphs([graph for graph, _ in some]), [label for _, label in some]


def test_objects_of_any_type_go_through_corrupt_and_collate_to_the_model() -> None:
    recipe = Recipe(learning_rate=0.5, epochs=200, batch_size=7)
    report = fit(Pooled(), graphs(), graphs(6), recipe=recipe, collate=of_graphs)
    assert (report.stopped_by, report.train_accuracy) == ("interpolated", 1.0)
    noisy = cl.corrupt(graphs(), cl.UniformLabels(p=0.5), seed=1)
    assert noisy[3][0].nodes.shape == graphs()[3][0].nodes.shape
    assert 0 < noisy.realized_rate < 0.6
    wrong = fit(Pooled(), noisy, recipe=replace(recipe, epochs=5), collate=of_graphs)
    assert wrong.train_accuracy < 1.0


class Seen(nn.Module):
    """Notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.bias, self.seen = nn.Parameter(torch.zeros(2)), dict[str, Tensor]()

    def forward(self, **given: Tensor) -> Tensor:
        self.seen = given
        return self.bias.expand(len(given["bytes"]), -1)


def test_each_field_is_prepared_like_an_input_of_its_own() -> None:
    item = {
        "bytes": torch.tensor([0, 255], dtype=torch.uint8),
        "words": torch.tensor([3, 300]),
        "mask": torch.tensor([True, False]),
        "doubles": torch.tensor([0.5], dtype=torch.float64),
    }
    model = Seen()
    fit(model, [(item, 0), (item, 1)], recipe=replace(RECIPE, epochs=1))
    found = {name: (value.dtype, value[0].tolist()) for name, value in model.seen.items()}
    assert found == {
        "bytes": (torch.float32, [0.0, 1.0]),
        "words": (torch.int64, [3, 300]),
        "mask": (torch.bool, [True, False]),
        "doubles": (torch.float32, [0.5]),
    }


def test_what_a_function_makes_may_be_infinite() -> None:
    def with_bias(some: list[Any]) -> Any:
        return {"bytes": torch.ones(len(some), 2), "bias": torch.full((len(some),), -torch.inf)}, [
            label for _, label in some
        ]

    model = Seen()
    fit(model, [(0, 0), (0, 1)], recipe=replace(RECIPE, epochs=1), collate=with_bias)
    assert model.seen["bias"].tolist() == [-torch.inf] * 2


def test_a_network_that_writes_into_its_inputs_does_not_reach_the_data() -> None:
    class Writing(Reader):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
            scores = super().forward(input_ids.clone(), attention_mask.clone())
            input_ids.zero_()
            attention_mask.fill_(1)
            return scores

    before = IDS.clone()
    assert results(run(({"input_ids": IDS, "attention_mask": MASK}, LABELS), Writing())) == EXPECTED
    assert torch.equal(IDS, before)


def test_a_checkpoint_belongs_to_all_fields(tmp_path: Path) -> None:
    columns = {"input_ids": IDS, "attention_mask": MASK}
    half = replace(RECIPE, epochs=3)
    run((columns, LABELS), recipe=half, checkpoint=tmp_path)
    again = run((columns, LABELS), recipe=half, checkpoint=tmp_path)
    assert results(again) == EXPECTED
    other = {**columns, "attention_mask": torch.ones_like(MASK)}
    with pytest.raises(ValueError, match=r"^`checkpoint` must "):
        run((other, LABELS), recipe=half, checkpoint=tmp_path)


class Dropping:
    """Drops a word at random whenever it is read."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, i: int) -> Any:
        kept = MASK[i].clone()
        kept[1 + torch.randint(LENGTH - 1, ())] = 0
        return {"input_ids": IDS[i], "attention_mask": kept}, int(LABELS[i])


def test_a_random_field_is_read_anew_in_every_epoch() -> None:
    with pytest.warns(UserWarning, match="`train` serves other inputs at every reading"):
        report = run(Dropping())
    assert report.execution.data == "stream"


def test_fields_that_do_not_fit_into_memory_are_streamed(memory: Callable[[int], None]) -> None:
    memory(1000)
    with pytest.warns(UserWarning, match="`train` needs .* GiB of memory"):
        assert results(run(items())) == EXPECTED


class CollateError(Exception):
    pass


def failing(_: list[Any]) -> Any:
    raise CollateError("on purpose")


def changed(position: int, **new: Any) -> Any:
    made = items()
    made[position] = ({**made[position][0], **new}, 0)
    return made


WRONG: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "ragged": (
        items(ragged=True),
        {},
        ValueError,
        "`train['input_ids']` must have inputs of one shape, got (6,) at position 0 and (3,) at "
        "position 1; resize, crop, or pad them first",
    ),
    "a field less": (
        [*items()[:3], ({"input_ids": IDS[3]}, 0)],
        {},
        ValueError,
        "`train` must have inputs with the same fields, got a dict of 'input_ids', "
        "'attention_mask' at position 0 and a dict of 'input_ids' at position 3.",
    ),
    "a field of words": (
        changed(2, input_ids="words"),
        {},
        TypeError,
        "`train['input_ids']` must have inputs that are tensors, arrays, or PIL images, got str",
    ),
    "columns of two lengths": (
        ({"input_ids": IDS, "attention_mask": MASK[:5]}, LABELS),
        {},
        ValueError,
        f"`train` must have fields of one length, one row for each of {N} labels, got 5 rows for "
        "['attention_mask'].",
    ),
    "a column that is none": (
        ({"input_ids": IDS, "attention_mask": 1}, LABELS),
        {},
        TypeError,
        "`train` must have fields that are arrays or tensors with one row for each example, got "
        "int for ['attention_mask'].",
    ),
    "no columns": (
        ({}, LABELS),
        {},
        ValueError,
        "`train` must have inputs with at least one field, got none.",
    ),
    "an unknown keyword": (
        [({"ids": x}, 0) for x in IDS],
        {},
        ValueError,
        f"`model` must accept inputs with the fields ['ids'] of shape (2, {LENGTH}) and type "
        "torch.int64 on cpu, got the error: Reader.forward() got an unexpected keyword argument "
        "'ids'",
    ),
    "a keyword too few": (
        [({"input_ids": x}, 0) for x in IDS],
        {},
        ValueError,
        "missing 1 required positional argument: 'attention_mask'",
    ),
    "fields without names": (
        fields(),
        {},
        ValueError,
        "`input_key` must name a field of the items, got None; the fields are "
        "['attention_mask', 'input_ids', 'label'].",
    ),
    "an unknown field": (
        fields(),
        {"input_key": ("input_ids", "mask")},
        ValueError,
        "`input_key` must name a field of the items, got 'mask'",
    ),
    "another shape of a field": (
        items(),
        {"test": [({key: x[key][:3] for key in KEYS}, y) for x, y in items()]},
        ValueError,
        f"`test` inputs must have the shape of `train`'s, {{\"['input_ids']\": ({LENGTH},), "
        f"\"['attention_mask']\": ({LENGTH},)}}, got ",
    ),
    "not a number": (
        [({"x": torch.tensor([float(k), 0 if k < 5 else torch.nan])}, 0) for k in range(9)],
        {},
        ValueError,
        "`train['x']` must hold finite inputs, got nan or inf in example 5.",
    ),
    "whitening": (
        items(),
        {"recipe": replace(RECIPE, whiten=True)},
        ValueError,
        "`recipe.whiten` must be False for inputs with several fields or of other types than "
        "tensors, as in `train`, got True.",
    ),
    "a crop": (
        items(),
        {"recipe": replace(RECIPE, crop=2)},
        ValueError,
        "`recipe.crop` must be None for inputs with several fields",
    ),
    "augmentation": (
        items(),
        {"recipe": replace(RECIPE, augmentation=cl.Augmentation(flip=True))},
        ValueError,
        "`recipe.augmentation` must be None for inputs with several fields",
    ),
    "standardization": (
        items(),
        {"recipe": replace(RECIPE, standardize="features")},
        ValueError,
        "`recipe.standardize` must be None for inputs with several fields",
    ),
    "standardized batches": (
        items(),
        {"recipe": replace(RECIPE, standardize="features"), "collate": padded},
        ValueError,
        "`recipe.standardize` must hold its statistics with `collate`, got 'features'.",
    ),
    "collated on the device": (
        items(),
        {"execution": Execution(data="device"), "collate": padded},
        ValueError,
        "`execution.data` must not be 'device' with `collate`, which makes every batch anew.",
    ),
    "no function": (
        items(),
        {"collate": "pad"},
        TypeError,
        "`collate` must be a function that makes a batch of a list of items, got str.",
    ),
    "nothing collated": (
        items(),
        {"collate": lambda some: None},
        TypeError,
        "`collate` must return a pair (inputs, labels), or a batch with the fields of an item, "
        "got NoneType.",
    ),
    "three parts of two": (
        items(),
        {"collate": lambda some: (*padded(some), 0)},
        TypeError,
        "or a batch with the fields of an item, got a tuple of length 3.",
    ),
    "no label collated": (
        items(),
        {"collate": lambda some: padded(some)[0]},
        ValueError,
        "or a batch with the fields of an item, got no field 1; the fields are "
        "['attention_mask', 'input_ids'].",
    ),
    "a named field lost": (
        fields(),
        {"collate": lambda some: {"label": LABELS[: len(some)]}, "input_key": KEYS},
        ValueError,
        "got no field 'input_ids'; the fields are ['label'].",
    ),
    "too few labels": (
        items(),
        {"collate": lambda some: (padded(some)[0], LABELS[:1])},
        ValueError,
        "`collate` must return one label for each of 2 items, got 1.",
    ),
    "one label": (
        items(),
        {"collate": lambda some: (padded(some)[0], 0)},
        ValueError,
        "`collate` must return one label for each of 1 items, got int.",
    ),
    "labels that are no classes": (
        items(),
        {"collate": lambda some: (padded(some)[0], torch.rand(len(some)))},
        TypeError,
        "`collate` must have labels that are one integer class",
    ),
    "too few inputs": (
        items(),
        {"collate": lambda some: (IDS[:1], LABELS[: len(some)])},
        ValueError,
        "`collate` must return one input for each item, got 1 of 2.",
    ),
    "an error of its own": (items(), {"collate": failing}, CollateError, "on purpose"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_one_clear_error(what: str) -> None:
    train, options, kind, message = WRONG[what]
    with pytest.raises(kind, match=re.escape(message)):
        run(train, **options)


def test_pixels_are_corrupted_in_one_field_only() -> None:
    with pytest.raises(TypeError, match=r"as the input where inputs are corrupted, got a dict of"):
        cl.corrupt(items(), cl.ShuffledPixels())
    noisy = cl.corrupt(fields(), cl.ShuffledPixels(), input_key="input_ids")
    assert noisy[0]["input_ids"].tolist() != IDS[0].tolist()
    assert run(noisy, input_key=KEYS).losses != EXPECTED[0]
    with pytest.raises(TypeError, match=r"^`dataset` must serve one tensor, array, or image as"):
        cl.corrupt(items(), cl.InstanceDependentLabels(rate=0.2))


def test_all_fields_can_be_read_at_once() -> None:
    inputs: Any
    inputs, labels = cl.materialize(cl.corrupt(items()))
    assert isinstance(inputs, dict)
    assert torch.equal(inputs["input_ids"], IDS)
    assert torch.equal(labels, LABELS)
    rows = cl.corrupt(items()).inputs_at([3, 1])["attention_mask"]
    assert rows.tolist() == MASK[[3, 1]].tolist()


def test_heads_know_the_examples_of_named_fields() -> None:
    model = Reader()
    heads = cl.RandomLabelHeads(model, fields(), layers=["words"], features=lambda x: x.mean(1))
    report = run(fields(), model, input_key=KEYS, heads=heads)
    assert results(report) == EXPECTED
    assert report.heads is not None
