"""An audit finds what is broken by hand, and finds nothing where nothing is."""

import json
import multiprocessing
import random
import sys
from collections import namedtuple
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image
from scipy.stats import binom
from torch.utils.data import ConcatDataset, IterableDataset, Subset, TensorDataset

from corruptlab import (
    ExchangedLabels,
    GaussianPixels,
    PairFlipLabels,
    RandomLabels,
    RandomPixels,
    ShuffledPixels,
    SymmetricLabels,
    TransitionLabels,
    UniformLabels,
    corrupt,
)
from corruptlab.experiments import AuditReport, Finding, audit
from corruptlab.experiments.auditing._digest import digest
from corruptlab.experiments.auditing._main_script import is_guarded, no_start, runs_again
from corruptlab.experiments.auditing._noise import two_sided
from corruptlab.experiments.auditing._pickling import obstacle

from . import cases
from .cases import Halved, Pictures

HALF = UniformLabels(p=0.5)
Pair = namedtuple("Pair", ["x", "y"])
FORKS = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
NOT_PICKLED = "warning" if multiprocessing.get_all_start_methods()[0] == "fork" else "error"


def finding(check: str, train: Any, test: Any = None, **options: Any) -> Finding:
    """Return one finding of an audit without workers."""
    return audit(train, test, **{"workers": 0, **options})[check]


def tensors(n: int = 60, labels: Any = None, num_classes: int = 3) -> TensorDataset:
    """Return ``n`` different inputs of two channels with labels in turn."""
    y = torch.arange(n) % num_classes if labels is None else torch.as_tensor(labels)
    return TensorDataset(torch.arange(n * 18, dtype=torch.float32).reshape(n, 2, 3, 3), y)


def many(*corruptions: Any, n: int = 20_000, num_classes: int = 10, **options: Any) -> Any:
    """Return corrupted labels enough for exact laws."""
    labels = torch.arange(n) % num_classes
    return corrupt(TensorDataset(torch.arange(n).reshape(n, 1), labels), *corruptions, **options)


# ------------------------------------------------------------------------------ the whole


@pytest.fixture(scope="module")
def broken_and_good() -> AuditReport:
    """One start of spawned workers for all: a training set that does not survive it, and a test
    set that does."""
    test = corrupt(Pictures(), ShuffledPixels(), RandomPixels(), ids=np.arange(100, 160))
    return audit(cases.Forgetful(), test)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    train = corrupt(tensors(), HALF, ShuffledPixels(), seed=3)
    other = TensorDataset(tensors().tensors[0] + 1000, tensors().tensors[1])
    report = audit(train, corrupt(other, ShuffledPixels(), seed=3), workers=0)
    unhappy = [each for each in report.findings if each.status in ("error", "warning")]
    assert unhappy == []
    assert report.ok
    statuses = {each.check: each.status for each in report.findings}
    assert [check for check, status in statuses.items() if status == "skipped"] == [
        "train: workers",
        "train: spawn",
        "test: workers",
        "test: spawn",
    ]
    assert len(report.findings) == 11 + 10 + 2


def test_one_error_is_enough_and_warnings_are_not() -> None:
    bad = audit(cases.Redrawn(), workers=0)
    assert not bad.ok
    warned = audit(tensors(labels=[0] * 59 + [1]), workers=0)
    assert any(each.status == "warning" for each in warned.findings)
    assert warned.ok


def test_checks_of_a_pair_are_skipped_without_a_test_set() -> None:
    report = audit(tensors(), workers=0)
    for check in ("both: overlap", "both: shuffled pixels"):
        assert report[check] == Finding(check, "skipped", "there is no test set.")
    assert not any(each.check.startswith("test") for each in report.findings)


def test_report_prints_every_finding_in_at_most_100_columns(
    broken_and_good: AuditReport,
) -> None:
    text = str(broken_and_good)
    body = text.splitlines()[2:]
    assert max(map(len, body)) <= 100
    squeezed = " ".join(text.split())
    for each in broken_and_good.findings:
        assert f"{each.status} {each.check} {' '.join(each.message.split())}" in squeezed
    assert "1 error, " in text
    assert repr(broken_and_good).startswith("AuditReport(Forgetful (60 examples), test set Pict")


def test_report_is_json_frozen_and_names_what_made_it(broken_and_good: AuditReport) -> None:
    read = json.loads(json.dumps(broken_and_good.to_dict()))
    assert read["kind"] == "audit"
    assert read["ok"] is False
    assert (read["n_train"], read["n_test"], read["sample"], read["seed"]) == (60, 60, 256, 0)
    assert read["environment"]["torch"] == torch.__version__
    assert len(read["findings"]) == len(broken_and_good.findings)
    assert set(read["findings"][0]) == {"check", "status", "message"}
    with pytest.raises(FrozenInstanceError):
        broken_and_good.seed = 1  # type: ignore[misc]


