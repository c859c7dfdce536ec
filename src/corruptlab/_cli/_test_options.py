"""What can be typed after ``corruptlab test``."""

import argparse

from corruptlab._cli._options import Command, add_device, add_epochs, add_learning_rate
from corruptlab._cli._test import run_test
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


def _add(test: argparse.ArgumentParser) -> None:
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
        help="mlp-1x512, mlp-3x512, any other mlp-DEPTHxWIDTH, small-inception, "
        "small-inception-no-bn, or small-alexnet (default: %(default)s)",
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
    add_device(how)
    add_epochs(
        how,
        default="by data and model",
        note="; a fit stops when it gets every training example right",
    )
    add_learning_rate(how)
    test.add_argument(
        "--out",
        metavar="FOLDER",
        help="write report.json and figure.png there, over those of an earlier run "
        "(default: only print the table)",
    )


TEST = Command(
    "train on true and on corrupted data, and compare", _DESCRIPTION, _EXAMPLES, _add, run_test
)
