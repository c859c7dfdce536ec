"""Read what a sweep has found."""

import os
from collections.abc import Iterable

from corruptlab.experiments.sweeps._store import Store
from corruptlab.experiments.sweeps._table import Table, ordered


def load(out: str | os.PathLike[str]) -> Table:
    """Return the finished trials of a sweep, also of one that is still running.

    Nothing is written. Every file is compared with its checksum.

    Args:
        out: The folder of the sweep.

    Returns:
        One row a finished trial, ordered by settings.

    Raises:
        DataFileError: If it is no folder of a sweep, or a file in it is damaged (the
            sweep itself puts such a file aside and runs the trial again).

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> grid = {"p": [1.0, 0.0], "n": [60], "model": ["mlp-1x64"]}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     _ = cl.sweep(grid, cl.sweeps.partial_labels, out=out)
        ...     table = cl.sweeps.load(out)
        >>> table["p"], table["train_accuracy"]
        (array([0., 1.]), array([1., 1.]))
    """
    store = Store.of(out)
    return table_of(store, store.ids())


def table_of(store: Store, ids: Iterable[str], *, sort: bool = True) -> Table:
    """Return the table of some finished trials.

    Args:
        store: Where they are kept.
        ids: Their names.
        sort: Whether to order the rows by settings.

    Returns:
        The table.
    """
    records = [store.result(each) for each in ids]
    rows = [(record["settings"], record["result"]) for record in records]
    return Table(ordered(rows) if sort else rows)