def test_unknown_check_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"`check` must be among the checks \(train: items, .*'x'"):
        audit(tensors(), workers=0)["x"]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter([])

    def __len__(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            lambda: audit(iter([])),  # type: ignore[arg-type]
            TypeError,
            r"^`train` must be map-style, with __len__ and __getitem__, got list_iterator\.$",
        ),
        (
            lambda: audit(tensors(), Stream()),
            TypeError,
            r"^`test` must be map-style, with __len__ and __getitem__, got Stream\.$",
        ),
        (
            lambda: audit(tensors(), []),
            ValueError,
            r"^`test` must hold at least one example, got none\.$",
        ),
        (
            lambda: audit(tensors(), sample=0),
            ValueError,
            r"^`sample` must be at least 1, got 0\.$",
        ),
        (
            lambda: audit(tensors(), workers=1.5),  # type: ignore[arg-type]
            TypeError,
            r"^`workers` must be an integer, got 1\.5\.$",
        ),
        (lambda: audit(tensors(), seed=-1), ValueError, r"^`seed` must be at least 0, got -1\.$"),
    ],
    ids=["iterator", "stream", "empty", "sample", "workers", "seed"],
)
def test_bad_arguments_are_one_clear_error(act: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        act()


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    audit(tensors(), tensors(), workers=0)
    assert capsys.readouterr().err == ""
    audit(tensors(), tensors(), workers=0, progress=True)
    output = capsys.readouterr()
    assert "audit  120/120" in output.err
    assert output.out == ""


def test_global_generators_are_left_as_they_were() -> None:
    def states() -> Any:
        numpy = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr,unused-ignore]  # noqa: NPY002
        return random.getstate(), numpy, torch.get_rng_state().tolist()

    before = states()
    audit(Local(cases.Augmented()), workers=2 if FORKS else 0, sample=4)
    assert states() == before


# ------------------------------------------------------------------------------- the items


@pytest.mark.parametrize("bad", [0, 17, 59])
def test_item_that_raises_is_named_with_its_error(bad: int) -> None:
    found = finding("train: items", cases.Unreadable(bad))
    assert found.status == "error"
    assert found.message == (
        f"1 of 60 items read cannot be used; item {bad}: OSError: image file is truncated"
    )


def test_item_that_raises_is_found_outside_the_sample_too() -> None:
    found = finding("train: items", cases.Unreadable(17), sample=2)
    assert found.status == "error"
    assert "1 of 60 items" in found.message
    assert "item 17: OSError" in found.message


def test_length_that_promises_too_much_is_found() -> None:
    class Long(Pictures):
        def __len__(self) -> int:
            return 61

    class LongAndRandom(Long, cases.Augmented):
        targets = (*GOOD, 0)

    for dataset in (Long(), LongAndRandom()):
        found = finding("train: items", dataset, sample=2)
        assert found.status == "error"
        assert "item 60: IndexError" in found.message


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (torch.zeros(3), "TypeError: `dataset` must have items that are tuples, lists, or"),
        ({"a": 1}, "ValueError: `input_key` must name a field of the items, got None; the fields"),
    ],
)
def test_items_without_input_and_label_are_an_error(item: Any, error: str) -> None:
    report = audit([item] * 4, tensors(), workers=0)
    assert report["train: items"].status == "error"
    assert f"none of 4 items read can be used; item 0: {error}" in report["train: items"].message
    assert report["both: overlap"].message == "one set has no usable items."
    assert report["test: items"].status == "ok"


@pytest.mark.parametrize("label", [torch.tensor([0.5, 0.5]), 0.5, "cat"])
def test_labels_that_are_not_one_class_are_an_error(label: Any) -> None:
    found = finding("train: items", [(torch.zeros(3), label)] * 3)
    assert found.status == "error"
    assert "item 0: TypeError: " in found.message


@pytest.mark.parametrize(
    "make",
    [
        lambda x, y: (x, y),
        lambda x, y: [x, np.int32(y), "name"],
        lambda x, y: Pair(x, torch.tensor(y)),
        lambda x, y: {"img": x, "label": y},
        lambda x, y: ({"pixels": x.tolist(), "name": "a"}, y),
        lambda x, y: (Image.fromarray(x.to(torch.uint8).numpy()[0]), y),
    ],
    ids=["tuple", "list", "named tuple", "dict", "nested", "PIL"],
)
def test_every_structure_of_items_can_be_audited(make: Any) -> None:
    items = [make(x, int(y)) for x, y in zip(*tensors(12).tensors, strict=True)]
    report = audit(items, workers=0)
    assert report.ok
    assert report["train: duplicates"].message == "all 12 inputs are different."


