"""What can be typed after ``corruptlab sweep``."""

import argparse

from corruptlab._cli._options import (
    Command,
    add_device,
    add_epochs,
    add_learning_rate,
    add_seeds,
    add_workers,
)
from corruptlab._cli._sweep import run_sweep

_DESCRIPTION = """\
How long a network takes to fit labels of which each was redrawn with probability p, and what
its test error is then, against p, for several seeds. (Zhang et al. 2017, Fig. 1b and 1c.)"""

_EXAMPLES = """\
examples:
  corruptlab sweep --out sweep
  corruptlab sweep --model mlp-1x512,mlp-3x512 --seeds 5 --workers 4 --out sweep
  corruptlab sweep --data cifar10:data --model small-inception --device cuda --out sweep

Each trial is kept in a file of its own when it is finished. The same command, given again after
Ctrl-C or a crash, or at the same time on another machine with a common folder, does what
is missing and nothing twice. --out also holds figure.png (extra 'plot')."""


def _add(sweep: argparse.ArgumentParser) -> None:
    what = sweep.add_argument_group("what is tried")
    what.add_argument(
        "--data",
        default="fashion-mnist-mini",
        metavar="DATA",
        help="as for 'corruptlab test' (default: %(default)s)",
    )
    what.add_argument(
        "--model",
        default="mlp-1x512",
        metavar="A,B,...",
        help="networks, one curve each (default: %(default)s)",
    )
    what.add_argument(
        "--p",
        default="0,0.2,0.4,0.6,0.8,1",
        metavar="P,P,...",
        help="probabilities that a label is redrawn (default: %(default)s)",
    )
    add_seeds(what, default=3, drawn="labels")
    how = sweep.add_argument_group("how")
    add_workers(how, work="trials")
    add_device(how)
    add_epochs(how, default="by data and model")
    add_learning_rate(how)
    sweep.add_argument(
        "--out", required=True, metavar="FOLDER", help="where trials and figure.png are kept"
    )


SWEEP = Command(
    "time to interpolation and test error against p, for several seeds",
    _DESCRIPTION,
    _EXAMPLES,
    _add,
    run_sweep,
)
