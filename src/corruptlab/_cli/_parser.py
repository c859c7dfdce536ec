"""What can be typed."""

import argparse
from typing import NoReturn

from corruptlab._cli._reproduce_options import REPRODUCE, REPRODUCE_EXAMPLES, add_reproduce
from corruptlab._version import __version__
from corruptlab.experiments import SETTINGS

_DESCRIPTION = """\
Train one network, from one start, with one recipe, on differently corrupted copies of one
data set, and compare: a network that fits random labels as well as true ones can
memorize anything. (Zhang et al. 2017, "Understanding deep learning requires rethinking
generalization".)"""

_EXAMPLES = """\
settings:
  true              nothing is changed
  partial-labels    each label, with probability P, becomes a uniformly drawn class
  random-labels     every label becomes a uniformly drawn class
  shuffled-pixels   one permutation of the pixels, the same for all images
  random-pixels     a permutation of its own for every image
  gaussian          every pixel is Gaussian noise with the data's mean and variance

examples:
  corruptlab test --out out
  corruptlab test --settings true,random-labels --model mlp-3x512 --seed 1
  corruptlab test --data cifar10:data --settings true,partial-labels --p 0.2
  corruptlab test --data idx:/data/mnist --epochs 50 --learning-rate 0.02
  corruptlab test --data torchvision:SVHN:data --device cuda

Ctrl-C ends the test and keeps the settings that are finished. With --out, report.json is
also rewritten after every setting, so that it survives a crash."""


_SWEEP_DESCRIPTION = """\
How long a network takes to fit labels of which each was redrawn with probability p, and what
its test error is then, against p, for several seeds. (Zhang et al. 2017, Fig. 1b and 1c.)"""

_SWEEP_EXAMPLES = """\
examples:
  corruptlab sweep --out sweep
  corruptlab sweep --model mlp-1x512,mlp-3x512 --seeds 5 --workers 4 --out sweep
  corruptlab sweep --data cifar10:data --model small-inception --device cuda --out sweep

Each trial is kept in a file of its own when it is finished. The same command, given again after
Ctrl-C or a crash, or at the same time on another machine with a common folder, does what
is missing and nothing twice. --out also holds figure.png (extra 'plot')."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"corruptlab: error: {message} (try '{self.prog} --help')\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    main = _Parser(
        prog="corruptlab",
        description="Randomization tests for learning machines.",
        epilog="Try 'corruptlab test --help', or just: corruptlab test",
    )
    main.add_argument("--version", action="version", version=f"corruptlab {__version__}")
    commands = main.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_test(
        commands.add_parser(
            "test",
            help="train on true and on corrupted data, and compare",
            description=_DESCRIPTION,
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _add_sweep(
        commands.add_parser(
            "sweep",
            help="time to interpolation and test error against p, for several seeds",
            description=_SWEEP_DESCRIPTION,
            epilog=_SWEEP_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    add_reproduce(
        commands.add_parser(
            "reproduce",
            help="a table or figure of the paper, measured beside published",
            description=REPRODUCE,
            epilog=REPRODUCE_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    return main


def _add_test(test: argparse.ArgumentParser) -> None:
    what = test.add_argument_group("what is tested")
    what.add_argument(
        "--data",
        default="fashion-mnist-mini",
        metavar="DATA",
        help="fashion-mnist-mini (4,000 images that come with corruptlab), cifar10:FOLDER, "
        "idx:FOLDER, or torchvision:NAME:FOLDER; nothing is ever downloaded (default: %(default)s)",
    )
    what.add_argument(
        "--model",
        default="mlp-1x512",
        metavar="MODEL",
        help="mlp-1x512, mlp-3x512, or any mlp-DEPTHxWIDTH (default: %(default)s)",
    )
    what.add_argument(
        "--settings",
        default=",".join(SETTINGS),
        metavar="A,B,...",
        help="which settings to run (default: all six, see below)",
    )
    what.add_argument(
        "--p",
        type=float,
        default=0.5,
        metavar="P",
        help="probability that partial-labels redraws a label (default: %(default)s)",
    )
    how = test.add_argument_group("how")
    how.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of weights, corruptions, and data order (default: %(default)s)",
    )
    how.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1, ...; auto is cuda where there is one (default: %(default)s)",
    )
    how.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="epochs at most; a fit stops when it gets every training example right "
        "(default: by data and model)",
    )
    how.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help="learning rate of the first epoch (default: by data and model)",
    )
    test.add_argument(
        "--out",
        metavar="FOLDER",
        help="write report.json and figure.png there, over those of an earlier run "
        "(default: only print the table)",
    )


def _add_sweep(sweep: argparse.ArgumentParser) -> None:
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
    what.add_argument(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="seeds 0 .. N-1 of weights, labels, and data order (default: %(default)s)",
    )
    how = sweep.add_argument_group("how")
    how.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes that share the trials and the cores (default: %(default)s)",
    )
    how.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1, ...; auto is cuda where there is one (default: %(default)s)",
    )
    how.add_argument(
        "--epochs", type=int, metavar="N", help="epochs at most (default: by data and model)"
    )
    how.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help="learning rate of the first epoch (default: by data and model)",
    )
    sweep.add_argument(
        "--out", required=True, metavar="FOLDER", help="where trials and figure.png are kept"
    )