def test_fields_can_be_named() -> None:
    items = list(zip(*reversed(tensors(12).tensors), strict=True))
    assert not audit(items, workers=0).ok
    report = audit(items, workers=0, input_key=1, label_key=0)
    assert report.ok
    assert report["train: classes"].message == "3 classes with 4 examples each."
    told = corrupt(items, RandomLabels(), input_key=1, label_key=0)
    assert audit(Subset(told, range(12)), workers=0)["train: items"].status == "ok"


# ------------------------------------------------------------------------ lists of labels


class Listed(Pictures):
    """Lists of labels of the caller's choice."""

    def __init__(self, **lists: Any) -> None:
        super().__init__()
        vars(self).update(lists)


GOOD = [i % 3 for i in range(60)]


@pytest.mark.parametrize(
    ("lists", "names"),
    [
        ({"targets": GOOD}, "`targets`"),
        ({"targets": torch.tensor(GOOD), "labels": np.array(GOOD)}, "`targets` and `labels`"),
        ({"samples": [("a.png", y) for y in GOOD]}, "`samples`"),
    ],
)
def test_lists_that_agree_with_the_items_pass(lists: Any, names: str) -> None:
    found = finding("train: targets", Listed(**lists))
    assert found.status == "ok"
    assert found.message == f"{names} and the items agree on the labels of 60 sampled items."


WRONG = [*GOOD[:59], 0]


@pytest.mark.parametrize(
    ("lists", "name"),
    [
        ({"targets": WRONG}, "targets"),
        ({"targets": GOOD, "labels": np.array(WRONG)}, "labels"),
        ({"y": torch.tensor(WRONG)}, "y"),
        ({"imgs": [("a.png", y) for y in WRONG]}, "imgs"),
    ],
)
def test_list_that_disagrees_with_an_item_is_found(lists: Any, name: str) -> None:
    found = finding("train: targets", Listed(**lists))
    assert found.status == "error"
    assert f"`{name}` and the items disagree on 1 of 60 sampled items" in found.message
    assert f"for item 59 `{name}` says 0, and the item has 2" in found.message


def test_list_of_another_length_is_found() -> None:
    found = finding("train: targets", Listed(targets=GOOD[:10]))
    assert found.status == "error"
    assert "`targets` has 10 labels and the data set 60 items" in found.message


def test_list_of_names_is_a_warning() -> None:
    found = finding("train: targets", Listed(labels=["cat"] * 60))
    assert found.status == "warning"


def test_wrong_list_is_not_believed_by_the_other_checks() -> None:
    report = audit(Listed(targets=[7] * 60), workers=0)
    assert report["train: classes"].message == "3 classes with 20 examples each."


def test_noise_in_items_that_tensors_do_not_know_is_found() -> None:
    class Noisy(TensorDataset):
        def __getitem__(self, index: int) -> Any:
            images, labels = self.tensors
            return images[index], (labels[index] + (index == 7)) % 3

    found = finding("train: targets", Noisy(*tensors().tensors))
    assert found.status == "error"
    assert "for item 7 `tensors[1]` says 1, and the item has 2" in found.message


def test_column_of_labels_is_compared_with_the_items() -> None:
    class Table(Pictures):
        column_names = ("image", "label")

        def __getitem__(self, index: Any) -> Any:
            if index == "label":
                return WRONG
            image, label = super().__getitem__(index)
            return {"image": image, "label": label}

    found = finding("train: targets", Table())
    assert found.status == "error"
    assert "for item 59 `['label']` says 0, and the item has 2" in found.message


# --------------------------------------------------- passes, batches, workers, processes


def test_labels_redrawn_with_every_reading_are_an_error() -> None:
    found = finding("train: passes", cases.Redrawn())
    assert found.status == "error"
    assert "have another label in a second pass; item " in found.message


def test_labels_that_depend_on_the_order_of_access_are_found() -> None:
    class Ordered(Pictures):
        last = -1

        def label(self, index: int) -> int:
            rising, self.last = index > self.last, index
            return (index + rising) % 3

    assert finding("train: passes", Ordered()).status == "error"


def test_random_inputs_are_a_warning_and_labels_stay_fine() -> None:
    report = audit(cases.Augmented(), cases.Augmented(), workers=0)
    assert report["train: passes"].status == "warning"
    assert report["train: passes"].message.startswith("60 of 60 sampled items have another input ")
    assert report["train: classes"].message == "3 classes with 20 examples each."
    assert report.ok
    for check in ("train: duplicates", "both: overlap"):
        assert report[check].status == "skipped"
        assert "inputs of the training set differ from pass to pass" in report[check].message


