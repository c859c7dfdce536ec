"""The trial of Fig. 1b and 1c: partially corrupted labels."""

from typing import Any

from torch.utils.data import Subset

from corruptlab._by_name import device_for, loaded, network_for, recipe_for
from corruptlab._checks import natural
from corruptlab._types import MapDataset
from corruptlab.corruptions import UniformLabels, corrupt
from corruptlab.datasets import Images, Table
from corruptlab.training import fit


def partial_labels(
    *,
    p: float,
    seed: int = 0,
    data: str = "fashion-mnist-mini",
    model: str = "mlp-1x512",
    n: int | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Train with labels that are redrawn with probability ``p``, until all are fitted.

    For a fixed seed, a smaller ``p`` redraws a subset of the labels that a larger ``p`` redraws,
    and the initial weights are the same, so curves over ``p`` are smooth.

    Args:
        p: Probability that a label is replaced by a uniformly drawn class, in ``[0, 1]``.
        seed: Seed of weights, labels, and data order.
        data: Data set, as for `corruptlab.datasets.load` or `corruptlab.datasets.load_table`.
        model: Network, as for `corruptlab.models.by_name`.
        n: Number of training examples, the first ones; None for all.
        epochs: Maximum number of epochs; by default, depends on data and model.
        learning_rate: Learning rate of the first epoch; by default, depends on data and model.
        device: Device of the training; ``"auto"`` is a GPU if there is one. With several GPUs, each
            worker process of a sweep uses another one.

    Returns:
        ``steps_to_interpolation`` and ``seconds_to_interpolation``, None if the labels were not all
        fitted; ``train_accuracy`` on the corrupted labels, ``test_error`` on clean labels;
        ``labels_changed``, the share of wrong labels; ``steps``, ``seconds``, ``stopped_by``, and
        the ``fingerprint`` of the corruption.

    Raises:
        ValueError: If a name is unknown or a value is out of range.

    Example:
        >>> from corruptlab.experiments.sweeps import partial_labels
        >>> found = partial_labels(p=1.0, n=60, model="mlp-1x64")
        >>> found["train_accuracy"], found["labels_changed"]
        (1.0, 0.95)

    Source: Zhang et al. 2017, §2.1, Fig. 1b and 1c.
    """
    train, test = loaded(data)
    few: MapDataset[Any] = train if n is None else Subset(train, range(_size(n, train)))
    recipe = recipe_for(model, train, data, n=n, epochs=epochs, learning_rate=learning_rate)
    noisy = corrupt(few, UniformLabels(p=p), seed=seed)
    network = network_for(model, train, recipe, seed=seed)
    report = fit(
        network, noisy, test, recipe=recipe, measure="loss", seed=seed, device=device_for(device)
    )
    assert report.test_accuracy is not None
    return {
        "steps_to_interpolation": report.steps_to_interpolation,
        "seconds_to_interpolation": report.seconds_to_interpolation,
        "train_accuracy": report.train_accuracy,
        "test_error": 1 - report.test_accuracy,
        "labels_changed": noisy.realized_rate,
        "steps": report.steps,
        "seconds": report.seconds,
        "stopped_by": report.stopped_by,
        "fingerprint": noisy.fingerprint,
    }


def _size(n: int, train: Images | Table) -> int:
    if not 1 <= natural("n", n) <= len(train):
        raise ValueError(f"`n` must lie in 1 .. {len(train)}, got {n}.")
    return n
