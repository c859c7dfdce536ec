"""One call that checks data sets for what goes wrong in practice."""

from typing import Any

from torch.utils.data import IterableDataset

from corruptlab._checks import at_least, natural
from corruptlab._data import Key
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._global_generators import generators_kept
from corruptlab._progress import Progress
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corrupted
from corruptlab.experiments._describe import describe
from corruptlab.experiments.auditing._checks import all_findings, looked_at
from corruptlab.experiments.auditing._report import AuditReport


def audit(
    train: MapDataset[Any],
    test: MapDataset[Any] | None = None,
    *,
    sample: int = 256,
    seed: int = 0,
    workers: int = 2,
    input_key: Key | None = None,
    label_key: Key | None = None,
    progress: bool = False,
) -> AuditReport:
    """Check what goes wrong in practice with corrupted data sets, and with others.

    The checks: label noise has the rate and the transitions of its definition, by exact binomial
    tests at 1e-4 (an exact ``drawing`` varies less than that law, and passes more easily); lists of
    labels agree with the items; a second pass, batches, forked workers, and spawned processes
    serve what the first pass did; labels lie in 0 .. K-1; copies of an input have equal labels
    (random labels on copies cannot be fitted); test labels are clean, test inputs are no training
    inputs, and both sets have their pixels shuffled alike. Checks that do not apply, such as the
    noise of a data set that corruptlab did not make, are listed as skipped.

    Bad data raises nothing: it is a finding that names the first item concerned. All inputs are
    read once, and of each a hash of 16 bytes is kept; the sample is read a few times more. A
    spawned process gets a copy of the data sets, as in training; none is started from a script
    that does not guard its code by ``if __name__ == "__main__":``, since it would run the script
    again. Where random transforms move the global generators, these are put back.

    Args:
        train: Any map-style data set of (input, label) items.
        test: Likewise, or None.
        sample: How many items of each set are read again and again at most; at least 1.
        seed: Seed of the sample; an integer >= 0.
        workers: How many worker processes read the sample; 0 leaves out the checks that need them.
        input_key: Position or name of the input in an item, as for `corrupt`, which need not be
            repeated for what it made.
        label_key: Position or name of the label in an item, likewise.
        progress: Whether to tell on standard error how far it has come.

    Returns:
        The findings; ``print(report)`` shows them.

    Raises:
        TypeError: If a data set is not map-style, or a number is not an integer.
        ValueError: If a data set is empty, or a number is out of its range.

    Example:
        >>> import corruptlab as cl
        >>> train, test = cl.datasets.load("fashion-mnist-mini")
        >>> noisy = cl.corrupt(train, cl.UniformLabels(p=0.5), seed=0)
        >>> report = cl.experiments.audit(noisy, test, workers=0)
        >>> report.ok
        True
        >>> print(report["train: noise rate"].message)
        1,792 of 4,000 labels changed (44.80%), 45.00% expected
        (exact binomial test: p = 0.81, wrong below 0.0001).

    Source: Zhang et al. 2017, §2.1, for what the corruptions of the paper are; the laws of others
    are those of their own sources.
    """
    sample = at_least(1, "sample", sample)
    workers = natural("workers", workers)
    draws = Draws(seed)
    given = {"train": train} if test is None else {"train": train, "test": test}
    sizes = {name: _checked_length(name, dataset) for name, dataset in given.items()}
    with generators_kept(), Progress(sum(sizes.values()), "audit", show=progress) as line:
        looks = [
            looked_at(name, dataset, sample, draws, input_key, label_key)
            for name, dataset in given.items()
        ]
        findings = all_findings(looks, workers=workers, tell=line.update)
    return AuditReport(
        findings=findings,
        train=_called(train),
        test="" if test is None else _called(test),
        n_train=sizes["train"],
        n_test=sizes.get("test", 0),
        sample=sample,
        seed=draws.seed,
        workers=workers,
        environment=Environment.here(),
    )


def _checked_length(name: str, dataset: Any) -> int:
    map_style = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    if not map_style or isinstance(dataset, IterableDataset | type):
        raise TypeError(
            f"`{name}` must be map-style, with __len__ and __getitem__, "
            f"got {type(dataset).__name__}."
        )
    if len(dataset) == 0:
        raise ValueError(f"`{name}` must hold at least one example, got none.")
    return len(dataset)


def _called(dataset: Any) -> str:
    if not isinstance(dataset, Corrupted):
        return describe(dataset)
    done = ", ".join(map(repr, dataset.corruptions)) or "nothing done"
    return f"{_called(dataset.dataset)} with {done}"