def test_batches_that_disagree_with_items_are_found() -> None:
    assert finding("train: batches", cases.BadBatches()).status == "error"
    assert finding("train: batches", corrupt(tensors(), HALF)).status == "ok"
    assert finding("train: batches", Pictures()).message == "Pictures has no __getitems__."


@pytest.mark.skipif(not FORKS, reason="processes are not forked here")
def test_labels_and_inputs_that_depend_on_the_worker_are_found() -> None:
    report = audit(Local(cases.WorkerNoise()), Local(cases.WorkerInputs()))
    assert report["train: workers"].status == "error"
    assert "have another label in 2 forked workers" in report["train: workers"].message
    assert report["test: workers"].status == "warning"
    assert "60 of 60 sampled items have another input" in report["test: workers"].message


class Local:
    """Wraps a data set and cannot be pickled, so that no process is spawned for it."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.transforms = {"image": [lambda image: image]}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]


@pytest.mark.skipif(not FORKS, reason="processes are not forked here")
def test_items_that_only_workers_cannot_read_are_found() -> None:
    class Fragile(Pictures):
        def image(self, index: int) -> torch.Tensor:
            if torch.utils.data.get_worker_info() is not None and index == 5:
                raise OSError("handle is closed")
            return super().image(index)

    found = audit(Local(Fragile()))["train: workers"]
    assert found.status == "error"
    assert "1 of 60 sampled items that can be read cannot be read in 2 f" in found.message
    assert "item 5: OSError: handle is closed" in found.message


def test_labels_that_a_spawned_process_does_not_keep_are_found(
    broken_and_good: AuditReport,
) -> None:
    found = broken_and_good["train: spawn"]
    assert found.status == "error"
    assert "60 of 60 sampled items have another label in " in found.message
    assert broken_and_good["train: pickling"].status == "ok"
    assert broken_and_good["train: workers"].status == ("ok" if FORKS else "skipped")


def test_corrupted_data_sets_serve_the_same_in_spawned_processes(
    broken_and_good: AuditReport,
) -> None:
    found = broken_and_good["test: spawn"]
    assert found.status == "ok"
    assert "60 sampled items have the same labels and inputs in 1 spawned worker." in found.message


# -------------------------------------------------------------------------------- pickling


def test_lambda_is_named_with_its_place() -> None:
    found = finding("train: pickling", Local(Pictures()))
    assert found.status == NOT_PICKLED
    line = (Local.__init__.__code__.co_firstlineno) + 2
    assert f"`Local.transforms['image'][0]` is a lambda (line {line} of its file)" in found.message


def test_class_inside_a_function_and_open_file_are_named(tmp_path: Path) -> None:
    class Inside(Pictures):
        pass

    found = obstacle(Inside())
    assert "`Inside` is an object of class Inside, which is defined inside a function" in found
    with (tmp_path / "data.bin").open("wb") as file:
        opened = Pictures()
        opened.file = file  # type: ignore[attr-defined]
        assert "`Pictures.file` is an object of type BufferedWriter" in obstacle(opened)


def test_what_pickles_has_no_obstacle_and_arrays_are_not_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for dataset in (Pictures(), tensors(), corrupt(tensors(), HALF, GaussianPixels())):
        assert obstacle(dataset) == ""
    monkeypatch.setattr(torch.Tensor, "__reduce_ex__", None)  # what copies a tensor
    assert obstacle([torch.zeros(1), np.broadcast_to(0, 10**12)]) == ""
    assert "cannot be pickled" in obstacle(np.array([lambda: 0], object))


def test_value_shared_by_multiprocessing_is_no_obstacle() -> None:
    assert obstacle([multiprocessing.get_context("spawn").Value("i", 0)]) == ""


def fake_main(monkeypatch: pytest.MonkeyPatch, path: Path | None) -> ModuleType:
    main = ModuleType("__main__")
    if path is not None:
        main.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", main)
    return main


def test_class_of_a_notebook_cannot_be_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    main = fake_main(monkeypatch, None)
    exec("class Mine:\n    pass", vars(main))
    main.Mine.__module__ = "__main__"
    assert "it needs `Mine`, defined in a notebook" in obstacle(main.Mine())
    main.__file__ = "<stdin>"
    assert "it needs `Mine`" in obstacle(main.Mine())
    assert "a script that is no file, such as one on standard input" in no_start()
    (tmp_path / "script.py").touch()
    main.__file__ = str(tmp_path / "script.py")
    assert obstacle(main.Mine()) == no_start() == ""


SCRIPT = """
def go():
    return runs_again()

if __name__ == "__main__":
    guarded = go()
else:
    imported = True
