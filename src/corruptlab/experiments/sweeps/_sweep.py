"""Run trials over a grid, once each, and keep what they find."""

import os
import time

from corruptlab._checks import natural
from corruptlab._environment import Environment
from corruptlab._progress import Progress
from corruptlab.experiments.sweeps._claims import Claims
from corruptlab.experiments.sweeps._lanes import ExecutorLike, Lane
from corruptlab.experiments.sweeps._loop import Loop
from corruptlab.experiments.sweeps._report import SweepReport, failures_in
from corruptlab.experiments.sweeps._store import Store
from corruptlab.experiments.sweeps._trials import Function, Grid, identity_of, trials_of


def sweep(
    grid: Grid,
    trial: Function,
    executor: ExecutorLike = None,
    *,
    out: str | os.PathLike[str],
    retries: int = 1,
    progress: bool = False,
) -> SweepReport:
    """Call ``trial(**settings)`` for all settings of a grid, and keep each result in a file.

    A trial is named by the hash of its full specification: the function and all settings. Its file
    is written in one act when it is finished, so that the same call, made again after
    ``kill -9`` or a power cut, runs what is missing and nothing else; a grid may grow. Several
    sweeps, on one machine or on several with a common folder, share the work: each takes
    the trials that no other is at work on, and returns when all are done.

    The name says nothing about what happens *inside* the function: after a change of its code, use
    a new folder, or make a version one of its settings.

    A trial that raises an error is tried again ``retries`` times, after the others; then it
    counts as failed, with all its tracebacks in a file, and the sweep goes on. The same call made
    later gives it new attempts. Every attempt gets a copy of its settings.

    A worker that dies takes no trial with it: after a pool of processes broke, those that were
    running are run again one at a time, and only one whose worker dies five times counts as
    failed. Ctrl-C ends the sweep and returns what there is.

    Args:
        grid: Names of settings to their values, for every combination; or a sequence of settings,
            each a mapping. Values are what JSON has, arrays, dataclasses such as corruptions and
            recipes, and objects with ``to_dict``. ``1``, ``1.0``, ``True``, and ``"1"`` are
            different settings; numbers of NumPy count as Python's, and tuples as lists.
        trial: A function at the top of a module, a partial of one, or an instance of a class that
            says what it holds. It returns a mapping of names, none of which is a setting's,
            to values of the same kinds, or raises an error.
        executor: None to run the trials one by one in this process; a number of processes of
            the sweep's own, which end with it; or any ``concurrent.futures.Executor``, among them
            `RayExecutor`, which stays open. Whatever it is, ``trial`` must be picklable.
        out: Folder for this sweep alone; it is made if need be.
        retries: How often a trial that raised an error is tried again, >= 0.
        progress: Whether to show progress on standard error.

    Returns:
        Counts, failures, `SweepReport.table`, and `SweepReport.plot`.

    Raises:
        TypeError: If an argument is of a wrong kind, ``trial`` is not picklable, it does not take
            the settings, or it was typed in where worker processes would have to import it.
        ValueError: If the grid is empty or holds a trial twice, a number is out of its range, or
            ``out`` holds the sweep of another function, or something else. All of this before
            any work.
        DataFileError: If the header of the folder is damaged.
        OSError: If the folder cannot be written, or the disk is full; what is finished is kept.
        MissingExtraError: If the executor needs an extra that is not installed.
        RuntimeError: If an executor breaks that cannot be replaced, or its workers die at whatever
            they are given; what is finished is kept.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> grid = {"p": [0.0, 1.0], "seed": [0, 1], "n": [60], "model": ["mlp-1x64"]}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     report = cl.sweep(grid, cl.sweeps.partial_labels, out=out)
        ...     table = report.table()
        >>> report
        SweepReport(4 of 4 trials: 4 done, 0 cached, 0 failed)
        >>> table["labels_changed"] > 0.5
        array([False, False,  True,  True])
    """
    retries = natural("retries", retries)
    trials = trials_of(grid, trial)
    lane = Lane(executor)
    start, interrupted = time.perf_counter(), False
    try:
        lane.check(identity := identity_of(trial))
        store = Store.opened(out, identity)
        with Claims(store.claims) as claims, Progress(len(trials), "sweep", show=progress) as line:
            loop = Loop(store, claims, lane, trial, retries=retries)
            loop.begin(trials)
            try:
                loop.run(line)
            except KeyboardInterrupt:
                interrupted = True
    except BaseException:
        lane.close(interrupted=True)
        raise
    lane.close(interrupted=interrupted)
    return SweepReport(
        out=store.folder,
        total=len(trials),
        done=len(loop.done),
        cached=len(loop.cached),
        failures=tuple(failures_in(store, loop.failed)),
        interrupted=interrupted,
        seconds=time.perf_counter() - start,
        environment=Environment.here(),
        ids=tuple(each.id for each in trials),
    )
