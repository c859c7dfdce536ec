"""``corruptlab audit``: what is wrong with a data set."""

import argparse

from corruptlab._by_name import loaded
from corruptlab._cli import _output as cli
from corruptlab._cli._output import DONE, MISTAKES, NOT_ALL, Output
from corruptlab.experiments import audit

_DESCRIPTION = """\
Check the training and the test part of a data set for problems that would invalidate an
experiment: labels out of range or different between accesses, classes without examples,
copies of one input with different labels, test inputs in the training part."""

_EXAMPLES = """\
examples:
  corruptlab audit
  corruptlab audit --data cifar10:data --out audit
  corruptlab audit --data idx:/data/mnist --workers 0
  corruptlab audit --data csv:patients.csv:outcome

Checks that do not apply are listed in one line; report.json contains the reasons.
The exit code is 0 if there is no error (warnings do not count), else 1."""


def _add(one: argparse.ArgumentParser) -> None:
    cli.add_data(one)
    one.add_argument(
        "--sample",
        type=int,
        default=256,
        metavar="N",
        help="maximum number of items of each part that are read repeatedly (default: %(default)s)",
    )
    one.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the sample (default: %(default)s)"
    )
    one.add_argument(
        "--workers",
        type=int,
        default=2,
        metavar="N",
        help="number of processes that read the sample; 0 skips the checks with workers "
        "(default: %(default)s)",
    )
    one.add_argument(
        "--out",
        metavar="FOLDER",
        help="folder for report.json, which replaces that of an earlier run (default: only print)",
    )


def run_audit(options: argparse.Namespace) -> int:
    """Audit a data set, print the findings, and write them."""
    with cli.as_user_errors(*MISTAKES):
        train, test = loaded(options.data)
        output = Output(options.out) if options.out else None
        report = audit(
            train,
            test,
            sample=options.sample,
            seed=options.seed,
            workers=options.workers,
            progress=True,
        )
    cli.show(report)
    if output is not None:
        if not output.save_report(report.to_dict()):
            return NOT_ALL
        cli.say(f"wrote {output.report}")
    return DONE if report.ok else NOT_ALL


AUDIT = cli.Command("check a data set for problems", _DESCRIPTION, _EXAMPLES, _add, run_audit)