bare = go()
"""


def test_script_that_would_run_again_is_told_from_a_guarded_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    main = fake_main(monkeypatch, path)
    main.runs_again = runs_again  # type: ignore[attr-defined]
    exec(compile(SCRIPT, str(path), "exec"), vars(main))
    assert main.guarded is False
    assert main.bare is True
    assert runs_again() is False  # not called from that script
    main.__spec__ = type("Spec", (), {"name": "package.__main__"})()
    exec("bare = runs_again()", vars(main))
    assert main.bare is False


def test_guard_covers_its_own_lines_alone() -> None:
    assert [is_guarded(SCRIPT, line) for line in (3, 6, 8, 9)] == [False, True, False, False]


def test_unguarded_script_starts_no_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "script.py"
    path.write_text("report = audit(data, sample=2)")
    main = fake_main(monkeypatch, path)
    vars(main).update(audit=audit, data=Pictures())
    exec(path.read_text(), vars(main))
    found = main.report["train: spawn"]
    assert found.status == "warning"
    assert "would run your script again" in found.message


# ------------------------------------------------------------------------------- the noise


LAW = np.triu(np.full((10, 10), 0.05), 1)
LAW += np.diag(1 - LAW.sum(axis=1))


@pytest.mark.parametrize(
    "corruptions",
    [
        (HALF,),
        (RandomLabels(),),
        (SymmetricLabels(rate=0.2, drawing="exact"),),
        (SymmetricLabels(rate=0.2, drawing="exact_per_class"),),
        (PairFlipLabels(rate=0.45),),
        (TransitionLabels(LAW),),
        (HALF, PairFlipLabels(rate=0.2)),
    ],
    ids=lambda corruptions: "+".join(type(each).__name__ for each in corruptions),
)
def test_noise_as_defined_passes_both_tests(corruptions: Any) -> None:
    report = audit(many(*corruptions), workers=0, sample=2)
    assert report["train: noise rate"].status == "ok"
    assert "expected" in report["train: noise rate"].message
    assert report["train: noise by class"].status == "ok"


def test_rate_and_law_are_in_the_message() -> None:
    data = many(HALF)
    changed = int(data.is_corrupted.sum())
    p = min(1, 2 * min(binom.cdf(changed, 20_000, 0.45), binom.sf(changed - 1, 20_000, 0.45)))
    assert finding("train: noise rate", data, sample=2).message == (
        f"{changed:,} of 20,000 labels changed ({changed / 20_000:.2%}), 45.00% expected "
        f"(exact binomial test: p = {p:.2g}, wrong below 0.0001)."
    )


def test_rate_that_is_not_the_nominal_one_is_found() -> None:
    found = finding("train: noise rate", many(Halved(0.45)), sample=2)
    assert found.status == "error"
    assert "50.00% expected: not the noise that its definition says" in found.message
    assert finding("train: noise rate", many(Halved(0.5)), sample=2).status == "ok"


class WrongClass(Halved):
    """Changes one class too often, and another too seldom, so that the whole rate is right."""

    def labels(self, clean: Any, *, num_classes: int, draws: Any, ids: Any) -> Any:
        rates = np.array([0.4, 0.6] + [0.5] * (num_classes - 2))
        changed = draws.uniform("halved", ids) < rates[clean]
        return np.where(changed, (clean + 1) % num_classes, clean)


class WrongWay(Halved):
    """Changes as many as it says, to the class on the other side."""

    def labels(self, clean: Any, *, num_classes: int, draws: Any, ids: Any) -> Any:
        changed = draws.uniform("halved", ids) < 0.5
        return np.where(changed, (clean - 1) % num_classes, clean)


@pytest.mark.parametrize("corruption", [WrongClass(), WrongWay()])
def test_classes_that_go_elsewhere_are_found_though_the_rate_is_right(corruption: Any) -> None:
    report = audit(many(corruption), workers=0, sample=2)
    assert report["train: noise rate"].status == "ok"
    assert report["train: noise by class"].status == "error"


class Uneven(Halved):
    """Says that class 0 changes half of the time, and changes class 1 instead."""

    def labels(self, clean: Any, *, num_classes: int, draws: Any, ids: Any) -> Any:
        changed = (draws.uniform("halved", ids) < 0.5) & (clean == int(self.really))
        return np.where(changed, 2, clean)

    def matrix(self, num_classes: int, draws: Any = None) -> Any:
        law = np.eye(num_classes)
        law[0, 0] = law[0, 2] = 0.5
        return law


def test_rates_that_differ_between_classes_are_tested_for_each() -> None:
    found = finding("train: noise rate", many(Uneven(1)), sample=2)
    assert found.status == "error"
    assert "least likely is class 0 with 0 of 2,000, 50.00% expected" in found.message
    right = many(Uneven(0))
    found = finding("train: noise rate", right, sample=2)
    assert found.status == "ok"
    k = int(right.is_corrupted.sum())  # the other nine classes are sure to keep their labels
    p = min(1, 20 * min(binom.cdf(k, 2000, 0.5), binom.sf(k - 1, 2000, 0.5)))
    assert f"(10 exact binomial tests, one a class, p adjusted: p = {p:.2g}, " in found.message


def test_classes_are_tested_at_the_threshold_of_all_pairs_together() -> None:
    data = many(Uneven(0), n=300, num_classes=3, seed=9)
    k = int(data.is_corrupted.sum())  # the other eight pairs are sure
    p = min(1, 18 * min(binom.cdf(k, 100, 0.5), binom.sf(k - 1, 100, 0.5)))
    assert 0 < p < 1
    found = finding("train: noise by class", data, sample=2)
    assert f"(9 exact binomial tests, one a pair, p adjusted: p = {p:.2g}, " in found.message


def test_noise_twice_is_compared_with_both_definitions() -> None:
    twice = corrupt(many(PairFlipLabels(rate=0.3)), HALF)
    found = finding("train: noise rate", Subset(twice, range(20_000)), sample=2)
    assert found.status == "ok"
    assert "60.00% expected" in found.message  # 0.5 * 0.7 + 0.5 * 0.1 stay


def test_parts_with_one_definition_are_tested_and_others_only_reported() -> None:
    one, two, three = (many(UniformLabels(p=p), n=600) for p in (0.5, 0.5, 0.2))
    assert "expected" in finding("train: noise rate", ConcatDataset([one, two]), sample=2).message
    found = finding("train: noise rate", ConcatDataset([one, three]), sample=2)
    assert found.status == "ok"
    assert "there is no nominal rate" in found.message


def test_noise_made_for_other_numbers_of_classes_is_only_reported() -> None:
    twice = corrupt(Subset(many(HALF, n=600), range(600)), HALF, num_classes=20)
    found = finding("train: noise rate", twice, sample=2)
    assert found.status == "ok"
    assert "there is no nominal rate" in found.message


def test_noise_behind_a_foreign_wrapper_is_only_reported() -> None:
    class Proxy:
        def __init__(self, dataset: Any) -> None:
            self.dataset = dataset

        def __getattr__(self, name: str) -> Any:
            return getattr(self.dataset, name)

        def __len__(self) -> int:
            return len(self.dataset)

        def __getitem__(self, index: int) -> Any:
            return self.dataset[index]

    twice = corrupt(Proxy(many(HALF, n=600)), UniformLabels(p=0.1))
    found = finding("train: noise rate", twice, sample=2)
    assert found.status == "ok"
    assert "there is no nominal rate" in found.message


def test_examples_that_are_there_twice_count_once() -> None:
    noisy = many(HALF, n=60, seed=1)
    assert abs(noisy.realized_rate - 0.45) > 0.03  # 12,000 draws would not come out like this
    found = finding("train: noise rate", Subset(noisy, list(range(60)) * 200), sample=2)
    assert found.status == "ok"


def test_choice_by_the_labels_is_found() -> None:
    noisy = many(HALF)
    kept = np.flatnonzero(~noisy.is_corrupted).tolist()
    assert finding("train: noise rate", Subset(noisy, kept), sample=2).status == "error"


def test_without_a_nominal_matrix_the_realized_rate_is_reported() -> None:
    data = corrupt(tensors(), ExchangedLabels())
    report = audit(data, workers=0)
    assert report["train: noise rate"].status == "ok"
    assert report["train: noise rate"].message == (
        f"{data.is_corrupted.sum()} of 60 labels changed ({data.realized_rate:.2%}); there is no "
        "nominal rate to compare this with."
    )
    assert report["train: noise by class"].status == "skipped"


def test_more_classes_than_a_matrix_can_hold_are_reported_only() -> None:
    found = finding("train: noise rate", corrupt(tensors(), RandomLabels(), num_classes=10**6))
    assert found.status == "ok"
    assert "there is no nominal rate" in found.message


def test_noise_is_skipped_where_it_is_not_known_or_not_there() -> None:
    assert finding("train: noise rate", tensors()).message.startswith("corruptlab did not make it")
    found = finding("train: noise rate", corrupt(tensors(), ShuffledPixels()))
    assert found.status == "skipped"
    assert found.message == "nothing was done to its labels; 0 of 60 labels changed (0.00%)."


def test_two_sided_is_twice_the_smaller_exact_tail() -> None:
    k, n = np.meshgrid(np.arange(11), [10])
    for p in (0.0, 0.05, 0.5, 0.9, 1.0):
        naive = np.minimum(1, 2 * np.minimum(binom.cdf(k, n, p), binom.sf(k - 1, n, p)))
        assert_allclose(two_sided(k, n, p), naive, rtol=1e-10, atol=1e-300)


# -------------------------------------------------------------------------------- the pair


def test_corrupted_test_labels_are_an_error() -> None:
    train = corrupt(tensors(), HALF)
    assert finding("test: clean labels", train, corrupt(tensors(), RandomPixels())).status == "ok"
    noisy = corrupt(tensors(), HALF)
    found = finding("test: clean labels", train, Subset(noisy, range(60)))
    assert found.status == "error"
    assert found.message.startswith(f"{noisy.is_corrupted.sum()} of 60 labels changed (")
    assert finding("test: clean labels", train, tensors()).status == "skipped"


@pytest.mark.parametrize(
    ("train", "test", "status", "words"),
    [
        (ShuffledPixels(), ShuffledPixels(), "ok", "one and the same permutation"),
        (ShuffledPixels(), ShuffledPixels(channel_axis=0), "ok", "one and the same permutation"),
        (ShuffledPixels(), ShuffledPixels(move="values"), "error", "move='values') with seed 0."),
        (ShuffledPixels(), RandomPixels(), "warning", "the training inputs have shuffled pixels"),
        (RandomPixels(), ShuffledPixels(), "warning", "the test inputs have shuffled pixels and"),
        (RandomPixels(), RandomPixels(), "skipped", "neither set has shuffled pixels."),
    ],
    ids=str,
)
def test_shuffles_of_both_sets_are_compared(train: Any, test: Any, status: str, words: str) -> None:
    found = finding("both: shuffled pixels", corrupt(tensors(), train), corrupt(tensors(), test))
    assert found.status == status
    assert words in found.message


def test_shuffles_of_two_seeds_are_found() -> None:
    train, test = (corrupt(tensors(), ShuffledPixels(), seed=seed) for seed in (1, 2))
    found = finding("both: shuffled pixels", train, Subset(test, range(60)))
    assert found.status == "error"
    assert "ShuffledPixels() with seed 1 and ShuffledPixels() with seed 2" in found.message


def test_shuffles_of_two_shapes_are_found() -> None:
    other = TensorDataset(torch.arange(54.0).reshape(3, 2, 3, 3)[..., :1], torch.arange(3))
    shuffled = [corrupt(data, ShuffledPixels()) for data in (tensors(), other)]
    found = finding("both: shuffled pixels", *shuffled)
    assert found.status == "error"
    assert "inputs have shape (2, 3, 3) and test inputs (2, 3, 1)" in found.message


def test_plain_test_set_beside_a_shuffled_training_set_is_a_warning() -> None:
    found = finding("both: shuffled pixels", corrupt(tensors(), ShuffledPixels()), tensors())
    assert found.status == "warning"


# ------------------------------------------------------------------------------ duplicates


def copied(*, labels: Any) -> TensorDataset:
    """Return 60 inputs, of which 3, 40 and 59 are the same."""
    images, _ = tensors().tensors
    images[[40, 59]] = images[3].clone()
    return TensorDataset(images, torch.tensor(labels))


def test_copies_with_equal_labels_pass() -> None:
    labels = list(GOOD)
    labels[40] = labels[59] = labels[3]
    found = finding("train: duplicates", copied(labels=labels))
    assert found.status == "ok"
    assert found.message == "3 of 60 inputs are copies of one another; copies have equal labels."


def test_copies_with_conflicting_labels_are_shown() -> None:
    labels = list(GOOD)
    labels[3], labels[40], labels[59] = 0, 0, 2
    found = finding("train: duplicates", copied(labels=labels))
    assert found.status == "warning"
    assert found.message == (
        "3 of 60 inputs are copies of one another, and of these 3 have conflicting labels, as "
        "items 3 (label 0) and 59 (label 2); no network gets more than 98.33% of these labels "
        "right."
    )


@pytest.mark.parametrize(
    "items",
    [
        lambda data: [(x.numpy(), int(y)) for x, y in data],
        lambda data: [(f"text {x.sum()}", int(y)) for x, y in data],
        lambda data: ConcatDataset([Subset(data, range(30)), Subset(data, range(30, 60))]),
        lambda data: corrupt(data, UniformLabels(p=0)),
    ],
    ids=["arrays", "texts", "joined", "corrupted"],
)
def test_copies_are_found_in_every_kind_of_data_set(items: Any) -> None:
    found = finding("train: duplicates", items(copied(labels=GOOD)))
    assert "and of these 3 have conflicting labels, as items 3 (label 0)" in found.message


def test_noise_on_copies_conflicts_as_random_labels_do() -> None:
    data = TensorDataset(torch.zeros(60, 2), torch.zeros(60, dtype=torch.int64))
    assert finding("train: duplicates", data).status == "ok"
    noisy = corrupt(data, RandomLabels(), num_classes=3)
    most = np.bincount(noisy.targets).max() / 60
    found = finding("train: duplicates", noisy)
    assert found.status == "warning"
    assert f"no network gets more than {most:.2%}" in found.message


def test_inputs_of_several_shapes_are_compared_too() -> None:
    items = [(torch.zeros(n), 0) for n in (1, 2, 3, 3)]
    found = finding("train: duplicates", items)
    assert found.message.startswith("2 of 4 inputs are copies")


def test_inputs_of_unknown_types_are_skipped() -> None:
    found = finding("train: duplicates", [(object(), i % 2) for i in range(4)])
    assert found.status == "skipped"
    assert "of a type that cannot be compared" in found.message
    report = audit([(object(), i % 2) for i in range(4)], workers=0)
    assert report["train: passes"].status == "ok"
    assert "inputs of their type cannot be compared" in report["train: passes"].message


def test_inputs_that_differ_in_one_value_are_no_copies() -> None:
    images = torch.zeros(60, 2, 3, 3)
    images[:, -1, -1, -1] = torch.arange(60)
    data = TensorDataset(images, torch.tensor(GOOD))
    assert finding("train: duplicates", data).message == "all 60 inputs are different."


@pytest.mark.parametrize(("leaked", "status"), [(0, "ok"), (1, "warning"), (2, "error")])
def test_training_inputs_in_the_test_set_are_counted(leaked: int, status: str) -> None:
    train = tensors(200)
    images = train.tensors[0][100:].clone() + 10_000
    images[50 : 50 + leaked] = train.tensors[0][:leaked]
    test = TensorDataset(images, train.tensors[1][100:])
    found = finding("both: overlap", train, test)
    assert found.status == status
    if leaked:
        assert found.message.startswith(f"{leaked} of 100 test inputs ({leaked}.00%) are training")
        assert f"first test items {', '.join(map(str, range(50, 50 + leaked)))}:" in found.message


def test_gaussian_test_inputs_that_are_the_training_draws_are_found() -> None:
    noise = GaussianPixels(mean=0.0, std=1.0)
    train = corrupt(tensors(), noise)
    assert finding("both: overlap", train, corrupt(tensors(), noise)).status == "error"
    own = corrupt(tensors(), noise, ids=np.arange(60, 120))
    assert finding("both: overlap", train, own).status == "ok"


def test_digest_tells_contents_apart_and_not_containers() -> None:
    x = torch.arange(6, dtype=torch.float32)
    same = [x, x.numpy(), x.clone(), torch.arange(12.0)[::2] / 2]
    assert len({digest(value) for value in same}) == 1
    different = [
        x,
        x.reshape(2, 3),
        x.double(),
        torch.zeros(2),
        torch.zeros(2).int(),
        x.flip(0),
        [x],
        "a",
        b"a",
        1,
        1.0,
        True,
        None,
    ]
    nested = [["ab", "c"], ["a", "bc"], [["a"], "bc"], {"a": "bc"}, []]
    assert len({digest(value) for value in different + nested}) == len(different + nested)
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    assert digest(image) == digest(np.moveaxis(np.asarray(image), -1, 0))
    with pytest.raises(TypeError, match=r"^inputs of type object cannot be compared"):
        digest(object())


# --------------------------------------------------------------------------------- classes


@pytest.mark.parametrize(
    ("labels", "status", "words"),
    [
        (GOOD, "ok", "3 classes with 20 examples each."),
        ([0] * 21 + GOOD[21:], "ok", "3 classes with 13 to 34 examples each."),
        ([0] * 50 + [1] * 5 + [2] * 5, "warning", "5 to 50 examples each (classes 1 and 0)"),
        ([y + 1 for y in GOOD], "warning", "labels seem to begin at 1"),
        ([y * 2 for y in GOOD], "warning", "2 of 5 classes have no example, first 1, 3: a cut"),
        ([-1, *GOOD[1:]], "error", "1 labels lie outside 0 .. 2; item 0 has -1."),
    ],
)
def test_classes_are_counted(labels: Any, status: str, words: str) -> None:
    found = finding("train: classes", tensors(labels=labels))
    assert found.status == status
    assert words in found.message


def test_labels_outside_the_named_classes_are_an_error() -> None:
    class Named(Pictures):
        def label(self, index: int) -> int:
            return 3 if index == 44 else index % 3

    found = finding("train: classes", Named())
    assert found.status == "error"
    assert "1 labels lie outside 0 .. 2; item 44 has 3." in found.message


def test_test_labels_have_to_be_classes_of_the_training_set() -> None:
    found = finding("test: classes", tensors(), tensors(labels=[5, *GOOD[1:]]))
    assert found.status == "error"
    assert "item 0 has 5" in found.message


def test_huge_label_does_not_need_huge_memory() -> None:
    found = finding("train: classes", tensors(labels=[10**15, *GOOD[1:]]))
    assert found.status == "warning"
    assert "have no example" in found.message
