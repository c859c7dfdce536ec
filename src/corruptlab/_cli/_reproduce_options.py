"""What can be typed after ``corruptlab reproduce``."""

import argparse

from corruptlab._cli._options import Command, add_device, add_epochs, add_seeds, add_workers
from corruptlab._cli._reproduce import run_reproduce
from corruptlab.experiments.paper import EXHIBITS

_DESCRIPTION = """\
A table or figure of Zhang et al. 2017, row by row: what is measured here beside what was
published. About how long each row will take is announced before the first one starts."""

_EXAMPLES = """\
examples:
  corruptlab reproduce table1 --rows mlp --data cifar10:data --out out
  corruptlab reproduce table1 --data cifar10:data --estimate
  corruptlab reproduce table3 --data idx:mnist --data cifar10:data --most 1 --out out
  corruptlab reproduce fig1b --rows mlp-1x512 --seeds 3 --data cifar10:data --out out
  corruptlab reproduce table3 --rows cifar10-conv --set gamma=4 --data cifar10:data --out out

The same command, given again after Ctrl-C or a crash, runs what is missing and nothing twice."""


def _add(reproduce: argparse.ArgumentParser) -> None:
    what = reproduce.add_argument_group("what is repeated")
    what.add_argument("what", metavar="WHAT", help=", ".join(EXHIBITS))
    what.add_argument(
        "--data",
        action="append",
        metavar="DATA",
        help="cifar10:FOLDER, idx:FOLDER for MNIST, imagenet:FOLDER with folders train and val, "
        "one or several times; anything else of 'corruptlab test' stands in for a single one",
    )
    what.add_argument(
        "--rows",
        action="append",
        metavar="A,B,...",
        help="rows by name, or by words or parts of words of their names (default: all)",
    )
    add_seeds(what, default=1, drawn="corruptions")
    add_epochs(what, default="by row")
    what.add_argument(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="another parameter of the rows, such as gamma=4 or recipe.batch_size=256",
    )
    how = reproduce.add_argument_group("how")
    how.add_argument(
        "--estimate", action="store_true", help="print how long each row will take, and stop"
    )
    how.add_argument(
        "--most", type=float, metavar="HOURS", help="leave out rows that would take longer"
    )
    add_workers(how, work="rows")
    add_device(how)
    how.add_argument(
        "--out", metavar="FOLDER", help="where trials, report.json, and figure.png are kept"
    )
    how.add_argument(
        "--keep",
        metavar="FOLDER",
        help="add what was measured to the results there, such as docs/results",
    )
    how.add_argument(
        "--note", default="", metavar="TEXT", help="what else there is to know, kept with them"
    )


REPRODUCE = Command(
    "a table or figure of the paper, measured beside published",
    _DESCRIPTION,
    _EXAMPLES,
    _add,
    run_reproduce,
)
